use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;

use super::channels::{Fence, Waiter};
use super::{SubscribeError, Topic};

/// Requests that are taken at a time.
pub(super) const TOGETHER: usize = 1024;

/// What is asked of the connection's task.
#[derive(Debug)]
pub(super) enum Op {
    Want { name: Bytes, topic: Topic, waiter: Option<Waiter> },
    Unwant { name: Bytes },
    CatchUp { waiter: Fence },
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
    pub(super) ops: Vec<Op>,
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

    /// Takes what there is, but not so much that reading would have to wait for it; `waker` is called for the rest, and for
    /// the next.
    pub(super) fn take(&self, waker: &Waker) -> Found {
        let mut state = self.state.lock();
        let count = state.waiting.len().min(TOGETHER);
        let ops = state.waiting.drain(..count).collect();
        let are_more = !state.waiting.is_empty();
        if state.waker.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        let found = Found { ops, restart: state.restart.take(), stopping: state.stopping };
        drop(state);
        if are_more {
            waker.wake_by_ref();
        }
        found
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
