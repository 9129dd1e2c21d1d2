use std::sync::Arc;

use flywheel_hub::ClientKey;
use flywheel_model::Timestamp;
use flywheel_websocket::{Closing, Decoder, Head};
use mio::net::TcpStream;

use crate::ConnectionLimits;

/// One connection of a reactor.
#[derive(Debug)]
pub(crate) struct Socket {
    pub stream: TcpStream,
    pub key: ClientKey,
    pub stage: Stage,
    pub limits: Arc<ConnectionLimits>,
    /// Whether the application wants no more messages for now.
    pub paused: bool,
    /// Whether epoll tells when it can be written to.
    pub watches_writing: bool,
    /// Since when it takes no bytes although there are some.
    pub blocked_since: Option<Timestamp>,
    /// Whether the application has been told that it is over.
    pub ended: bool,
    /// What happens once everything is written.
    pub afterwards: Afterwards,
}

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The first request is awaited; what has come of it.
    Handshake(Option<Box<Handshake>>),
    /// Frames flow.
    Open(Open),
    /// A response is written that ends when the client goes or is sent away.
    Stream {
        /// Whether the connection may carry another request afterwards.
        reusable: bool,
    },
    /// Everything is said; the peer's end of the connection is awaited, and what it sends is thrown away.
    Lingering,
}

/// An incomplete first request.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub head: Head,
    pub bytes: Vec<u8>,
}

/// A WebSocket.
#[derive(Debug)]
pub(crate) struct Open {
    pub decoder: Decoder,
    pub closing: Closing,
}

/// What happens to a connection once everything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It goes on.
    Stay,
    /// Both sides have said goodbye: it is closed.
    Close,
    /// The peer may still be sending: see [`Io::linger`](crate::Io).
    Linger,
    /// A response has ended: the next request is awaited.
    Reuse,
}

impl Socket {
    pub(crate) fn open(&mut self) -> Option<&mut Open> {
        match &mut self.stage {
            Stage::Open(open) => Some(open),
            Stage::Handshake(_) | Stage::Stream { .. } | Stage::Lingering => None,
        }
    }

    /// Whether the application has it.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_) | Stage::Stream { .. })
    }
}
