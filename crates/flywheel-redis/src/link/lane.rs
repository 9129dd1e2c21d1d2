use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::{Semaphore, oneshot, watch};

use super::{CallError, ClosedBecause, ServerError};
use crate::resp::{Command, Value};

pub(super) type Reply = Result<Value, CallError>;

/// What callers and the task of a connection share.
///
/// The lock guards the calls in order; nothing else is taken under it, and answers are handed out after it.
#[derive(Debug)]
pub(super) struct Lane {
    state: Mutex<State>,
    /// Room for calls, in bytes. A call costs at least so much that the bound on bytes bounds their number too.
    pub(super) places: Semaphore,
    places_max: u32,
    cost_min: u32,
    words: AtomicU32,
    closed: watch::Sender<Option<ClosedBecause>>,
}

#[derive(Debug)]
struct State {
    /// Not taken by the connection's task, so certainly not sent.
    waiting: VecDeque<Request>,
    /// Taken, in the order in which the server will answer.
    sent: VecDeque<Sent>,
    waker: Option<Waker>,
    closed: Option<ClosedBecause>,
    /// Bytes of commands that were taken, since the beginning.
    taken: u64,
}

#[derive(Debug)]
struct Request {
    command: Command,
    /// `ASKING` goes before it.
    asking: bool,
    slot: Slot,
}

#[derive(Debug)]
struct Sent {
    slot: Slot,
    /// How many bytes were taken before it.
    start: u64,
}

#[derive(Debug)]
enum Slot {
    Call {
        reply: oneshot::Sender<Reply>,
        check: Option<u32>,
        cost: u32,
    },
    /// The server is to repeat the nonce.
    Heartbeat(u64),
    /// The answer to `ASKING`, which nobody waits for.
    Unheard,
}

/// What the connection's task finds.
pub(super) enum Taken {
    /// Commands were taken, or there were none; and whether any answer is due.
    Some { owed: bool },
    /// It has to end.
    Closed,
}

impl Lane {
    pub(super) fn new(calls_max: usize, bytes_max: usize, first_word: u32) -> Self {
        let places_max = u32::try_from(bytes_max).unwrap_or(u32::MAX).clamp(1, 1 << 29);
        let calls = u32::try_from(calls_max).unwrap_or(u32::MAX).max(1);
        let state =
            State { waiting: VecDeque::new(), sent: VecDeque::new(), waker: None, closed: None, taken: 0 };
        Self {
            state: Mutex::new(state),
            places: Semaphore::new(usize::try_from(places_max).unwrap_or(usize::MAX)),
            places_max,
            cost_min: (places_max / calls).max(1),
            words: AtomicU32::new(first_word),
            closed: watch::Sender::new(None),
        }
    }

    /// How many places the command takes.
    pub(super) fn cost(&self, command: &Command) -> u32 {
        u32::try_from(command.len()).unwrap_or(u32::MAX).clamp(self.cost_min, self.places_max)
    }

    /// Puts a call at the end. The places were taken already; they are given back when the answer has come.
    pub(super) fn push(
        &self,
        mut command: Command,
        cost: u32,
        asking: bool,
    ) -> Result<oneshot::Receiver<Reply>, ClosedBecause> {
        let check = command.is_checked().then(|| self.words.fetch_add(1, Ordering::Relaxed));
        if let Some(word) = check {
            command = command.number(word.into());
        }
        let (reply, answer) = oneshot::channel();
        let waker = {
            let mut state = self.state.lock();
            if let Some(reason) = &state.closed {
                return Err(reason.clone());
            }
            state.waiting.push_back(Request { command, asking, slot: Slot::Call { reply, check, cost } });
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(answer)
    }

    /// Whether calls wait to be sent while others are under way, so that more of them may be about to come.
    pub(super) fn is_filling(&self) -> bool {
        let state = self.state.lock();
        state.closed.is_none() && !state.waiting.is_empty() && !state.sent.is_empty()
    }

    /// Asks for a sign of life. Only the connection's task does, so nobody needs to be woken.
    pub(super) fn push_heartbeat(&self, nonce: u64) {
        let command = Command::new("ECHO").arg(spelled(nonce));
        self.state.lock().waiting.push_back(Request { command, asking: false, slot: Slot::Heartbeat(nonce) });
    }

    /// Appends waiting commands to `out` while it holds less than `enough` bytes. When all are taken, `waker` is called for
    /// the next one.
    pub(super) fn take(&self, out: &mut Vec<u8>, enough: usize, waker: &Waker) -> Taken {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return Taken::Closed;
        }
        while out.len() < enough {
            let Some(Request { command, asking, slot }) = state.waiting.pop_front() else { break };
            // Whoever gave up before the command was taken spares the server the work.
            if let Slot::Call { reply, cost, .. } = &slot
                && reply.is_closed()
            {
                self.release(*cost);
                continue;
            }
            let (before, start) = (out.len(), state.taken);
            if asking {
                Command::new("ASKING").write(out);
                state.sent.push_back(Sent { slot: Slot::Unheard, start });
            }
            command.write(out);
            state.taken += (out.len() - before) as u64;
            state.sent.push_back(Sent { slot, start });
        }
        if state.waker.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        Taken::Some { owed: !state.sent.is_empty() }
    }

