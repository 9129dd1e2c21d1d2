//! Waiting as tasks do: whoever is waited for calls a waker.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::Mutex;
use crate::shard::Sleep;

/// A task's sleep, and the waker that ends it.
pub(crate) struct Rest {
    alarm: Arc<Alarm>,
    waker: Waker,
}

struct Alarm {
    sleep: Sleep,
    /// Both take it afterwards, in either order: what was woken may be done before whoever woke it has done the rest.
    turn: Mutex<()>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        // A model that has failed is taken apart, and who is dropped there must not set off anything.
        if !std::thread::panicking() {
            self.sleep.wake();
            drop(self.turn.lock());
        }
    }
}

impl Rest {
    pub(crate) fn new() -> Self {
        let alarm = Arc::new(Alarm { sleep: Sleep::new(), turn: Mutex::default() });
        Self { waker: Waker::from(Arc::clone(&alarm)), alarm }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn until_woken(&self) {
        self.alarm.sleep.until_woken();
        drop(self.alarm.turn.lock());
    }
}

/// Sleeps until `future` is ready.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let rest = Rest::new();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(rest.waker())) {
            Poll::Ready(output) => return output,
            Poll::Pending => rest.until_woken(),
        }
    }
}
