use crate::CloseCode;

/// How the peer broke RFC 6455 or a limit. The connection is lost: send [`close_code`](Self::close_code) and hang up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProtocolError {
    /// RSV1 without a negotiated extension or on another frame than a message's first, RSV2 or RSV3.
    #[error("reserved bit set")]
    ReservedBits,
    /// One of the ten opcodes without a meaning.
    #[error("unknown opcode {0:#x}")]
    UnknownOpcode(u8),
    /// A client sent a frame without a mask.
    #[error("frame of a client is not masked")]
    Unmasked,
    /// A server sent a masked frame.
    #[error("frame of a server is masked")]
    Masked,
    /// A close, ping or pong without the final bit.
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A close, ping or pong that claims more than 125 bytes.
    #[error("control frame exceeds 125 bytes")]
    ControlTooBig,
    /// A payload length in more bytes than it needs.
    #[error("payload length is not minimally encoded")]
    LengthNotMinimal,
    /// A 64-bit payload length with its top bit set.
    #[error("payload length exceeds 63 bits")]
    LengthTooBig,
    /// A continuation frame while no message is under way.
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// A text or binary frame while a fragmented message is under way.
    #[error("new message inside a fragmented one")]
    ExpectedContinuation,
    /// A close frame of one byte, which is half a code.
    #[error("close frame of one byte")]
    CloseTooShort,
    /// A close code that must not be on the wire.
    #[error("invalid close code {0}")]
    BadCloseCode(u16),
    /// Text, or the reason of a close frame, is not UTF-8.
    #[error("invalid utf-8")]
    InvalidUtf8,
    /// The payload of a message with RSV1 cannot be decompressed.
    #[error("invalid compressed data")]
    BadCompression,
    /// The message has more bytes than [`Rules::max_message`](crate::Rules::max_message), or than allowed once it is
    /// decompressed.
    #[error("message too big")]
    MessageTooBig,
    /// The message has more fragments than [`Rules::max_fragments`](crate::Rules::max_fragments).
    #[error("message has too many fragments")]
    TooManyFragments,
}

impl ProtocolError {
    /// The code of the close frame that answers this error: 1007 for text and compressed data, 1009 for limits, else 1002.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::BadCompression => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooBig | Self::TooManyFragments => CloseCode::TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
