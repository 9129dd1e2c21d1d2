use std::time::Duration;

use flywheel_membership::{Finding, Soundness};
use flywheel_model::Timestamp;
use flywheel_runtime::Pulse;

use super::guard::{Silence, TURNS_WITHIN, silent_for, words};
use crate::Node;

/// The entry about this node's place among others.
pub(super) const CLUSTER: &str = "cluster";

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
        let since = stuck.iter().map(|silence| millis(silence.lasts)).max().unwrap_or_default();
        Finding {
            name: "threads".to_owned(),
            ok: stuck.is_empty(),
            reason: words(&stuck).join(", "),
            since: Timestamp::from_millis(now.as_millis().saturating_sub(since)),
            decided: false,
        }
    }

    /// Threads that have not turned for longer than `limit`, and for how long.
    pub(super) fn stuck(&self, now: Timestamp, awake: Duration, limit: Duration) -> Vec<Silence> {
        silent_for(self.silences(now), awake, limit)
    }

    /// How long each of the loops that have to turn has not. Takes no lock.
    pub(super) fn silences(&self, now: Timestamp) -> Vec<Silence> {
        let silence = |name: String, pulse: &Pulse| {
            let (thread, lasts) = (pulse.thread(), pulse.silent_for(now));
            Silence { name, thread, lasts }
        };
        let shards = self.posts().iter().enumerate();
        let mut all: Vec<_> =
            shards.map(|(shard, post)| silence(format!("shard {shard}"), &post.pulse)).collect();
        all.push(silence("the runtime".to_owned(), &self.health.pulse));
        let workers = self.health.workers.silent_for(now).enumerate();
        all.extend(workers.map(|(worker, lasts)| {
            let name = format!("worker {worker} of the runtime");
            Silence { name, thread: None, lasts }
        }));
        all
    }
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
