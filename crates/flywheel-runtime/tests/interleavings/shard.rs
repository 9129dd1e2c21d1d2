//! What a shard sleeps in.
//!
//! The models of `flywheel-redis` include this file as well.

use loom::sync::{Condvar, Mutex};

/// Switches between threads at points where none has to wait. With three of them all the faults that are planted here show,
/// and all orders are tried in seconds; `LOOM_MAX_PREEMPTIONS` sets another number, and 5 takes half a minute.
const SWITCHES: usize = 3;

/// Tries every order of what the threads of `act` do.
pub(crate) fn model(act: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(SWITCHES);
    builder.check(act);
}

/// As an epoll instance with a waker: to be woken before the sleep begins ends it at once.
#[derive(Debug)]
pub(crate) struct Sleep {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Sleep {
    pub(crate) fn new() -> Self {
        Self { woken: Mutex::new(false), changed: Condvar::new() }
    }

    pub(crate) fn wake(&self) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }

    pub(crate) fn until_woken(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !std::mem::replace(&mut *woken, false) {
            woken = self.changed.wait(woken).unwrap();
        }
    }
}
