use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flywheel_model::Timestamp;

/// Shows from outside whether a loop still turns.
#[derive(Debug)]
pub struct Pulse(AtomicU64);

impl Pulse {
    /// A loop that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// The loop has come round.
    pub fn beat(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::Relaxed);
    }

    /// How long it has not.
    pub fn silent_for(&self, now: Timestamp) -> Duration {
        now.since(Timestamp::from_millis(self.0.load(Ordering::Relaxed)))
    }
}
