use crate::CloseCode;

/// What the peer sent. Lent until the next call of [`Decoder::poll_event`](crate::Decoder::poll_event).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Message {
        /// Text or binary, by the opcode of its first frame.
        kind: MessageKind,
        /// All fragments, joined and unmasked.
        payload: &'a [u8],
        /// RSV1 was set: `payload` is still compressed, and unchecked if it is text.
        compressed: bool,
    },
    /// Asks for a pong with this payload, of at most 125 bytes.
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// The peer's last frame; the decoder ignores everything behind it.
    Close {
        /// Always [sendable](CloseCode::is_sendable); `None` when the frame was empty.
        code: Option<CloseCode>,
        /// At most 123 bytes; empty when none was given.
        reason: &'a str,
    },
}

/// Kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8, if the rules ask for it.
    Text,
    /// Any bytes.
    Binary,
}
