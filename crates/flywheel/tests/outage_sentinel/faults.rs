use std::time::Duration;

use flywheel_testkit::wait_until;
use flywheel_testkit::{MASTER_NAME, SentinelSet};

/// What may happen to a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It is killed.
    Killed,
    /// It stands still with its connections open, and goes on later as if nothing had happened.
    Frozen,
    /// An operator asks the Sentinels to fail over.
    Planned,
    /// Somebody makes a replica the primary and the primary its replica. No event tells of it.
    Demoted,
    /// Somebody makes a replica the primary, and forgets the old one, which goes on taking writes.
    Detached,
}

const PATIENCE: Duration = Duration::from_secs(40);

impl Fault {
    pub(crate) const ALL: [Self; 5] =
        [Self::Killed, Self::Frozen, Self::Planned, Self::Demoted, Self::Detached];

    /// Whether the old primary goes on taking writes afterwards.
    pub(crate) fn leaves_old_primary_writable(self) -> bool {
        matches!(self, Self::Frozen | Self::Detached)
    }

    /// Lets it happen to the primary `old`; returns the index of the new one as soon as a Sentinel names it.
    pub(crate) fn strike(self, set: &mut SentinelSet, old: usize) -> usize {
        match self {
            Self::Killed => set.server_mut(old).kill(),
            Self::Frozen => set.servers()[old].freeze(),
            Self::Planned => {
                let accepted = wait_until(PATIENCE, || {
                    set.ask(0, &["SENTINEL", "FAILOVER", MASTER_NAME])
                        .is_ok_and(|reply| reply.error().is_none())
                });
                assert!(accepted, "the Sentinels do not fail over");
            }
            Self::Demoted | Self::Detached => return self.switch_by_hand(set, old),
        }
        set.wait_switched_from(old, &[0, 1, 2])
    }

    fn switch_by_hand(self, set: &SentinelSet, old: usize) -> usize {
        let new = (old + 1) % 3;
        let port = set.servers()[new].port().to_string();
        // Sentinels that still watched would turn it back.
        for sentinel in 0..3 {
            set.ask(sentinel, &["SENTINEL", "REMOVE", MASTER_NAME]).unwrap();
        }
        set.servers()[new].run(&["REPLICAOF", "NO", "ONE"]);
        set.servers()[(old + 2) % 3].run(&["REPLICAOF", "127.0.0.1", &port]);
        if self == Self::Demoted {
            set.servers()[old].run(&["REPLICAOF", "127.0.0.1", &port]);
        }
        for sentinel in 0..3 {
            for command in [
                ["SENTINEL", "MONITOR", MASTER_NAME, "127.0.0.1", &port, "2"].as_slice(),
                &[
                    "SENTINEL",
                    "SET",
                    MASTER_NAME,
                    "down-after-milliseconds",
                    "1000",
                    "failover-timeout",
                    "6000",
                ],
                &["SENTINEL", "SET", MASTER_NAME, "parallel-syncs", "2"],
            ] {
                let reply = set.ask(sentinel, command).unwrap();
                assert!(reply.error().is_none(), "{command:?}: {reply:?}");
            }
        }
        new
    }

    /// Makes `old` a replica of `new`, and waits until the set is whole.
    pub(crate) fn mend(self, set: &mut SentinelSet, old: usize, new: usize) {
        let port = set.servers()[new].port().to_string();
        if self == Self::Killed {
            set.server_mut(old).start_again();
        }
        set.servers()[old].run(&["REPLICAOF", "127.0.0.1", &port]);
        for replica in (0..3).filter(|index| *index != new) {
            set.servers()[replica].wait_replicating();
        }
        set.wait_formed();
    }
}
