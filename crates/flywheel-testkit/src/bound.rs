use std::time::Duration;

/// How many times the stated time a machine may take that does other things as well.
const TIMES: u32 = 5;
/// What such a machine may take on top of the stated time, where a multiple of it is less.
const MORE: Duration = Duration::from_secs(5);
/// A call may end so much later than its deadline, for the sake of timers and of whoever measures.
const AFTER_DEADLINE: Duration = Duration::from_millis(100);

/// The time that a row of the failure matrix states (`docs/failure-matrix.md`), held against what was measured.
///
/// With `FLYWHEEL_DRILL_STRICT=1` the stated time is the limit: the drill runs a release build and one test at a time.
/// Otherwise the limit is five times the stated time, or 5 s more, whichever is more: a debug build among other tests may be
/// so slow, since it waits for its turn and not for Redis. What hangs, or waits for the next of a row of timeouts instead of
/// the first, is slower than that on any machine, and fails everywhere.
#[derive(Debug, Clone)]
pub struct Bound {
    row: String,
    stated: Duration,
}

impl Bound {
    /// What the row with this name states.
    pub fn new(row: &str, stated: Duration) -> Self {
        Self { row: row.to_owned(), stated }
    }

    /// What every row states of calls: none outlives its deadline by more than 100 ms.
    pub fn of_calls(row: &str, deadline: Duration) -> Self {
        Self::new(row, deadline + AFTER_DEADLINE)
    }

    /// Whether the stated times are the limits: `FLYWHEEL_DRILL_STRICT` is `1`.
    pub fn is_strict() -> bool {
        std::env::var("FLYWHEEL_DRILL_STRICT").is_ok_and(|strict| strict == "1")
    }

    /// Prints what was measured, and panics when it is above the limit.
    ///
    /// `what` and `since` stand before and after the time: `first write`, `after the port opened`.
    #[track_caller]
    #[expect(clippy::print_stdout, reason = "what was measured is told")]
    pub fn holds(&self, what: &str, measured: Duration, since: &str) {
        let line = self.line(what, measured, since);
        println!("{line}");
        let limit = self.limit(Self::is_strict());
        assert!(measured <= limit, "{line}: the limit here is {} ms", limit.as_millis());
    }

    fn line(&self, what: &str, measured: Duration, since: &str) -> String {
        let gap = if since.is_empty() { "" } else { " " };
        let (row, measured, stated) = (&self.row, measured.as_millis(), self.stated.as_millis());
        format!("{row}: {what} {measured} ms{gap}{since} (bound {stated} ms)")
    }

    fn limit(&self, is_strict: bool) -> Duration {
        if is_strict { self.stated } else { (self.stated * TIMES).max(self.stated + MORE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(stated: u64, is_strict: bool) -> Duration {
        Bound::new("R1", Duration::from_millis(stated)).limit(is_strict)
    }

    #[test]
    fn the_stated_time_is_the_limit_in_a_drill() {
        assert_eq!(limit(400, true), Duration::from_millis(400));
    }

    #[test]
    fn a_busy_machine_has_five_times_as_long_and_at_least_five_seconds_more() {
        assert_eq!(limit(400, false), Duration::from_millis(5_400));
        assert_eq!(limit(3_000, false), Duration::from_secs(15));
        assert_eq!(Bound::of_calls("R1", Duration::from_secs(1)).limit(true), Duration::from_millis(1_100));
    }

    #[test]
    fn what_was_measured_is_told_beside_what_is_stated() {
        let bound = Bound::new("R1", Duration::from_millis(400));
        let line = bound.line("first write", Duration::from_micros(120_900), "after the port opened");
        assert_eq!(line, "R1: first write 120 ms after the port opened (bound 400 ms)");
        assert_eq!(bound.line("longest call", Duration::ZERO, ""), "R1: longest call 0 ms (bound 400 ms)");
        bound.holds("first write", Duration::from_millis(400), "after the port opened");
    }

    #[test]
    #[should_panic(
        expected = "R1: first write 60000 ms after the port opened (bound 400 ms): the limit here is"
    )]
    fn a_hang_fails_on_every_machine() {
        Bound::new("R1", Duration::from_millis(400)).holds(
            "first write",
            Duration::from_mins(1),
            "after the port opened",
        );
    }
}
