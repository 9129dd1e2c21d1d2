//! Messages between nodes, in Protobuf.
//!
//! Source: Centrifugo's control messages, so that nodes of both kinds understand each other. Field numbers from 100 on are
//! Flywheel's own: Centrifugo skips them, as we skip what we do not know.

mod message;
mod survey;

pub use message::*;
pub use survey::{ChannelCount, ChannelCounts, ChannelsQuery};

use prost::Message;

/// What is wrong with a control message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It is no Protobuf message, or a field has another type.
    #[error("no control message: {0}")]
    Malformed(String),
    /// It says nothing, or what it says has no sender.
    #[error("a control message without sender or content")]
    Empty,
    /// It names no client, and holds more than we know: it chooses clients by something else, such as a filter of labels.
    #[error("a control message that chooses clients by something that is not known")]
    Choice,
    /// It is longer than [`BYTES_MAX`].
    #[error("a control message of {0} bytes")]
    TooLong(usize),
}

/// Longest control message that is read: the answer to a survey of all channels of a large node.
pub const BYTES_MAX: usize = 32 << 20;

impl Command {
    /// A message of the node with this UID.
    pub fn of(uid: &str, body: Body) -> Self {
        Self { uid: uid.to_owned(), body: Some(body) }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`Undecodable`]. A message of a kind that is not known is [`Undecodable::Empty`]. Fields that are not known are passed
    /// over, but for a message that would then concern all anonymous clients.
    pub fn read(bytes: &[u8]) -> Result<(String, Body), Undecodable> {
        if bytes.len() > BYTES_MAX {
            return Err(Undecodable::TooLong(bytes.len()));
        }
        let command = Self::decode(bytes).map_err(|error| Undecodable::Malformed(error.to_string()))?;
        if command.names_nobody() && command.encoded_len() < bytes.len() {
            return Err(Undecodable::Choice);
        }
        let Self { uid, body } = command;
        body.filter(|_| !uid.is_empty()).map(|body| (uid, body)).ok_or(Undecodable::Empty)
    }

    /// Whether it is about clients and has neither a user, nor a client, nor a session.
    fn names_nobody(&self) -> bool {
        let names = match &self.body {
            Some(Body::Subscribe(asked)) => [&asked.user, &asked.client, &asked.session],
            Some(Body::Unsubscribe(asked)) => [&asked.user, &asked.client, &asked.session],
            Some(Body::Disconnect(asked)) => [&asked.user, &asked.client, &asked.session],
            Some(Body::Refresh(asked)) => [&asked.user, &asked.client, &asked.session],
            _ => return false,
        };
        names.into_iter().all(String::is_empty)
    }
}

#[cfg(test)]
mod tests;
