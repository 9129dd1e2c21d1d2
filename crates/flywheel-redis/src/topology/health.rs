use std::time::Duration;

use flywheel_model::Timestamp;

/// When a probe's results change what is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// A fault that has lasted this long is one to speak of, and to recover from.
    pub silence: Duration,
    /// Passes in a row, without a failure between them, after which such a fault is over. At least 1.
    pub passes: u32,
    /// After so long without any result it does not serve, whatever the last one was. Longer than the time from the
    /// beginning of one probe to the end of the next.
    pub overdue: Duration,
}

impl Default for Tolerance {
    /// A fault of less than 2.5 s is a blink, and one lucky probe is no recovery.
    fn default() -> Self {
        let silence = Duration::from_millis(2_500);
        Self { silence, passes: 2, overdue: silence }
    }
}

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Whether it serves.
    pub ok: bool,
    /// Why not; empty when it serves.
    pub reason: String,
    /// Since when; for what does not serve, since it was last known to.
    pub since: Timestamp,
}

/// Reason of what was not probed yet.
const NOT_YET: &str = "not connected yet";

/// Whether something serves, judged by probes. Every failure is reported, with the moment in which it was last proven that
/// it served: who reads it decides by that whether it is a blink. The end of what was no blink is reported once it is sure.
#[derive(Debug, Clone)]
pub struct Health {
    tolerance: Tolerance,
    ok: bool,
    /// Since when it has been ok.
    since: Timestamp,
    /// When it was last known to serve: when the last probe began that passed before the fault.
    served_at: Timestamp,
    passes: u32,
    reason: String,
    was_told: bool,
}

impl Health {
    /// Of something that nobody has probed yet: it does not serve, and the first pass changes that.
    pub fn new(now: Timestamp, tolerance: Tolerance) -> Self {
        let reason = NOT_YET.to_owned();
        Self { tolerance, ok: false, since: now, served_at: now, passes: 0, reason, was_told: true }
    }

    /// A probe passed that began at `began`. Answers whether it ended a fault that was spoken of.
    pub fn handle_pass(&mut self, began: Timestamp) -> bool {
        self.passes = self.passes.saturating_add(1);
        // What has not begun has nothing to recover from.
        let is_first = self.reason == NOT_YET;
        let is_long = !self.ok && began.since(self.served_at) >= self.tolerance.silence;
        if is_long && !is_first && self.passes < self.tolerance.passes {
            return false;
        }
        if !self.ok {
            (self.ok, self.since) = (true, began);
            self.reason.clear();
        }
        self.served_at = began;
        std::mem::take(&mut self.was_told)
    }

    /// A probe failed. Answers whether the fault is to be spoken of, which is so once.
    pub fn handle_failure(&mut self, now: Timestamp, reason: &str) -> bool {
        (self.ok, self.passes) = (false, 0);
        reason.clone_into(&mut self.reason);
        let is_long = now.since(self.served_at) >= self.tolerance.silence;
        is_long && !std::mem::replace(&mut self.was_told, true)
    }

    /// Whether it serves, as far as is known.
    pub fn is_well(&self) -> bool {
        self.ok
    }

    /// What is reported now.
    pub fn condition(&self, now: Timestamp) -> Condition {
        let is_overdue = now.since(self.served_at) >= self.tolerance.overdue;
        match (self.ok, is_overdue) {
            (true, false) => Condition { ok: true, reason: String::new(), since: self.since },
            (true, true) => {
                let reason = "no probe has been answered".to_owned();
                Condition { ok: false, reason, since: self.served_at }
            }
            (false, _) => Condition { ok: false, reason: self.reason.clone(), since: self.served_at },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn serving() -> Health {
        let mut health = Health::new(at(1), Tolerance::default());
        assert!(health.handle_pass(at(1_000)), "the first pass is enough");
        health
    }

    fn fault(reason: &str, since: u64) -> Condition {
        Condition { ok: false, reason: reason.to_owned(), since: at(since) }
    }

    #[test]
    fn a_fault_counts_from_the_last_probe_that_passed() {
        let mut health = serving();
        health.handle_pass(at(2_000));
        assert!(!health.handle_failure(at(3_900), "READONLY"), "it may be a blink");
        assert_eq!(health.condition(at(3_900)), fault("READONLY", 2_000));
        assert!(health.handle_failure(at(4_500), "OOM"));
        assert!(!health.handle_failure(at(4_600), "OOM"), "it is spoken of once");
        assert_eq!(health.condition(at(4_700)), fault("OOM", 2_000));
    }

    #[test]
    fn a_blink_is_over_with_the_next_pass() {
        let mut health = serving();
        health.handle_failure(at(1_500), "READONLY");
        assert!(!health.handle_pass(at(3_000)), "nobody spoke of it");
        assert!(health.condition(at(3_000)).ok);
    }

    #[test]
    fn probes_that_do_not_end_are_a_fault_too() {
        let health = serving();
        assert!(health.condition(at(3_499)).ok);
        assert_eq!(health.condition(at(3_500)), fault("no probe has been answered", 1_000));
    }

    #[test]
    fn one_lucky_probe_is_no_recovery() {
        let mut health = serving();
        assert!(health.handle_failure(at(4_000), "OOM"));
        assert!(!health.handle_pass(at(4_100)));
        assert_eq!(health.condition(at(4_150)), fault("OOM", 1_000));
        assert!(!health.handle_failure(at(4_200), "OOM"));
        assert!(!health.handle_pass(at(4_300)));
        assert!(!health.condition(at(4_300)).ok);
        assert!(health.handle_pass(at(4_400)));
        let expected = Condition { ok: true, reason: String::new(), since: at(4_400) };
        assert_eq!(health.condition(at(4_500)), expected);
    }
}