    /// Hands answers to those who wait for them. Answers whether further ones are due.
    ///
    /// `nonce` is the heartbeat that is under way; it is taken away when it was answered.
    pub(super) fn answer(
        &self,
        values: &mut Vec<Value>,
        nonce: &mut Option<u64>,
    ) -> Result<bool, ClosedBecause> {
        let mut answers: SmallVec<[(oneshot::Sender<Reply>, Reply); 32]> = SmallVec::new();
        let mut freed = 0;
        let result = {
            let mut state = self.state.lock();
            let result = values.drain(..).try_for_each(|value| {
                let Some(Sent { slot, .. }) = state.sent.pop_front() else {
                    return Err(ClosedBecause::MixedUp);
                };
                match slot {
                    Slot::Unheard => Ok(()),
                    Slot::Heartbeat(asked) => {
                        *nonce = None;
                        let is_echo = value.bytes().is_some_and(|echo| **echo == spelled(asked));
                        // Also a refusal, such as that of a server which is loading, is a sign of life.
                        if is_echo || matches!(value, Value::Error(_)) {
                            Ok(())
                        } else {
                            Err(ClosedBecause::MixedUp)
                        }
                    }
                    Slot::Call { reply, check, cost } => {
                        freed += usize::try_from(cost).unwrap_or_default();
                        let answer = examined(value, check, *nonce);
                        let is_in_order = answer.is_some();
                        let lost = || Err(CallError::Lost(ClosedBecause::MixedUp));
                        answers.push((reply, answer.unwrap_or_else(lost)));
                        if is_in_order { Ok(()) } else { Err(ClosedBecause::MixedUp) }
                    }
                }
            });
            result.map(|()| !state.sent.is_empty())
        };
        self.places.add_permits(freed);
        for (reply, answer) in answers {
            // Who gave up waiting does not want it any more.
            drop(reply.send(answer));
        }
        result
    }

    /// Ends the connection and fails every call, whatever its task is doing. Does nothing the second time.
    pub(super) fn close(&self, reason: ClosedBecause) {
        self.close_at(reason, u64::MAX);
    }

    /// The same for the connection's task, which knows how many bytes may have left.
    pub(super) fn close_at(&self, reason: ClosedBecause, left: u64) {
        let (waiting, sent, waker) = {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(reason.clone());
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.sent), state.waker.take())
        };
        // Whoever is told below finds that it has ended, and why.
        self.closed.send_replace(Some(reason.clone()));
        self.places.close();
        for Sent { slot, start } in sent {
            let error = if start < left { CallError::Lost } else { CallError::NotSent };
            slot.fail(error(reason.clone()));
        }
        let not_sent = CallError::NotSent(reason);
        for Request { slot, .. } in waiting {
            slot.fail(not_sent.clone());
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn closed(&self) -> watch::Receiver<Option<ClosedBecause>> {
        self.closed.subscribe()
    }

    pub(super) fn closed_because(&self) -> Option<ClosedBecause> {
        self.closed.borrow().clone()
    }

    pub(super) fn in_flight(&self) -> usize {
        let state = self.state.lock();
        state.waiting.len() + state.sent.len()
    }

    /// Room that calls take, in bytes.
    pub(super) fn held(&self) -> usize {
        let free = self.places.available_permits();
        usize::try_from(self.places_max).unwrap_or(usize::MAX).saturating_sub(free)
    }

    fn release(&self, cost: u32) {
        self.places.add_permits(usize::try_from(cost).unwrap_or_default());
    }
}

impl Slot {
    fn fail(self, error: CallError) {
        if let Self::Call { reply, .. } = self {
            drop(reply.send(Err(error)));
        }
    }
}

/// A nonce as it is sent.
fn spelled(nonce: u64) -> [u8; 19] {
    let mut text = *b"fw:0000000000000000";
    for (index, digit) in text[3..].iter_mut().enumerate() {
        let nibble = u8::try_from(nonce >> (60 - 4 * index) & 0xf).unwrap_or_default();
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    text
}

/// The answer for a caller; `None` when it belongs to somebody else.
fn examined(value: Value, check: Option<u32>, nonce: Option<u64>) -> Option<Reply> {
    match (value, check) {
        (Value::Error(text), _) => Some(Err(CallError::Server(ServerError::new(&text)))),
        (Value::Array(mut items), Some(word)) => {
            let is_ours = items.pop().and_then(|last| last.uint()) == Some(word.into());
            is_ours.then_some(Ok(Value::Array(items)))
        }
        (_, Some(_)) => None,
        (value, None) => {
            let strays = |nonce| value.bytes().is_some_and(|echo| **echo == spelled(nonce));
            if nonce.is_some_and(strays) { None } else { Some(Ok(value)) }
        }
    }
}
