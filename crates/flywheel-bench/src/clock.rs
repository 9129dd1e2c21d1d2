//! Wall time, which bounds waits, and measures where it is throughput or latency that is asked for.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::time::{ClockId, clock_gettime};

/// A moment after which waiting is an error.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The moment `wait` from now.
    #[expect(clippy::disallowed_methods, reason = "a benchmark waits for real processes, in real time")]
    pub(crate) fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    /// Time that is left; zero when it is over.
    #[expect(clippy::disallowed_methods, reason = "a benchmark waits for real processes, in real time")]
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether no time is left.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// Nanoseconds of a clock that all processes of the machine share, and that nobody sets.
pub(crate) fn nanos() -> Result<u64> {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
    Ok(u64::try_from(now.as_nanos())?)
}

/// Asks `condition` every `pause` until it holds. An error that names `what` after `limit`.
pub(crate) fn until(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Deadline::after(limit);
    while !condition()? {
        if deadline.is_over() {
            bail!("waited {limit:?} for {what}");
        }
        thread::sleep(pause);
    }
    Ok(())
}
