//! Wall time, which here only bounds waits.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

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
