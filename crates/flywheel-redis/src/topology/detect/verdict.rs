use super::ClusterState;
use crate::keys::SLOTS;
use crate::link::{Facts, Mode, Role};
use crate::topology::Rejected;

/// Under which key of the configuration an address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `address`, without a scheme that says more.
    Server,
    /// `cluster_address`, or an address with the scheme `redis+cluster`.
    Cluster,
    /// `sentinel_address`, or an address with the scheme `redis+sentinel`.
    Sentinel,
}

/// What to make of what a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was asked for.
    Use,
    /// It is something else that serves as well: be that, and tell the operator this once.
    Adapt(Mode, String),
    /// It does not serve now, for this reason, and may later.
    Wait(String),
    /// It never will: this sentence says what to write instead.
    Refuse(String),
}

impl Verdict {
    /// Whether a connection to it is used.
    pub(in crate::topology) fn admits(self) -> Result<(), Rejected> {
        match self {
            Self::Use => Ok(()),
            Self::Adapt(_, reason) | Self::Wait(reason) => Err(Rejected { reason, is_refusal: false }),
            Self::Refuse(reason) => Err(Rejected { reason, is_refusal: true }),
        }
    }
}

/// Further things that a server is asked once its mode is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// Names that a Sentinel watches.
    pub masters: Vec<String>,
    /// What a node says of its cluster; `None` when it was not asked, or did not say.
    pub cluster: Option<ClusterState>,
}

/// Judges the server at `address`, which stands in the block `keys` of the configuration, such as `engine.redis`.
pub fn judge(asked: Asked, facts: &Facts, detail: &Detail, address: &str, keys: &str) -> Verdict {
    match (asked, facts.mode) {
        (Asked::Sentinel, Mode::Sentinel) => Verdict::Use,
        (Asked::Sentinel, _) => Verdict::Refuse(not_a_sentinel(facts, address, keys)),
        (_, Mode::Sentinel) => {
            let names = names(&detail.masters);
            Verdict::Refuse(format!(
                "{address} is a Sentinel watching {names}; write its address into {keys}.sentinel_address and the name \
                 into {keys}.sentinel_master_name"
            ))
        }
        (Asked::Server, Mode::Cluster) => Verdict::Adapt(
            Mode::Cluster,
            format!(
                "{address} is a node of a cluster, so all of the cluster is used, with its names of keys; write the \
                 address into {keys}.cluster_address to say so"
            ),
        ),
        (Asked::Cluster, Mode::Cluster) => judge_cluster(detail, address),
        (Asked::Cluster, Mode::Standalone) => Verdict::Refuse(format!(
            "{address} is {} with cluster support disabled; write its address into {keys}.address instead of \
             {keys}.cluster_address",
            description(facts)
        )),
        (Asked::Server, Mode::Standalone) => match &facts.role {
            Role::Primary | Role::Unknown(_) => Verdict::Use,
            Role::Replica { of } => Verdict::Wait(format!(
                "{address} is a read-only replica of {of}; write the primary into {keys}.address, or Sentinels into \
                 {keys}.sentinel_address"
            )),
        },
    }
}

/// What to say of an address that stands among those of Sentinels and is none.
pub(crate) fn not_a_sentinel(facts: &Facts, address: &str, keys: &str) -> String {
    format!(
        "{address} is not a Sentinel but {}; write the addresses of Sentinels, usually on port 26379, into \
         {keys}.sentinel_address, or this one into {}",
        description(facts),
        right_key(facts, keys)
    )
}

fn judge_cluster(detail: &Detail, address: &str) -> Verdict {
    let Some(state) = &detail.cluster else { return Verdict::Use };
    let open = SLOTS.saturating_sub(state.assigned);
    let down = state.assigned.saturating_sub(state.ok);
    if open > 0 {
        return Verdict::Wait(format!(
            "{address} says that {open} of {SLOTS} slots of the cluster have no owner"
        ));
    }
    if down > 0 {
        return Verdict::Wait(format!("{address} says that the owners of {down} of {SLOTS} slots are down"));
    }
    if state.is_ok { Verdict::Use } else { Verdict::Wait(format!("{address} says that the cluster is down")) }
}

