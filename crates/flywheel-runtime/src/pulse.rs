use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use flywheel_model::Timestamp;

/// Shows from outside whether a loop still turns.
#[derive(Debug)]
pub struct Pulse {
    beaten_at: AtomicU64,
    /// As the system numbers threads; 0 when that is not known.
    thread: AtomicU32,
}

/// The time of a loop that is not to turn any more.
const RESTING: u64 = u64::MAX;

impl Pulse {
    /// A loop that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self { beaten_at: AtomicU64::new(now.as_millis()), thread: AtomicU32::new(0) }
    }

    /// The loop has come round.
    pub fn beat(&self, now: Timestamp) {
        self.beaten_at.store(now.as_millis(), Ordering::Relaxed);
    }

    /// How long it has not.
    pub fn silent_for(&self, now: Timestamp) -> Duration {
        now.since(Timestamp::from_millis(self.beaten_at.load(Ordering::Relaxed)))
    }

    /// The loop has ended as it should, and is silent no more.
    pub fn rest(&self) {
        self.beaten_at.store(RESTING, Ordering::Relaxed);
    }

    /// The loop runs in the thread that calls this, and stays there.
    pub fn bind_thread(&self) {
        // "PID/task/TID", where there is such a thing.
        let path = std::fs::read_link("/proc/thread-self").unwrap_or_default();
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        self.thread.store(number.unwrap_or_default(), Ordering::Relaxed);
    }

    /// The thread in which the loop runs, as the system numbers threads, if that is known.
    pub fn thread(&self) -> Option<u32> {
        Some(self.thread.load(Ordering::Relaxed)).filter(|number| *number > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_silent_from_its_last_beat_until_it_rests() {
        let pulse = Pulse::new(Timestamp::from_millis(1_000));
        assert_eq!(pulse.silent_for(Timestamp::from_millis(1_500)), Duration::from_millis(500));
        pulse.beat(Timestamp::from_millis(1_400));
        assert_eq!(pulse.silent_for(Timestamp::from_millis(1_500)), Duration::from_millis(100));
        pulse.rest();
        assert_eq!(pulse.silent_for(Timestamp::from_millis(9_000)), Duration::ZERO);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_bound_pulse_knows_its_thread() {
        let pulse = Pulse::new(Timestamp::ZERO);
        assert_eq!(pulse.thread(), None);
        std::thread::scope(|scope| {
            scope.spawn(|| pulse.bind_thread());
        });
        assert_ne!(pulse.thread(), None);
        assert_ne!(pulse.thread(), Some(std::process::id()), "that is the main thread");
    }
}
