use std::time::Duration;

use flywheel_model::Timestamp;

/// Timers of a shard: coarse, cheap to set, and never cancelled. Whoever is called too early or for nothing looks, and
/// sets another one.
#[derive(Debug)]
pub struct Wheel<K> {
    /// One list per moment, used again after [`SLOTS`] moments.
    slots: Vec<Vec<(Timestamp, K)>>,
    /// The moment up to which everything due has been handed out.
    moment: u64,
    len: usize,
}

const SLOTS: u64 = 512;
/// How much later than its time a timer may fire.
const MOMENT: u64 = 50;

impl<K> Wheel<K> {
    /// A wheel without timers that starts at `now`.
    pub fn new(now: Timestamp) -> Self {
        let slots =
            std::iter::repeat_with(Vec::new).take(usize::try_from(SLOTS).unwrap_or_default()).collect();
        Self { slots, moment: now.as_millis() / MOMENT, len: 0 }
    }

    /// Sets a timer. It fires at `at` or up to 50 ms later; one in the past fires next. [`Timestamp::NEVER`] sets none.
    pub fn set(&mut self, at: Timestamp, key: K) {
        if at == Timestamp::NEVER {
            return;
        }
        let moment = at.as_millis().div_ceil(MOMENT).max(self.moment + 1);
        self.slots[index(moment)].push((at, key));
        self.len += 1;
    }

    /// Hands out what is due.
    pub fn expire(&mut self, now: Timestamp, mut fire: impl FnMut(K)) {
        let current = now.as_millis() / MOMENT;
        // After a long sleep every list is visited once, not once per moment missed.
        let from = self.moment.max(current.saturating_sub(SLOTS));
        for moment in from + 1..=current {
            let slot = &mut self.slots[index(moment)];
            if slot.is_empty() {
                continue;
            }
            let timers = std::mem::take(slot);
            for (at, key) in timers {
                if at <= now {
                    self.len -= 1;
                    fire(key);
                } else {
                    self.slots[index(moment)].push((at, key));
                }
            }
        }
        self.moment = self.moment.max(current);
    }

    /// How long nothing is due, at most; `None` if no timer is set.
    pub fn idle(&self, now: Timestamp) -> Option<Duration> {
        if self.len == 0 {
            return None;
        }
        let used =
            (self.moment + 1..=self.moment + SLOTS).find(|moment| !self.slots[index(*moment)].is_empty())?;
        Some(Timestamp::from_millis(used * MOMENT).since(now))
    }
}

fn index(moment: u64) -> usize {
    usize::try_from(moment % SLOTS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn fired(wheel: &mut Wheel<u32>, now: u64) -> Vec<u32> {
        let mut keys = Vec::new();
        wheel.expire(at(now), |key| keys.push(key));
        keys.sort_unstable();
        keys
    }

    #[test]
    fn timers_fire_once_not_early_and_at_most_a_moment_late() {
        let mut wheel = Wheel::new(at(0));
        for (key, millis) in [(1, 10), (2, 120), (3, 100_000), (4, 0)] {
            wheel.set(at(millis), key);
        }
        assert_eq!(fired(&mut wheel, 5), [0u32; 0]);
        assert_eq!(fired(&mut wheel, 60), [1, 4]);
        assert_eq!(fired(&mut wheel, 119), [0u32; 0]);
        assert_eq!(fired(&mut wheel, 170), [2]);
        assert_eq!(fired(&mut wheel, 99_999), [0u32; 0]);
        assert_eq!(fired(&mut wheel, 100_050), [3]);
        assert_eq!(wheel.idle(at(100_050)), None);
    }

    #[test]
    fn a_long_sleep_loses_nothing() {
        let mut wheel = Wheel::new(at(0));
        for key in 0..1000 {
            wheel.set(at(u64::from(key) * 37), key);
        }
        assert_eq!(fired(&mut wheel, 10_000_000).len(), 1000);
    }

    #[test]
    fn the_sleep_ends_before_the_next_timer() {
        let mut wheel = Wheel::new(at(1000));
        wheel.set(at(5_000), 1);
        wheel.set(Timestamp::NEVER, 2);
        let idle = wheel.idle(at(1000)).unwrap();
        assert!(idle <= Duration::from_millis(4_050), "{idle:?}");
        assert!(idle >= Duration::from_millis(3_950), "{idle:?}");
    }
}
