use flywheel_model::Timestamp;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::subscriber::{SubscribeError, Topic};

/// Hears when the server has acknowledged or refused a channel.
pub(in crate::subscriber) type Waiter = oneshot::Sender<Result<(), SubscribeError>>;

/// A channel that is known.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) topic: Topic,
    pub(super) wanted: bool,
    pub(super) state: State,
    /// Whether it was acknowledged on an earlier connection, so that something may have been missed since.
    pub(super) was_active: bool,
    /// Until when nobody has to come back.
    pub(super) lingers_until: Option<Timestamp>,
    pub(super) waiters: SmallVec<[Waiter; 1]>,
}

/// What was asked of the server about it, on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Sent,
    Active,
    Leaving,
    /// The server refused it on this connection.
    Refused,
}

impl Entry {
    /// Not asked for yet.
    pub(super) fn new(topic: Topic) -> Self {
        Self {
            topic,
            wanted: false,
            state: State::Refused,
            was_active: false,
            lingers_until: None,
            waiters: SmallVec::new(),
        }
    }

    /// Tells everybody who waits.
    pub(super) fn answer(&mut self, result: &Result<(), SubscribeError>) {
        self.waiters.drain(..).for_each(|waiter| drop(waiter.send(result.clone())));
    }

    /// Whether it goes before channels of clients, of which there may be very many: other nodes and probes do not wait.
    pub(super) fn is_urgent(&self) -> bool {
        matches!(self.topic, Topic::Control | Topic::Probe)
    }
}
