use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;

use super::channels::Waiter;
use super::{SubscribeError, Topic};

/// What is asked of the connection's task.
#[derive(Debug)]
pub(super) enum Op {
    Want { name: Bytes, topic: Topic, waiter: Option<Waiter> },
    Unwant { name: Bytes },
}

/// The way to the connection's task. The lock guards the requests; nothing is taken under it.
#[derive(Debug)]
pub(super) struct Ops {
    state: Mutex<State>,
    max: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Op>,
    waker: Option<Waker>,
    restart: Option<String>,
    stopping: bool,
}

/// What the task finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ops: VecDeque<Op>,
    pub(super) restart: Option<String>,
    pub(super) stopping: bool,
}

impl Ops {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    pub(super) fn push(&self, op: Op) -> Result<(), SubscribeError> {
        let waker = {
            let mut state = self.state.lock();
            if state.stopping {
                return Err(SubscribeError::Stopping);
            }
            if state.waiting.len() >= self.max {
                return Err(SubscribeError::TooMany);
            }
            state.waiting.push_back(op);
            state.waker.take()
        };
        wake(waker);
        Ok(())
    }

    pub(super) fn restart(&self, why: String) {
        let waker = {
            let mut state = self.state.lock();
            state.restart = Some(why);
            state.waker.take()
        };
        wake(waker);
    }

    /// Ends the task.
    pub(super) fn stop(&self) {
        let (waker, waiting) = {
            let mut state = self.state.lock();
            state.stopping = true;
            (state.waker.take(), std::mem::take(&mut state.waiting))
        };
        drop(waiting);
        wake(waker);
    }

    /// Takes everything; `waker` is called for the next.
    pub(super) fn take(&self, waker: &Waker) -> Found {
        let mut state = self.state.lock();
        if state.waker.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        Found {
            ops: std::mem::take(&mut state.waiting),
            restart: state.restart.take(),
            stopping: state.stopping,
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
