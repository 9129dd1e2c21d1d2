use std::time::Duration;

use flywheel_model::Timestamp;

/// When a probe's results change what is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Without a pass for this long it does not serve.
    pub silence: Duration,
    /// Passes in a row, without a failure between them, after which it serves again. At least 1.
    pub passes: u32,
}

impl Default for Tolerance {
    /// Unreported faults last less than 3 s, and one lucky probe is no recovery.
    fn default() -> Self {
        Self { silence: Duration::from_millis(2_500), passes: 2 }
    }
}

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Whether it serves.
    pub ok: bool,
    /// Why not; empty when it serves.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Reason of what was not probed yet.
const NOT_YET: &str = "not connected yet";

/// Whether something serves, judged by probes. A short fault is not reported, a long one is, and so is its end, once.
#[derive(Debug, Clone)]
pub struct Health {
    tolerance: Tolerance,
    ok: bool,
    since: Timestamp,
    passed_at: Timestamp,
    passes: u32,
    reason: String,
}

impl Health {
    /// Of something that nobody has probed yet: it does not serve, and the first pass changes that.
    pub fn new(now: Timestamp, tolerance: Tolerance) -> Self {
        Self { tolerance, ok: false, since: now, passed_at: now, passes: 0, reason: NOT_YET.to_owned() }
    }

    /// A probe passed. Answers whether this changed what is reported.
    pub fn handle_pass(&mut self, now: Timestamp) -> bool {
        self.handle_timeout(now);
        self.passes = self.passes.saturating_add(1);
        self.passed_at = now;
        // What has not begun has nothing to recover from.
        let is_first = self.reason == NOT_YET;
        if self.ok || (self.passes < self.tolerance.passes && !is_first) {
            return false;
        }
        (self.ok, self.since) = (true, now);
        self.reason.clear();
        true
    }

    /// A probe failed. Answers whether this changed what is reported.
    pub fn handle_failure(&mut self, now: Timestamp, reason: &str) -> bool {
        self.passes = 0;
        reason.clone_into(&mut self.reason);
        self.handle_timeout(now)
    }

    /// Looks at the time. Answers whether this changed what is reported.
    pub fn handle_timeout(&mut self, now: Timestamp) -> bool {
        if !self.ok || now.since(self.passed_at) < self.tolerance.silence {
            return false;
        }
        (self.ok, self.since, self.passes) = (false, now, 0);
        if self.reason.is_empty() {
            self.reason.push_str("no probe has been answered");
        }
        true
    }

    /// Whether it serves and the last probe passed.
    pub fn is_well(&self) -> bool {
        self.ok && self.passes > 0
    }

    /// What is reported now.
    pub fn condition(&self, now: Timestamp) -> Condition {
        let mut at_now = self.clone();
        at_now.handle_timeout(now);
        let reason = if at_now.ok { String::new() } else { at_now.reason };
        Condition { ok: at_now.ok, reason, since: at_now.since }
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

    #[test]
    fn a_short_fault_is_not_reported() {
        let mut health = serving();
        assert!(!health.handle_failure(at(1_500), "READONLY"));
        assert!(!health.handle_failure(at(3_400), "READONLY"));
        assert!(health.condition(at(3_499)).ok);
        assert_eq!(health.condition(at(3_499)).reason, "");
        assert!(!health.handle_pass(at(3_499)));
        assert!(health.condition(at(5_998)).ok);
    }

    #[test]
    fn a_long_one_is_reported_with_its_reason_even_if_probes_hang() {
        let mut health = serving();
        health.handle_failure(at(2_000), "READONLY");
        let condition = health.condition(at(3_500));
        assert_eq!(
            (condition.ok, condition.reason.as_str(), condition.since),
            (false, "READONLY", at(3_500))
        );
        let mute = serving().condition(at(3_500));
        assert_eq!((mute.ok, mute.reason.as_str()), (false, "no probe has been answered"));
    }

    #[test]
    fn one_lucky_probe_is_no_recovery() {
        let mut health = serving();
        assert!(health.handle_failure(at(4_000), "OOM"));
        assert!(!health.handle_pass(at(4_100)));
        assert!(!health.handle_failure(at(4_200), "OOM"));
        assert!(!health.handle_pass(at(4_300)));
        assert!(!health.condition(at(4_300)).ok);
        assert!(health.handle_pass(at(4_400)));
        assert_eq!(
            health.condition(at(4_500)),
            Condition { ok: true, reason: String::new(), since: at(4_400) }
        );
    }
}
