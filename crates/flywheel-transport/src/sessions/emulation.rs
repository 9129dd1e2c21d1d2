//! Frames that come in requests of their own.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use flywheel_model::SessionId;
use flywheel_node::Answering;
use flywheel_protocol::client::EmulatedFrame;

use super::Sessions;
use crate::Io;

/// A frame that came in a request of its own, and who waits until it is dealt with.
pub(super) type Frame = (Bytes, Answering<bool>);

/// Frames of one connection that may wait until it takes commands again. Clients send one after the other.
const WAITING_MAX: usize = 16;

/// The connections of a shard whose commands come in requests of their own, and the frames that wait for them.
#[derive(Debug, Default)]
pub(super) struct Emulation {
    slots: HashMap<SessionId, u32>,
    waiting: HashMap<u32, VecDeque<Frame>>,
}

impl Emulation {
    pub(super) fn opened(&mut self, session: SessionId, slot: u32) {
        self.slots.insert(session, slot);
    }

    pub(super) fn gone(&mut self, session: SessionId, slot: u32) {
        self.slots.remove(&session);
        for (_, answer) in self.waiting.remove(&slot).into_iter().flatten() {
            // That its connection is gone is no fault of the request.
            answer.send(true).unwrap_or_default();
        }
    }

    pub(super) fn slot(&self, session: SessionId) -> Option<u32> {
        self.slots.get(&session).copied()
    }

    /// Whether frames of this connection wait, so that another one must not overtake them.
    pub(super) fn is_waiting(&self, slot: u32) -> bool {
        self.waiting.contains_key(&slot)
    }

    /// Lets a frame wait; too many are refused.
    pub(super) fn wait(&mut self, slot: u32, (frame, answer): Frame) {
        let queue = self.waiting.entry(slot).or_default();
        if queue.len() < WAITING_MAX {
            queue.push_back((frame, answer));
        } else {
            answer.send(false).unwrap_or_default();
        }
    }

    /// The frame that has waited longest for a connection that takes commands again.
    pub(super) fn next(&mut self, slot: u32) -> Option<Frame> {
        let queue = self.waiting.get_mut(&slot)?;
        let frame = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&slot);
        }
        frame
    }
}

impl Sessions {
    /// A frame that came in a request of its own.
    pub(super) fn emulated(
        &mut self,
        io: &mut Io,
        session: SessionId,
        frame: EmulatedFrame,
        answer: Answering<bool>,
    ) {
        let Some(slot) = self.emulation.slot(session) else {
            return answer.send(true).unwrap_or_default();
        };
        let encoding = self.hub.get(slot).map(|client| client.session.encoding());
        let Some(frame) = encoding.and_then(|encoding| frame.read(encoding)) else {
            return answer.send(false).unwrap_or_default();
        };
        if self.must_wait(io, slot) {
            self.emulation.wait(slot, (frame, answer));
        } else {
            self.heard(io, slot, &frame);
            answer.send(true).unwrap_or_default();
        }
    }

    /// Whether a frame that came in a request of its own has to wait.
    fn must_wait(&mut self, io: &Io, slot: u32) -> bool {
        let deaf = self.hub.get(slot).is_some_and(|client| client.session.is_deaf());
        !deaf && (self.is_saturated(io, slot) || self.emulation.is_waiting(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::{self, error::TryRecvError};

    fn frame(text: &'static str) -> (Frame, oneshot::Receiver<bool>) {
        let (answer, answered) = oneshot::channel();
        ((Bytes::from(text), answer), answered)
    }

    #[test]
    fn frames_wait_in_order_and_only_so_many() {
        let mut emulation = Emulation::default();
        let answers: Vec<_> = (0..=WAITING_MAX)
            .map(|number| {
                let (frame, answered) = frame(if number == 0 { "first" } else { "later" });
                emulation.wait(7, frame);
                answered
            })
            .collect();
        for (number, mut answered) in answers.into_iter().enumerate() {
            let expected = if number < WAITING_MAX { Err(TryRecvError::Empty) } else { Ok(false) };
            assert_eq!(answered.try_recv(), expected, "{number}");
        }
        assert_eq!(emulation.next(7).unwrap().0, "first");
        (1..WAITING_MAX).for_each(|_| assert!(emulation.is_waiting(7) && emulation.next(7).is_some()));
        assert!(!emulation.is_waiting(7) && emulation.next(7).is_none());
    }

    #[test]
    fn nobody_waits_for_a_connection_that_is_gone() {
        let mut emulation = Emulation::default();
        let session = SessionId::from_random(1);
        emulation.opened(session, 7);
        assert_eq!(emulation.slot(session), Some(7));
        let (frame, mut answered) = frame("{}");
        emulation.wait(7, frame);
        emulation.gone(session, 7);
        assert_eq!((emulation.slot(session), answered.try_recv()), (None, Ok(true)));
    }
}