/// Judges the server that Sentinels named as the primary of `name`.
pub fn judge_master(facts: &Facts, address: &str, name: &str, keys: &str) -> Verdict {
    match facts.mode {
        Mode::Cluster => Verdict::Refuse(format!(
            "the Sentinels name {address} as the primary of {name}, which is a node of a cluster; clusters have no \
             Sentinels: write its address into {keys}.cluster_address and take {keys}.sentinel_address out"
        )),
        Mode::Sentinel => Verdict::Refuse(format!(
            "the Sentinels name {address} as the primary of {name}, which is a Sentinel itself; correct what they monitor"
        )),
        Mode::Standalone => match &facts.role {
            Role::Primary | Role::Unknown(_) => Verdict::Use,
            Role::Replica { of } => Verdict::Wait(format!(
                "the Sentinels name {address} as the primary of {name}, which says that it is a replica of {of}"
            )),
        },
    }
}

/// What to say when no Sentinel watches anything of this name.
pub fn unknown_master(name: &str, known: &[String], keys: &str) -> Verdict {
    Verdict::Refuse(if name.is_empty() {
        format!("the Sentinels watch {}; write one of these into {keys}.sentinel_master_name", names(known))
    } else {
        format!(
            "no Sentinel watches {name:?}; they watch {}: correct {keys}.sentinel_master_name",
            names(known)
        )
    })
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn description(facts: &Facts) -> String {
    match (facts.mode, &facts.role) {
        (Mode::Cluster, _) => "a node of a cluster".to_owned(),
        (Mode::Sentinel, _) => "a Sentinel".to_owned(),
        (Mode::Standalone, Role::Replica { of }) => format!("a replica of {of}"),
        (Mode::Standalone, _) => "a server".to_owned(),
    }
}

fn right_key(facts: &Facts, keys: &str) -> String {
    match facts.mode {
        Mode::Cluster => format!("{keys}.cluster_address"),
        Mode::Standalone | Mode::Sentinel => format!("{keys}.address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Endpoint;

    const AT: &str = "10.0.0.1:6379";
    const KEYS: &str = "engine.redis";

    fn facts(mode: Mode, role: Role) -> Facts {
        Facts {
            server: String::new(),
            version: String::new(),
            mode,
            role,
            run_id: String::new(),
            replication_id: String::new(),
            replication_id2: String::new(),
            resp: 3,
        }
    }

    fn unknown() -> Role {
        Role::Unknown(String::new())
    }

    fn replica() -> Role {
        Role::Replica { of: Endpoint::tcp("10.0.0.2", 6379) }
    }

    #[test]
    fn every_cell_of_the_table() {
        let detail = Detail {
            masters: vec!["a".into(), "b".into()],
            cluster: Some(ClusterState { is_ok: true, assigned: SLOTS, ok: SLOTS, epoch: 1 }),
        };
        let cluster = facts(Mode::Cluster, Role::Primary);
        let primary = facts(Mode::Standalone, Role::Primary);
        let copy = facts(Mode::Standalone, replica());
        let sentinel = facts(Mode::Sentinel, unknown());
        let judge = |asked, facts| judge(asked, facts, &detail, AT, KEYS);
        let refused = |text: &str| Verdict::Refuse(text.to_owned());

        assert_eq!(judge(Asked::Server, &primary), Verdict::Use);
        assert_eq!(
            judge(Asked::Server, &copy),
            Verdict::Wait(
                "10.0.0.1:6379 is a read-only replica of 10.0.0.2:6379; write the primary into engine.redis.address, or \
                 Sentinels into engine.redis.sentinel_address"
                    .into()
            )
        );
        assert_eq!(
            judge(Asked::Server, &cluster),
            Verdict::Adapt(
                Mode::Cluster,
                "10.0.0.1:6379 is a node of a cluster, so all of the cluster is used, with its names of keys; write the \
                 address into engine.redis.cluster_address to say so"
                    .into()
            )
        );
        let is_sentinel = refused(
            "10.0.0.1:6379 is a Sentinel watching a, b; write its address into engine.redis.sentinel_address and the name \
             into engine.redis.sentinel_master_name",
        );
        assert_eq!(judge(Asked::Server, &sentinel), is_sentinel);
        assert_eq!(judge(Asked::Cluster, &sentinel), is_sentinel);

        assert_eq!(
            judge(Asked::Cluster, &primary),
            refused(
                "10.0.0.1:6379 is a server with cluster support disabled; write its address into engine.redis.address \
                 instead of engine.redis.cluster_address"
            )
        );
        assert_eq!(
            judge(Asked::Cluster, &copy),
            refused(
                "10.0.0.1:6379 is a replica of 10.0.0.2:6379 with cluster support disabled; write its address into \
                 engine.redis.address instead of engine.redis.cluster_address"
            )
        );
        assert_eq!(judge(Asked::Cluster, &cluster), Verdict::Use);

        for (found, what, key) in [
            (&primary, "a server", "engine.redis.address"),
            (&copy, "a replica of 10.0.0.2:6379", "engine.redis.address"),
            (&cluster, "a node of a cluster", "engine.redis.cluster_address"),
        ] {
            assert_eq!(
                judge(Asked::Sentinel, found),
                refused(&format!(
                    "10.0.0.1:6379 is not a Sentinel but {what}; write the addresses of Sentinels, usually on port 26379, \
                     into engine.redis.sentinel_address, or this one into {key}"
                ))
            );
        }
        assert_eq!(judge(Asked::Sentinel, &sentinel), Verdict::Use);
    }

    #[test]
    fn a_cluster_that_does_not_serve_says_what_is_missing() {
        for (assigned, ok, is_ok, word) in [
            (16_383, 16_383, false, "1 of 16384 slots of the cluster have no owner"),
            (16_384, 16_000, false, "the owners of 384 of 16384 slots are down"),
            (16_384, 16_384, false, "the cluster is down"),
        ] {
            let state = ClusterState { is_ok, assigned, ok, epoch: 1 };
            let detail = Detail { cluster: Some(state), ..Detail::default() };
            let facts = facts(Mode::Cluster, Role::Primary);
            let Verdict::Wait(reason) = judge(Asked::Cluster, &facts, &detail, AT, KEYS) else {
                panic!("it serves")
            };
            assert!(reason.ends_with(word), "{reason}");
        }
    }

    #[test]
    fn a_name_that_no_sentinel_knows_is_answered_with_those_they_know() {
        assert_eq!(
            unknown_master("main", &["a".into(), "b".into()], KEYS),
            Verdict::Refuse(
                "no Sentinel watches \"main\"; they watch a, b: correct engine.redis.sentinel_master_name"
                    .into()
            )
        );
        let Verdict::Refuse(text) = unknown_master("", &["a".into()], KEYS) else { panic!("it is refused") };
        assert_eq!(text, "the Sentinels watch a; write one of these into engine.redis.sentinel_master_name");
    }

    #[test]
    fn what_sentinels_name_must_be_a_primary_of_its_own() {
        let judge = |mode, role| judge_master(&facts(mode, role), AT, "main", KEYS);
        assert_eq!(judge(Mode::Standalone, Role::Primary), Verdict::Use);
        assert_eq!(judge(Mode::Standalone, unknown()), Verdict::Use);
        assert!(matches!(judge(Mode::Standalone, replica()), Verdict::Wait(_)));
        assert!(matches!(judge(Mode::Cluster, Role::Primary), Verdict::Refuse(_)));
        assert!(matches!(judge(Mode::Sentinel, unknown()), Verdict::Refuse(_)));
    }
}
