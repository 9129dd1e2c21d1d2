use bytes::Bytes;

use crate::{Opcode, write_frame};

/// A frame encoded once and lent to many connections. Cheap to clone; unmasked, so for servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared(Bytes);

impl Prepared {
    /// A text frame. `payload` must be UTF-8 for peers that check it.
    pub fn text(payload: &[u8]) -> Self {
        Self::new(Opcode::Text, payload, false)
    }

    /// A binary frame.
    pub fn binary(payload: &[u8]) -> Self {
        Self::new(Opcode::Binary, payload, false)
    }

    /// Any unfragmented frame; `rsv1` marks a payload that permessage-deflate has compressed.
    pub fn new(opcode: Opcode, payload: &[u8], rsv1: bool) -> Self {
        let mut frame = Vec::with_capacity(payload.len() + crate::HEADER_BYTES_MAX);
        write_frame(&mut frame, opcode, payload, rsv1);
        Self(frame.into())
    }

    /// Takes bytes that are already whole frames, for example several joined for one write.
    pub fn from_frames(frames: Bytes) -> Self {
        Self(frames)
    }

    /// What goes to the socket.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Bytes on the wire, header included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to send, which is only so for empty [`from_frames`](Self::from_frames).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Prepared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_the_encoded_bytes() {
        let frame = Prepared::text(b"{}");
        assert_eq!(frame.as_ref(), b"\x81\x02{}");
        assert_eq!(frame.clone().bytes().as_ptr(), frame.bytes().as_ptr());
        assert_eq!(Prepared::binary(b"").as_ref(), b"\x82\x00");
        assert_eq!(Prepared::new(Opcode::Text, b"x", true).as_ref(), b"\xC1\x01x");
    }
}
