use std::collections::VecDeque;
use std::task::Waker;

use super::SubscribeError;
use super::connection::Asks;
use super::ops::{Found, Op};
use crate::Mutex;

/// What is wrong with a queue of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing: then the models have no objection.
    None,
    /// It looks under one lock, and leaves the waker under another.
    LooksFirst,
    /// It wakes the task before there is anything.
    WakesFirst,
    /// Whoever asks looks under one lock whether the task ends, and puts the request there under another.
    AsksAfterTheEnd,
    /// The end keeps what was not taken.
    KeepsWhatWaits,
}

/// A queue of requests that is nearly right.
pub(super) struct Faulty {
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Op>,
    waker: Option<Waker>,
    stopping: bool,
}

impl Faulty {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, state: Mutex::default() }
    }

    fn wake(&self) {
        let waker = self.state.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Asks for Faulty {
    fn push(&self, op: Op) -> Result<(), SubscribeError> {
        if self.fault == Fault::WakesFirst {
            self.wake();
        }
        let mut state = self.state.lock();
        if state.stopping {
            return Err(SubscribeError::Stopping);
        }
        if self.fault == Fault::AsksAfterTheEnd {
            drop(state);
            state = self.state.lock();
        }
        state.waiting.push_back(op);
        drop(state);
        if self.fault != Fault::WakesFirst {
            self.wake();
        }
        Ok(())
    }

    fn stop(&self) {
        let mut state = self.state.lock();
        state.stopping = true;
        let waiting = match self.fault {
            Fault::KeepsWhatWaits => VecDeque::new(),
            _ => std::mem::take(&mut state.waiting),
        };
        drop(state);
        drop(waiting);
        self.wake();
    }

    fn take(&self, waker: &Waker) -> Found {
        let mut state = self.state.lock();
        let stopping = state.stopping;
        // A task that ends does not look at what there is.
        let ops = if stopping { Vec::new() } else { state.waiting.drain(..).collect() };
        if self.fault == Fault::LooksFirst {
            drop(state);
            state = self.state.lock();
        }
        state.waker = Some(waker.clone());
        Found { ops, restart: None, stopping }
    }
}
