use std::sync::Arc;

use bytes::Bytes;

use crate::{ClientId, UserId};

/// The connection on whose behalf a backend is asked. Cheap to clone.
///
/// Source: server API, section 7, base fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The connection's id.
    pub client: ClientId,
    /// What carries its frames: `websocket`, `sse`, `http_stream`, ..
    pub transport: &'static str,
    /// How its messages are encoded: `json` or `protobuf`.
    pub protocol: &'static str,
    /// Whose connection it is; empty for anonymous, and before it is known.
    pub user: UserId,
    /// JSON that a token or a backend attached to the connection. Never shown to clients.
    pub meta: Option<Bytes>,
    /// What some backend may be told of the request that opened the connection; `None` is nothing.
    pub headers: Option<Arc<CallerHeaders>>,
}

/// Headers that are kept for the life of a connection because some backend is configured to see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerHeaders {
    /// Of the request that opened the connection: names in lower case, one entry per value, in their order.
    pub transport: Vec<(String, Bytes)>,
    /// Of the connect command, where the client is free to write anything: names in lower case.
    pub emulated: Vec<(String, Bytes)>,
}

impl CallerHeaders {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.transport.is_empty() && self.emulated.is_empty()
    }
}
