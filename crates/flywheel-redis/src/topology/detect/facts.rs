use crate::resp::Value;

/// What a node says of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterState {
    /// Whether the cluster serves, in the eyes of this node.
    pub is_ok: bool,
    /// Slots that somebody owns.
    pub assigned: u16,
    /// Slots whose owner serves.
    pub ok: u16,
    /// The cluster's clock: grows with every change of an owner.
    pub epoch: u64,
}

impl ClusterState {
    /// Reads the answer to `CLUSTER INFO`.
    pub fn parse(text: &str) -> Self {
        let mut state = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.trim_end().split_once(':')) {
            match key {
                "cluster_state" => state.is_ok = value == "ok",
                "cluster_slots_assigned" => state.assigned = value.parse().unwrap_or_default(),
                "cluster_slots_ok" => state.ok = value.parse().unwrap_or_default(),
                "cluster_current_epoch" => state.epoch = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        state
    }
}

/// Reads the names that a Sentinel watches out of its answer to `ROLE` or `SENTINEL MASTERS`.
pub fn masters(answer: &Value) -> Vec<String> {
    let text = |value: &Value| value.text().map(str::to_owned);
    match answer.items() {
        [word, names] if word.text() == Some("sentinel") => names.items().iter().filter_map(text).collect(),
        masters => masters.iter().filter_map(|master| master.get("name").and_then(text)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_cluster_is_read() {
        let text = "cluster_state:fail\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:10922\r\ncluster_current_epoch:7\r\n";
        let state = ClusterState { is_ok: false, assigned: 16_384, ok: 10_922, epoch: 7 };
        assert_eq!(ClusterState::parse(text), state);
        assert_eq!(ClusterState::parse("nonsense"), ClusterState::default());
    }

    #[test]
    fn the_names_that_a_sentinel_watches_are_read() {
        let bulk = |text: &str| Value::Bulk(text.to_owned().into());
        let role = Value::Array(vec![bulk("sentinel"), Value::Array(vec![bulk("a"), bulk("b")])]);
        assert_eq!(masters(&role), ["a", "b"]);
        let list = Value::Array(vec![Value::Map(vec![(bulk("name"), bulk("a")), (bulk("ip"), bulk("::1"))])]);
        assert_eq!(masters(&list), ["a"]);
        assert!(masters(&Value::Null).is_empty());
    }
}
