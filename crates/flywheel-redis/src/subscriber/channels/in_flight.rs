use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::Timestamp;
use tokio::sync::oneshot;

use super::Restart;

/// Hears when everything was read that the server had to say before; dropped when the connection ends.
pub(in crate::subscriber) type Fence = oneshot::Sender<()>;

/// Commands that are under way at a time. More would only lie in buffers.
const COMMANDS_MAX: usize = 8;

/// What the server was asked for and has not answered, in order. It answers in the same order, once for each name.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    commands: VecDeque<Asked>,
    /// To hear of the next sign of life that is asked for.
    fences: Vec<Fence>,
}

/// A command.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) names: Vec<Bytes>,
    answered: usize,
    deadline: Timestamp,
    fences: Vec<Fence>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Subscribe,
    Unsubscribe,
    Ping,
}

impl InFlight {
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.commands.len() < COMMANDS_MAX
    }

    /// Whether a command of this kind is under way.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.commands.iter().any(|asked| asked.kind == kind)
    }

    /// A command is written; it must be answered until `deadline`.
    pub(super) fn push(&mut self, kind: Kind, names: Vec<Bytes>, deadline: Timestamp) {
        let fences = if kind == Kind::Ping { std::mem::take(&mut self.fences) } else { Vec::new() };
        self.commands.push_back(Asked { kind, names, answered: 0, deadline, fences });
    }

    /// `fence` hears of the answer to a sign of life that is yet to be asked for: the server answers in order.
    pub(super) fn fence(&mut self, fence: Fence) {
        self.fences.push(fence);
    }

    /// Whether somebody waits for a sign of life to be asked for.
    pub(super) fn is_fenced(&self) -> bool {
        !self.fences.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.commands.clear();
        self.fences.clear();
    }

    /// When the oldest command must be answered.
    pub(super) fn due(&self) -> Timestamp {
        self.commands.front().map_or(Timestamp::NEVER, |asked| asked.deadline)
    }

    /// Whether every answer that is due has come in time. One that is late may lie behind much else: if it is lost, the
    /// answer to what was asked for after it comes out of turn.
    ///
    /// The error has the time by which it is late.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), (Restart, Duration)> {
        match self.commands.front() {
            Some(asked) if asked.deadline <= now => {
                let name = asked.names.get(asked.answered).map(|name| String::from_utf8_lossy(name));
                let name = name.unwrap_or_default();
                let reason = format!("{:?} of {name} was not acknowledged in time", asked.kind);
                Err((Restart(reason), now.since(asked.deadline)))
            }
            _ => Ok(()),
        }
    }

    /// Whether the oldest command is one of `kind` whose next name is `name`; then that is answered.
    pub(super) fn answered(&mut self, kind: Kind, name: &Bytes) -> bool {
        let Some(asked) = self.commands.front_mut() else { return false };
        if asked.kind != kind || asked.names.get(asked.answered) != Some(name) {
            return false;
        }
        asked.answered += 1;
        if asked.answered == asked.names.len() {
            let fences = self.commands.pop_front().into_iter().flat_map(|answered| answered.fences);
            // Who does not wait any more does not care.
            fences.for_each(|fence| fence.send(()).unwrap_or_default());
        }
        true
    }

    /// The server refused the oldest command, which this takes; `error` is what it said.
    pub(super) fn refused(&mut self, error: &str) -> Result<Asked, Restart> {
        match self.commands.pop_front() {
            None => Err(Restart(error.to_owned())),
            Some(asked) if asked.answered > 0 => {
                Err(Restart(format!("a command was refused after it was acknowledged: {error}")))
            }
            Some(asked) => Ok(asked),
        }
    }
}
