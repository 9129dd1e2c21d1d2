//! Counting tests across stages.

use std::fmt;
use std::ops::AddAssign;

/// How many passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, and stages that did not get as far as a test.
    pub(crate) failed: u64,
}

impl Tally {
    /// One test.
    pub(crate) fn of(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// What a line of output says, if it is the closing line of a test binary (`test result: ..`) or of a
    /// suite (`name: 3 passed, 1 failed, ..`).
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (name, counts) = line.split_once(": ")?;
        if name.contains(' ') && name != "test result" {
            return None;
        }
        let counts = counts.trim_start_matches("ok. ").trim_start_matches("FAILED. ");
        let mut words = counts.split([';', ',']).map(str::trim);
        let mut count = |what: &str| words.next()?.strip_suffix(what)?.trim().parse().ok();
        Some(Self { passed: count("passed")?, failed: count("failed")? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_test_binaries_and_suites_are_read() {
        let cargo = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(Tally::read(cargo), Some(Tally { passed: 12, failed: 3 }));
        assert_eq!(
            Tally::read("test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured"),
            Some(Tally { passed: 4, failed: 0 })
        );
        assert_eq!(
            Tally::read("autobahn: 301 passed, 0 failed, 0 skipped"),
            Some(Tally { passed: 301, failed: 0 })
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "test tests::a ... ok",
            "running 3 tests",
            "",
            "note: 3 passed",
            "some words: 3 passed, 1 failed",
        ] {
            assert_eq!(Tally::read(line), None, "{line}");
        }
    }

    #[test]
    fn the_sum_is_shown_as_one_closing_line() {
        let mut sum = Tally { passed: 2, failed: 0 };
        sum += Tally::of(true);
        sum += Tally::of(false);
        assert_eq!(sum.to_string(), "3 passed, 1 failed");
    }
}
