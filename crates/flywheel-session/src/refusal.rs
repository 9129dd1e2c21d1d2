//! What is wrong with a command that is refused, in words.

use flywheel_protocol::{Disconnect, ErrorCode};
use flywheel_stream::InvalidFilter;

use crate::Failure;

/// Characters of a channel's name that are written down: it may be anything.
const NAME_MAX: usize = 64;

/// A command that was refused, for whoever operates the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The beginning of the channel's name as the client wrote it, at most 64 characters; empty where the command is
    /// about none.
    pub channel: String,
    /// What is wrong.
    pub fault: Fault,
}

impl Refusal {
    pub(crate) fn new(channel: &str, fault: Fault) -> Self {
        Self { channel: channel.chars().take(NAME_MAX).collect(), fault }
    }
}

/// What can be wrong with a command that could be read. Holds nothing of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The command is about a channel, and names none.
    #[error("missing channel")]
    NoName,
    /// A `connect` asks for a channel of a namespace that there is not.
    #[error("unknown namespace")]
    UnknownNamespace,
    /// The name of the channel has more bytes than this.
    #[error("the channel's name is longer than {0} bytes")]
    LongName(usize),
    /// It has characters that are not allowed there.
    #[error("illegal channel name")]
    IllegalName,
    /// There is no subscription of this type.
    #[error("unknown type of subscription {0}")]
    Type(i32),
    /// There is no such way to make patches.
    #[error("unknown kind of delta")]
    Delta,
    /// The channel allows no tags filter.
    #[error("the channel allows no tags filter")]
    FilterNotAllowed,
    /// The tags filter cannot be one.
    #[error("malformed tags filter: {0}")]
    Filter(InvalidFilter),
    /// The payload is not in the format of the channel.
    #[error("data in another format than the channel's")]
    DataFormat,
    /// Nothing lies before the beginning of a stream.
    #[error("history in reverse since offset 0")]
    ReverseSinceStart,
    /// There is no token where one is needed.
    #[error("missing token")]
    NoToken,
    /// The token is good, but was made for another user, client or channel.
    #[error("the token is for another user, client or channel")]
    ForeignToken,
    /// A token for what the server itself keeps from expiring.
    #[error("the server renews this, not the client")]
    RenewedByServer,
    /// The first command is not `connect`.
    #[error("not connected yet")]
    NotConnected,
    /// A `connect` of a client that is connected.
    #[error("connected already")]
    ConnectedAlready,
    /// A pong that no ping asked for.
    #[error("a pong without a ping")]
    UnaskedPong,
    /// Nothing is asked, or something that this protocol does not know.
    #[error("unknown method")]
    UnknownMethod,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::ForeignToken => Self::InvalidToken,
            Fault::NoName
            | Fault::UnknownNamespace
            | Fault::RenewedByServer
            | Fault::Delta
            | Fault::NotConnected
            | Fault::ConnectedAlready
            | Fault::UnaskedPong
            | Fault::UnknownMethod => Disconnect::BAD_REQUEST.into(),
            _ => ErrorCode::BAD_REQUEST.into(),
        }
    }
}
