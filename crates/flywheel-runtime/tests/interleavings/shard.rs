//! What a shard sleeps in.
//!
//! The models of other crates include this file as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Condvar, Mutex};

/// Switches between threads at points where none has to wait. With three of them all the faults that are planted here show,
/// and all orders are tried in seconds; `LOOM_MAX_PREEMPTIONS` sets another number, and 5 takes half a minute.
const SWITCHES: usize = 3;

/// Tries every order of what the threads of `act` do.
pub(crate) fn model(act: impl Fn() + Send + Sync + 'static) {
    model_within(SWITCHES, act);
}

/// The same with another number of switches.
pub(crate) fn model_within(switches: usize, act: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(switches);
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        act();
    });
    #[expect(clippy::print_stdout, reason = "it shows how much was tried")]
    {
        println!("{} orders", orders.load(Ordering::Relaxed));
    }
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
