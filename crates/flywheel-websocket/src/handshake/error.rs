/// Why the first bytes of a connection are no HTTP request we take. Answer if at all with the status, and hang up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not HTTP/1; the reason names the part. Status 400.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The head is not complete within [`Limits::head_bytes`](crate::Limits::head_bytes). Status 431.
    #[error("request head exceeds {limit} bytes")]
    TooLarge {
        /// The limit that was exceeded.
        limit: usize,
    },
    /// More than [`HEADERS_MAX`](crate::HEADERS_MAX) headers. Status 431.
    #[error("more than {} headers", crate::HEADERS_MAX)]
    TooManyHeaders,
}

impl HandshakeError {
    /// The HTTP status that answers it: 400 or 431.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TooLarge { .. } | Self::TooManyHeaders => 431,
        }
    }
}

/// Why a request does not become a WebSocket: status 400 with `Sec-WebSocket-Version: 13`, as
/// [`write_bad_request`](crate::write_bad_request) says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// The method is not GET.
    #[error("method is not GET")]
    Method,
    /// The request is HTTP/1.0.
    #[error("not HTTP/1.1")]
    HttpVersion,
    /// `Upgrade` does not name `websocket`.
    #[error("header 'Upgrade' does not name 'websocket'")]
    Upgrade,
    /// `Connection` does not name `upgrade`.
    #[error("header 'Connection' does not name 'upgrade'")]
    Connection,
    /// `Sec-WebSocket-Key` is missing, repeated or not 16 bytes of base64.
    #[error("header 'Sec-WebSocket-Key' is not 16 bytes of base64")]
    Key,
    /// `Sec-WebSocket-Version` does not name 13.
    #[error("header 'Sec-WebSocket-Version' is not 13")]
    Version,
    /// The request has a body, whose bytes would pass for frames.
    #[error("request has a body")]
    Body,
}
