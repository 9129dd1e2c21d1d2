use crate::Opcode;
use crate::encode::{header, header_len};

/// An unmasked frame whose payload is being written straight into the outgoing buffer, before its length is known.
///
/// Append to `out` only between [`begin`](Self::begin) and [`finish`](Self::finish). To give the frame up, truncate
/// `out` to [`start`](Self::start).
#[derive(Debug)]
#[must_use = "the header is written by `finish`"]
pub struct OpenFrame {
    start: usize,
    reserved: usize,
}

impl OpenFrame {
    /// Leaves room in `out` for the header of a frame of about `expected` bytes of payload.
    ///
    /// When the guess is on the wrong side of 125 or 65,535, `finish` moves the payload by a few bytes.
    pub fn begin(out: &mut Vec<u8>, expected: usize) -> Self {
        let (start, reserved) = (out.len(), header_len(expected));
        out.extend_from_slice(&[0; 10][..reserved]);
        Self { start, reserved }
    }

    /// Where the frame starts in the buffer.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Bytes of payload written so far.
    pub fn payload_len(&self, out: &[u8]) -> usize {
        out.len().saturating_sub(self.start + self.reserved)
    }

    /// Writes the header in front of what was appended to `out` since `begin`.
    ///
    /// Without anything appended, the frame is empty. `rsv1` marks a compressed payload.
    pub fn finish(self, out: &mut Vec<u8>, opcode: Opcode, rsv1: bool) {
        let payload_len = self.payload_len(out);
        let (header, len) = header(opcode, payload_len, rsv1, 0);
        let header = header.get(..len).unwrap_or_default();
        let room_end = (self.start + self.reserved).min(out.len());
        let room = self.start.min(out.len())..room_end;
        if len == room.len() {
            if let Some(slot) = out.get_mut(room) {
                slot.copy_from_slice(header);
            }
        } else {
            out.splice(room, header.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_frame;

    #[test]
    fn whatever_the_guess_the_frame_is_the_same() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            for expected in [0, 125, 126, 65_535, 65_536, usize::MAX] {
                let payload = vec![9; len];
                let mut out = b"before".to_vec();
                let frame = OpenFrame::begin(&mut out, expected);
                out.extend_from_slice(&payload);
                assert_eq!(frame.payload_len(&out), len);
                frame.finish(&mut out, Opcode::Text, true);
                let mut whole = b"before".to_vec();
                write_frame(&mut whole, Opcode::Text, &payload, true);
                assert_eq!(out, whole, "{len} bytes, expected {expected}");
            }
        }
    }

    #[test]
    fn a_frame_can_be_given_up() {
        let mut out = b"before".to_vec();
        let frame = OpenFrame::begin(&mut out, 500);
        out.extend_from_slice(b"half");
        out.truncate(frame.start());
        assert_eq!(out, b"before");
    }
}
