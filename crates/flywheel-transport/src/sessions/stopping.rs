//! Sends everybody away, and then ends the shard.

use std::time::Duration;

use flywheel_model::Timestamp;
use flywheel_node::Answering;
use flywheel_protocol::Disconnect;

use super::Sessions;
use crate::{Control, Io};

/// A shard that is about to end.
pub(super) struct Stopping {
    /// What clients are told.
    pub(super) disconnect: Disconnect,
    /// When it ends although clients are left.
    deadline: Timestamp,
    answer: Option<Answering<()>>,
}

impl Sessions {
    /// Whether the reactor goes on; to be asked after each turn.
    pub fn control(&mut self, io: &Io) -> Control {
        let Some(stopping) = &mut self.stopping else {
            return Control::Run;
        };
        if !io.is_empty() && io.now().at < stopping.deadline {
            return Control::StopAccepting;
        }
        self.counters.flush(self.parts.node.metrics());
        if let Some(answer) = stopping.answer.take() {
            answer.send(()).unwrap_or_default();
        }
        Control::Stop
    }

    /// Closes every connection; the shard ends when they are gone, or after `patience`. Then `answer` is sent.
    pub(super) fn shut_down(
        &mut self,
        io: &Io,
        disconnect: Disconnect,
        patience: Duration,
        answer: Answering<()>,
    ) {
        let deadline = io.now().at + patience;
        for slot in self.hub.slots() {
            self.with_session(io, slot, |session, turn| session.close(turn, disconnect.clone()));
        }
        self.stopping = Some(Stopping { disconnect, deadline, answer: Some(answer) });
    }
}
