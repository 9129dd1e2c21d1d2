//! Hears what the server says to commands.

use bytes::Bytes;

use super::entry::State;
use super::in_flight::Kind;
use super::{Channels, Restart};
use crate::link::ServerError;
use crate::subscriber::{SubscribeError, Topic};

impl Channels {
    /// The server repeated the nonce.
    pub(in crate::subscriber) fn pong(&mut self, nonce: &Bytes) -> Result<(), Restart> {
        if self.in_flight.answered(Kind::Ping, nonce) { Ok(()) } else { Err(mixed_up("PING", nonce)) }
    }

    /// The server acknowledged a channel. Answers what it is about if something may have been missed before.
    pub(in crate::subscriber) fn subscribed(&mut self, name: &Bytes) -> Result<Option<&Topic>, Restart> {
        if !self.in_flight.answered(Kind::Subscribe, name) {
            return Err(mixed_up("SUBSCRIBE", name));
        }
        let Some(entry) = self.entries.get_mut(name) else { return Ok(None) };
        if !entry.wanted {
            entry.state = State::Leaving;
            self.to_unsubscribe.push_back(name.clone());
            return Ok(None);
        }
        entry.state = State::Active;
        entry.answer(&Ok(()));
        let was_active = std::mem::replace(&mut entry.was_active, true);
        Ok(was_active.then_some(&entry.topic))
    }

    /// The server says that a channel is left: because it was asked to, or because the channel is not its any more. Then
    /// the answer is what the channel is about.
    pub(in crate::subscriber) fn unsubscribed(&mut self, name: &Bytes) -> Result<Option<Topic>, Restart> {
        if self.in_flight.answered(Kind::Unsubscribe, name) {
            if let Some(entry) = self.entries.get_mut(name)
                && entry.state == State::Leaving
            {
                if entry.wanted {
                    // Somebody came back after it was left: what was published in between is missed.
                    entry.state = State::Queued;
                    self.to_subscribe.push_back(name.clone());
                } else {
                    self.entries.remove(name);
                }
            }
            return Ok(None);
        }
        if self.in_flight.has(Kind::Unsubscribe) {
            return Err(mixed_up("UNSUBSCRIBE", name));
        }
        let Some(entry) = self.entries.get_mut(name) else { return Ok(None) };
        if entry.state == State::Active {
            entry.state = State::Queued;
            self.to_subscribe.push_back(name.clone());
            return Ok(Some(entry.topic.clone()));
        }
        Ok(None)
    }

    /// The server refused the oldest command.
    pub(in crate::subscriber) fn refused(&mut self, text: &Bytes) -> Result<(), Restart> {
        let error = ServerError::new(text);
        let refused = self.in_flight.refused(&error.text)?;
        match refused.kind {
            // It is a sign of life too.
            Kind::Ping => Ok(()),
            Kind::Unsubscribe => Err(Restart(error.text)),
            Kind::Subscribe if refused.names.len() > 1 => {
                // One of them is to blame: each is asked for by itself.
                self.singly += refused.names.len();
                for name in refused.names.into_iter().rev() {
                    if let Some(entry) = self.entries.get_mut(&name) {
                        entry.state = State::Queued;
                        self.to_subscribe.push_front(name);
                    }
                }
                Ok(())
            }
            Kind::Subscribe => {
                for name in refused.names {
                    let Some(entry) = self.entries.get_mut(&name) else { continue };
                    entry.state = State::Refused;
                    entry.answer(&Err(SubscribeError::Refused(error.clone())));
                    if !entry.wanted || !entry.was_active {
                        self.entries.remove(&name);
                    }
                }
                Ok(())
            }
        }
    }
}

fn mixed_up(what: &str, name: &[u8]) -> Restart {
    Restart(format!("an answer to {what} of {} was not expected", String::from_utf8_lossy(name)))
}
