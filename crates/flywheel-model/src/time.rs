use std::ops::Add;
use std::time::Duration;

/// A reading of the monotonic clock: milliseconds since the process started. Timers are measured in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The earliest timestamp.
    pub const ZERO: Self = Self(0);
    /// Later than every timestamp a clock returns.
    pub const NEVER: Self = Self(u64::MAX);

    /// The timestamp `millis` milliseconds after [`Timestamp::ZERO`].
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since [`Timestamp::ZERO`].
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Seconds since 1970 by the wall clock, as tokens and the server API count expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct UnixSeconds(pub i64);

/// What time it is, on both clocks, read once per turn of a loop.
///
/// Timers use `at`, so that a step of the wall clock closes nobody; expiry of tokens uses `unix_millis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// The monotonic clock.
    pub at: Timestamp,
    /// The wall clock, milliseconds since 1970.
    pub unix_millis: i64,
}

impl Now {
    /// The wall clock in whole seconds.
    pub const fn unix(self) -> UnixSeconds {
        UnixSeconds(self.unix_millis.div_euclid(1000))
    }

    /// When the wall clock will show `moment`, on the monotonic clock; now if it already has.
    pub fn when(self, moment: UnixSeconds) -> Timestamp {
        let millis = moment.0.saturating_mul(1000).saturating_sub(self.unix_millis);
        self.at + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Whole seconds from now until `moment`; zero when it has passed.
    pub fn seconds_until(self, moment: UnixSeconds) -> u64 {
        u64::try_from(moment.0.saturating_sub(self.unix().0)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_in_the_past_is_due_now() {
        let now = Now { at: Timestamp::from_millis(5_000), unix_millis: 100_500 };
        assert_eq!(now.when(UnixSeconds(90)), now.at);
        assert_eq!(now.when(UnixSeconds(101)), Timestamp::from_millis(5_500));
        assert_eq!(now.seconds_until(UnixSeconds(90)), 0);
        assert_eq!(now.seconds_until(UnixSeconds(103)), 3);
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::NEVER + Duration::from_secs(1), Timestamp::NEVER);
        assert_eq!(Timestamp::ZERO.since(Timestamp::NEVER), Duration::ZERO);
        let now = Now { at: Timestamp::ZERO, unix_millis: 0 };
        assert_eq!(now.when(UnixSeconds(i64::MAX)).as_millis(), i64::MAX as u64);
    }
}
