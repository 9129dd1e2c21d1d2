/// Whose frames are decoded, and within which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Which end of the connection we are.
    pub role: Role,
    /// Whether text is checked for UTF-8.
    pub utf8: Utf8,
    /// Whether permessage-deflate was negotiated: RSV1 is then allowed on the first frame of a message and reported as
    /// `compressed`. A compressed message is never checked for UTF-8; who [inflates](crate::Inflater) it must.
    pub compression: bool,
    /// Bytes of payload of one message over all its fragments, inclusive, as they are on the wire: a compressed
    /// message is measured compressed. Checked when a header arrives.
    pub max_message: usize,
    /// Frames of one fragmented message, inclusive. Empty fragments cost no memory, so this bounds only how long a
    /// message may stay unfinished. Zero forbids fragments.
    pub max_fragments: u32,
}

impl Default for Rules {
    /// A server without compression, 64 KiB per message, 65,536 fragments, text unchecked.
    ///
    /// Source: client protocol, sections 2.3 and 2.4.
    fn default() -> Self {
        Self {
            role: Role::Server,
            utf8: Utf8::Ignore,
            compression: false,
            max_message: 64 * 1024,
            max_fragments: 64 * 1024,
        }
    }
}

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The peer is a client: its frames must be masked.
    Server,
    /// The peer is a server: its frames must not be masked.
    Client,
}

/// What happens to text that is no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf8 {
    /// Refused with 1007 as soon as a byte arrives that no valid text can have there.
    Check,
    /// Not examined: the reader of the message decides. Reasons of close frames are checked nevertheless.
    Ignore,
}
