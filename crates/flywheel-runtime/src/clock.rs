use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use flywheel_model::{Now, Timestamp};
use parking_lot::Mutex;

/// Where time comes from. Cheap to clone; clones agree.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Instant),
    /// Moved by hand, in tests.
    Manual(Arc<Mutex<Now>>),
}

impl Clock {
    /// The machine's clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until it is moved.
    pub fn manual(start: Now) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(start))))
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    pub fn now(&self) -> Now {
        match &self.0 {
            Source::System(start) => {
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Now {
                    at: Timestamp::ZERO + start.elapsed(),
                    unix_millis: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX),
                }
            }
            Source::Manual(now) => *now.lock(),
        }
    }

    /// Time since the clock was made, as exactly as the machine knows it: for measuring durations.
    pub fn elapsed(&self) -> std::time::Duration {
        match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(now) => now.lock().at.since(Timestamp::ZERO),
        }
    }

    /// Moves a manual clock forward on both scales; the machine's clocks do not obey.
    pub fn advance(&self, by: std::time::Duration) {
        if let Source::Manual(now) = &self.0 {
            let mut now = now.lock();
            now.at = now.at + by;
            now.unix_millis += i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        }
    }
}
