/// What a peer may send. Whoever exceeds a bound is not understood any more: the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one value, everything in it included.
    pub bytes: usize,
    /// Values in one value, at all depths.
    pub elements: usize,
    /// How deep values are nested. A value that holds no other has depth 1.
    pub depth: usize,
}

impl Default for Limits {
    /// As much as one string of Redis may hold, a million elements, and more depth than any command's answer has.
    fn default() -> Self {
        Self { bytes: 512 << 20, elements: 1 << 20, depth: 16 }
    }
}

/// Why bytes are no RESP, or no RESP we take. There is no way back into the stream after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No type begins with this byte.
    #[error("no type begins with byte {0:#04x}")]
    UnknownType(u8),
    /// A line that should be a number is none, or is longer than one may be.
    #[error("a number was expected")]
    NotANumber,
    /// A line ends with a carriage return or a line feed alone, or is endless.
    #[error("a line does not end as it should")]
    BadLine,
    /// A boolean, a null or a verbatim string that is not well-formed.
    #[error("a value of type {0:?} is not well-formed")]
    Malformed(char),
    /// A value whose length comes after it. No server sends one unasked.
    #[error("a streamed value, which is not supported")]
    Streamed,
    /// More than [`Limits::bytes`].
    #[error("a value is longer than {0} bytes")]
    TooLong(usize),
    /// More than [`Limits::elements`].
    #[error("a value has more than {0} elements")]
    TooManyElements(usize),
    /// More than [`Limits::depth`].
    #[error("values are nested deeper than {0}")]
    TooDeep(usize),
}
