use std::collections::VecDeque;
use std::task::Waker;

use tokio::sync::oneshot::{self, Receiver, Sender};

use super::connection::Calls;
use super::lane::{Reply, Taken};
use super::{CallError, ClosedBecause};
use crate::Mutex;
use crate::resp::{Command, Value};

/// What is wrong with a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing: then the models have no objection.
    None,
    /// Whoever calls looks under one lock whether it has ended, and puts the call there under another.
    CallsAfterTheEnd,
    /// The end fails only what was not taken.
    LeavesWhatWasSent,
    /// The end says of what was taken that it was not sent.
    DeniesWhatWasSent,
    /// The end is there for who looks.
    EndsInSilence,
}

/// A lane that is nearly right.
pub(super) struct Faulty {
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Command, Sender<Reply>)>,
    sent: VecDeque<Sender<Reply>>,
    waker: Option<Waker>,
    is_closed: bool,
}

impl Faulty {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, state: Mutex::default() }
    }
}

impl Calls for Faulty {
    fn push(&self, command: Command) -> Result<Receiver<Reply>, ClosedBecause> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(ClosedBecause::ByServer);
        }
        if self.fault == Fault::CallsAfterTheEnd {
            drop(state);
            state = self.state.lock();
        }
        state.waiting.push_back((command, reply));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(answer)
    }

    fn take(&self, out: &mut Vec<u8>, waker: &Waker) -> Taken {
        let mut state = self.state.lock();
        if state.is_closed {
            return Taken::Closed;
        }
        while let Some((command, reply)) = state.waiting.pop_front() {
            command.write(out);
            state.sent.push_back(reply);
        }
        state.waker = Some(waker.clone());
        Taken::Some { owed: !state.sent.is_empty() }
    }

    fn answer(&self, values: &mut Vec<Value>) -> bool {
        values.drain(..).all(|value| {
            let reply = self.state.lock().sent.pop_front();
            reply.map(|reply| drop(reply.send(Ok(value)))).is_some()
        })
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let (waiting, waker) = (std::mem::take(&mut state.waiting), state.waker.take());
        let sent = match self.fault {
            Fault::LeavesWhatWasSent => VecDeque::new(),
            _ => std::mem::take(&mut state.sent),
        };
        drop(state);
        let error = match self.fault {
            Fault::DeniesWhatWasSent => CallError::NotSent,
            _ => CallError::Lost,
        };
        sent.into_iter().for_each(|reply| drop(reply.send(Err(error(ClosedBecause::ByServer)))));
        for (_, reply) in waiting {
            drop(reply.send(Err(CallError::NotSent(ClosedBecause::ByServer))));
        }
        if self.fault != Fault::EndsInSilence {
            waker.into_iter().for_each(Waker::wake);
        }
    }
}
