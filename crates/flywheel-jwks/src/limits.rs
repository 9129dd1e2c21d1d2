use std::time::Duration;

/// How often and how long an endpoint is asked, and how long its answer counts. No configuration key has them: v6 has
/// none either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for one read of a set, from the name look-up to the last byte.
    pub deadline: Duration,
    /// Age from which a set that is in use is read again, while its keys still count.
    pub refresh_after: Duration,
    /// Age up to which a key counts without asking. A key that its publisher took back counts no longer than this while
    /// the endpoint can be read.
    pub fresh_for: Duration,
    /// Age up to which a key counts while the endpoint cannot be read.
    pub stale_for: Duration,
    /// Pause between two reads of one set, when both are successful.
    pub pause: Duration,
    /// Pause after a read that failed; doubles with each further one.
    pub retry_pause: Duration,
    /// Where the doubling ends.
    pub retry_pause_max: Duration,
    /// Addresses that are known at a time. The one used longest ago is forgotten for a new one.
    pub urls_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            refresh_after: Duration::from_mins(5),
            fresh_for: Duration::from_mins(10),
            stale_for: Duration::from_hours(6),
            pause: Duration::from_secs(5),
            retry_pause: Duration::from_secs(1),
            retry_pause_max: Duration::from_secs(30),
            urls_max: 64,
        }
    }
}
