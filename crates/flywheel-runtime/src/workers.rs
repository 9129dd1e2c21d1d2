use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flywheel_model::Timestamp;
use tokio::runtime::RuntimeMetrics;

use crate::{Pulse, Tasks};

/// Shows from outside whether every worker of a runtime still comes back from its tasks: one that is blocked takes with it
/// the tasks that wait behind it, while the others go on.
#[derive(Debug)]
pub struct Workers {
    metrics: RuntimeMetrics,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    /// How often it went to sleep or woke up; odd while it sleeps.
    turns: AtomicU64,
    /// Time that it worked, which is counted when it comes back from a batch of tasks.
    busy: AtomicU64,
    pulse: Pulse,
}

impl Workers {
    /// Those that run `tasks`.
    pub fn new(tasks: &Tasks, now: Timestamp) -> Self {
        let metrics = tasks.runtime_metrics();
        let worker = |_| Worker { turns: AtomicU64::new(0), busy: AtomicU64::new(0), pulse: Pulse::new(now) };
        let workers = (0..metrics.num_workers()).map(worker).collect();
        Self { metrics, workers }
    }

    /// How long each of them has not come back from what it does, as far as that is known from looking at it; to be asked
    /// again and again.
    pub fn silent_for(&self, now: Timestamp) -> impl Iterator<Item = Duration> {
        self.workers.iter().enumerate().map(move |(index, worker)| {
            let (turns, busy) = (self.turns(index), self.busy(index));
            let has_turned = worker.turns.swap(turns, Ordering::Relaxed) != turns;
            let has_worked = worker.busy.swap(busy, Ordering::Relaxed) != busy;
            let is_asleep = turns % 2 == 1;
            if has_turned || has_worked || is_asleep {
                worker.pulse.beat(now);
            }
            worker.pulse.silent_for(now)
        })
    }

    #[cfg(target_has_atomic = "64")]
    fn turns(&self, index: usize) -> u64 {
        self.metrics.worker_park_unpark_count(index)
    }

    #[cfg(target_has_atomic = "64")]
    fn busy(&self, index: usize) -> u64 {
        u64::try_from(self.metrics.worker_total_busy_duration(index).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Where nothing is counted, all of them seem to sleep.
    #[cfg(not(target_has_atomic = "64"))]
    fn turns(&self, _index: usize) -> u64 {
        1
    }

    #[cfg(not(target_has_atomic = "64"))]
    fn busy(&self, _index: usize) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_blocked_worker_is_silent_while_others_turn_and_one_that_sleeps_is_not() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
        let tasks = Tasks::new(runtime.handle().clone());
        let (entered, enter) = sync_channel::<()>(1);
        let (release, released) = sync_channel::<()>(1);
        tasks.spawn(async move {
            entered.send(()).unwrap();
            released.recv().unwrap();
        });
        enter.recv().unwrap();
        let workers = Workers::new(&tasks, Timestamp::ZERO);
        let silent = |at: u64| {
            let silent = workers.silent_for(Timestamp::from_millis(at));
            silent.filter(|silent| *silent >= Duration::from_secs(1)).count()
        };
        // Until all have come to rest but one, however long that takes.
        let mut at = 0;
        while silent(at) != 1 {
            at += 1_000;
            std::thread::yield_now();
        }
        for _ in 0..3 {
            at += 1_000;
            assert_eq!(silent(at), 1);
        }
        release.send(()).unwrap();
        while silent(at) != 0 {
            std::thread::yield_now();
        }
    }
}
