use std::time::Duration;

use flywheel_membership::{Finding, Soundness};
use flywheel_model::Timestamp;

use crate::Node;

/// The entry about this node's place among others.
pub(super) const CLUSTER: &str = "cluster";
/// Every loop turns at least once a second.
const TURNS_WITHIN: Duration = Duration::from_secs(2);

impl Node {
    /// What there is to be said about readiness, but for a drain. `awake` is how long the process has run without a
    /// break.
    pub(super) fn findings(&self, now: Timestamp, awake: Duration) -> Vec<Finding> {
        let mut findings = vec![self.threads(now, awake)];
        findings.extend(self.cluster.soundness(now).map(|soundness| cluster(&soundness, now)));
        findings.extend(self.parts.dependencies.dependencies().into_iter().map(|dependency| Finding {
            name: dependency.name,
            ok: dependency.ok,
            reason: dependency.reason,
            since: Timestamp::from_millis(now.as_millis().saturating_sub(millis(dependency.for_))),
            decided: false,
        }));
        findings
    }

    fn threads(&self, now: Timestamp, awake: Duration) -> Finding {
        let stuck = self.stuck(now, awake, TURNS_WITHIN);
        let since = stuck.iter().map(|(_, silent)| millis(*silent)).max().unwrap_or_default();
        Finding {
            name: "threads".to_owned(),
            ok: stuck.is_empty(),
            reason: words(&stuck).join(", "),
            since: Timestamp::from_millis(now.as_millis().saturating_sub(since)),
            decided: false,
        }
    }

    /// Threads that have not turned for longer than `limit`, and for how long.
    pub(super) fn stuck(&self, now: Timestamp, awake: Duration, limit: Duration) -> Vec<(String, Duration)> {
        let shards = self.posts().iter().enumerate();
        let shards = shards.map(|(shard, post)| (format!("shard {shard}"), post.pulse.silent_for(now)));
        let runtime = ("the runtime".to_owned(), self.health.pulse.silent_for(now));
        let silent = shards.chain([runtime]).map(|(name, silent)| (name, silent.min(awake)));
        silent.filter(|(_, silent)| *silent > limit).collect()
    }
}

pub(super) fn words(stuck: &[(String, Duration)]) -> Vec<String> {
    let words =
        |(name, silent): &(String, Duration)| format!("{name} has not turned for {} s", silent.as_secs());
    stuck.iter().map(words).collect()
}

fn cluster(soundness: &Soundness, now: Timestamp) -> Finding {
    let (reason, since) = match *soundness {
        Soundness::Sound => (String::new(), now),
        Soundness::Unsent(since) => ("messages to other nodes cannot be sent".to_owned(), since),
        Soundness::NoEcho(since) => (
            "messages to all nodes do not come back: they get lost, or nothing is received".to_owned(),
            since,
        ),
        Soundness::Unheard { by, of, since } => {
            (format!("{by} of {of} nodes that are heard do not hear this one"), since)
        }
    };
    Finding { name: CLUSTER.to_owned(), ok: reason.is_empty(), reason, since, decided: false }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
