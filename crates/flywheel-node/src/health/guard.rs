use std::time::Duration;

use flywheel_model::Timestamp;

/// Every loop turns at least once a second.
pub(super) const TURNS_WITHIN: Duration = Duration::from_secs(2);
/// Looks further apart than this mean that the process itself did not run, or that the machine is so crowded that nobody can
/// tell who is stuck and who merely waits for its turn.
pub(super) const LOOKS_WITHIN: Duration = Duration::from_millis(500);

/// How long a loop has not turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence {
    /// Whose, for an operator.
    pub(super) name: String,
    /// The thread in which it runs, as the system numbers threads, if it stays in one that is known.
    pub(super) thread: Option<u32>,
    /// How long.
    pub(super) lasts: Duration,
}

/// Those that have been silent for longer than `limit` while the process ran, which is for `awake`, and for how long.
pub(super) fn silent_for(silences: Vec<Silence>, awake: Duration, limit: Duration) -> Vec<Silence> {
    let capped = silences.into_iter().map(|silence| Silence { lasts: silence.lasts.min(awake), ..silence });
    capped.filter(|silence| silence.lasts > limit).collect()
}

pub(super) fn words(stuck: &[Silence]) -> Vec<String> {
    let words =
        |silence: &Silence| format!("{} has not turned for {} s", silence.name, silence.lasts.as_secs());
    stuck.iter().map(words).collect()
}

/// What is to be done about threads that are stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// Write down what there is to be seen of them.
    Dump(Vec<Silence>),
    /// The same, and end the process.
    Abort(Vec<Silence>),
}

/// Decides when a process is beyond help: a restart is bounded, a freeze is not.
///
/// Only what was seen without a break counts. A process that was stopped and goes on, and a machine on which even the thread
/// that looks gets no processor in time, begin anew.
#[derive(Debug)]
pub(super) struct Guard {
    looked_at: Timestamp,
    awake_since: Timestamp,
    was_dumped: bool,
}

impl Guard {
    /// Begins to look now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { looked_at: now, awake_since: now, was_dumped: false }
    }

    /// One look. `limit` is how long a thread may be silent, `None` for ever.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        all: Vec<Silence>,
        limit: Option<Duration>,
    ) -> Option<Deed> {
        if now.since(self.looked_at) > LOOKS_WITHIN {
            self.awake_since = now;
        }
        self.looked_at = now;
        let stuck = silent_for(all, now.since(self.awake_since), TURNS_WITHIN);
        if stuck.is_empty() {
            self.was_dumped = false;
            return None;
        }
        if limit.is_some_and(|limit| stuck.iter().any(|silence| silence.lasts > limit)) {
            return Some(Deed::Abort(stuck));
        }
        let is_known = std::mem::replace(&mut self.was_dumped, true);
        (!is_known).then_some(Deed::Dump(stuck))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_secs(10));

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Looks every 100 ms, at a loop that last turned at `turned`.
    fn look(
        guard: &mut Guard,
        looks: impl IntoIterator<Item = u64>,
        turned: u64,
    ) -> Vec<(u64, &'static str)> {
        let mut deeds = Vec::new();
        for now in looks {
            let lasts = at(now).since(at(turned));
            let all = vec![Silence { name: "shard 0".to_owned(), thread: None, lasts }];
            match guard.look(at(now), all, LIMIT) {
                None => {}
                Some(Deed::Dump(_)) => deeds.push((now, "dump")),
                Some(Deed::Abort(_)) => deeds.push((now, "abort")),
            }
        }
        deeds
    }

    #[test]
    fn a_stuck_thread_is_written_down_once_and_the_process_ended_after_the_limit() {
        let mut guard = Guard::new(at(0));
        let deeds = look(&mut guard, (100..=15_100).step_by(100), 5_000);
        assert_eq!(deeds, [(7_100, "dump"), (15_100, "abort")]);
    }

    #[test]
    fn without_a_limit_nothing_is_ended() {
        let mut guard = Guard::new(at(0));
        let all = |lasts| vec![Silence { name: "shard 0".to_owned(), thread: None, lasts }];
        let mut looks =
            (1..=600).map(|look| guard.look(at(look * 100), all(Duration::from_millis(look * 100)), None));
        let deeds: Vec<_> = looks.by_ref().flatten().collect();
        assert!(matches!(deeds.as_slice(), [Deed::Dump(_)]), "{deeds:?}");
    }

    #[test]
    fn a_process_that_was_stopped_is_given_all_the_time_again() {
        let mut guard = Guard::new(at(0));
        assert_eq!(look(&mut guard, (100..=4_000).step_by(100), 4_000), []);
        // Stopped for a minute; nobody else has had time to turn when it goes on.
        let goes_on = (64_000..=74_000).step_by(100);
        assert_eq!(look(&mut guard, goes_on, 4_000), [(66_100, "dump")]);
        assert_eq!(look(&mut guard, [74_100], 4_000), [(74_100, "abort")], "it was not the stop");
    }

    #[test]
    fn where_the_guard_itself_comes_late_again_and_again_nobody_is_to_blame() {
        let mut guard = Guard::new(at(0));
        assert_eq!(look(&mut guard, (0..=120_000).step_by(600), 0), []);
    }

    #[test]
    fn who_turns_again_and_gets_stuck_anew_is_written_down_anew() {
        let mut guard = Guard::new(at(0));
        assert_eq!(look(&mut guard, (100..=3_000).step_by(100), 0), [(2_100, "dump")]);
        assert_eq!(look(&mut guard, [3_100], 3_050), []);
        assert_eq!(look(&mut guard, (3_200..=5_100).step_by(100), 3_050), [(5_100, "dump")]);
    }
}
