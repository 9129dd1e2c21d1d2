//! Which crate stands in which row.

/// Prefix of the name of every crate of the project, but the binary's, which has no more than that.
const PREFIX: &str = "flywheel-";

/// Where a crate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the row of this number, 0 at the bottom.
    Row(u8),
    /// Beside the rows: the only door to clock, randomness, tasks and metrics.
    Leaf,
    /// A tool of the tests or of developers, above everything and below nothing.
    Tool,
}

/// Rows above the leaf crates: who stands lower is pure and needs none of them.
pub(super) const LOWEST_ROW_WITH_LEAVES: u8 = 3;

const PLACES: &[(Place, &[&str])] = &[
    (Place::Row(0), &["model"]),
    (Place::Row(1), &["stream", "protocol", "websocket"]),
    (Place::Row(2), &["session", "membership", "auth", "config", "admission"]),
    (Place::Row(3), &["hub", "engine"]),
    (Place::Row(4), &["node"]),
    (Place::Row(5), &["transport", "grpc", "api", "admin", "kafka"]),
    (Place::Row(5), OUTBOUND),
    (Place::Row(6), &["server"]),
    (Place::Row(7), &["flywheel"]),
    (Place::Leaf, &["runtime", "metrics"]),
    (Place::Tool, &["testkit", "bench", "sim", "xtask"]),
];

/// Adapters that the node calls through a contract, and that never see the node.
const OUTBOUND: &[&str] = &["redis", "nats", "zookeeper", "proxy", "jwks"];

const PURE: &[&str] = &[
    "model",
    "stream",
    "protocol",
    "websocket",
    "session",
    "membership",
    "auth",
    "config",
    "hub",
    "admission",
];

/// The name without the project's prefix.
fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// Where the crate `name` stands; `None` when nobody has said so yet.
pub(super) fn place(name: &str) -> Option<Place> {
    let found = PLACES.iter().find(|(_, names)| names.contains(&short(name)));
    found.map(|(place, _)| *place)
}

/// Whether the crate may neither read a clock nor do any IO.
pub(super) fn is_pure(name: &str) -> bool {
    PURE.contains(&short(name))
}

/// Whether the crate implements a contract and so must not see the node.
pub(super) fn is_outbound(name: &str) -> bool {
    OUTBOUND.contains(&short(name))
}

/// Whether the crate is the node.
pub(super) fn is_node(name: &str) -> bool {
    short(name) == "node"
}

/// Full names of all pure crates, whether or not they exist yet.
pub(crate) fn pure_crates() -> impl Iterator<Item = String> {
    PURE.iter().map(|name| format!("{PREFIX}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pure_crate_has_a_row_and_no_leaf_is_pure() {
        for name in pure_crates() {
            assert!(matches!(place(&name), Some(Place::Row(0..=3))), "{name}");
        }
    }

    #[test]
    fn no_crate_has_two_places() {
        let mut names: Vec<&str> = PLACES.iter().flat_map(|(_, names)| *names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
