use crate::{CloseCode, Opcode, apply_mask};

/// Bytes of text behind the code of a close frame at most.
const REASON_BYTES_MAX: usize = 123;
/// Bytes of the payload of a control frame at most.
const CONTROL_PAYLOAD_MAX: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const MASKED: u8 = 0x80;
/// In place of a length: it follows in 16 bits.
const LEN_16: u8 = 0x7E;
/// In place of a length: it follows in 64 bits.
const LEN_64: u8 = 0x7F;

/// Appends one unfragmented, unmasked frame. `rsv1` marks a payload that permessage-deflate has compressed.
///
/// Meant for text and binary; see [`write_close`], [`write_ping`] and [`write_pong`] for the rest.
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], rsv1: bool) {
    write_header(out, opcode, payload.len(), rsv1);
    out.extend_from_slice(payload);
}

/// Appends the header of an unfragmented, unmasked frame whose `len` bytes of payload the caller appends or sends next.
pub fn write_header(out: &mut Vec<u8>, opcode: Opcode, len: usize, rsv1: bool) {
    let (header, header_len) = header(opcode, len, rsv1, 0);
    out.extend_from_slice(header.get(..header_len).unwrap_or_default());
}

/// Appends a close frame. A longer `reason` is cut to 123 bytes, between two characters.
///
/// The frame is empty when `code` is `None` or is not [sendable](CloseCode::is_sendable).
pub fn write_close(out: &mut Vec<u8>, code: Option<CloseCode>, reason: &str) {
    let (payload, len) = close_payload(code, reason);
    write_frame(out, Opcode::Close, payload.get(..len).unwrap_or_default(), false);
}

/// Appends a ping. A `payload` of more than 125 bytes is cut.
pub fn write_ping(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, Opcode::Ping, cut(payload), false);
}

/// Appends a pong. A `payload` of more than 125 bytes is cut; that of a decoded ping never is.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, Opcode::Pong, cut(payload), false);
}

/// Appends one unfragmented frame as a client sends it, masked with `key`.
pub fn write_masked_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], rsv1: bool, key: [u8; 4]) {
    let (header, header_len) = header(opcode, payload.len(), rsv1, MASKED);
    out.extend_from_slice(header.get(..header_len).unwrap_or_default());
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(out.get_mut(start..).unwrap_or_default(), key, 0);
}

/// Appends a close frame as a client sends it; else like [`write_close`].
pub fn write_masked_close(out: &mut Vec<u8>, code: Option<CloseCode>, reason: &str, key: [u8; 4]) {
    let (payload, len) = close_payload(code, reason);
    write_masked_frame(out, Opcode::Close, payload.get(..len).unwrap_or_default(), false, key);
}

/// Bytes of the header of an unmasked frame.
pub(crate) const fn header_len(payload_len: usize) -> usize {
    match payload_len {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    }
}

/// The header, and how many of the bytes it has.
#[expect(clippy::cast_possible_truncation, reason = "the arms bound the length")]
pub(crate) fn header(opcode: Opcode, len: usize, rsv1: bool, mask_bit: u8) -> ([u8; 10], usize) {
    let mut header = [0; 10];
    header[0] = FIN | opcode.bits() | if rsv1 { RSV1 } else { 0 };
    match header_len(len) {
        2 => header[1] = mask_bit | len as u8,
        4 => {
            header[1] = mask_bit | LEN_16;
            header[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            header[1] = mask_bit | LEN_64;
            header[2..].copy_from_slice(&(len as u64).to_be_bytes());
        }
    }
    (header, header_len(len))
}

fn close_payload(code: Option<CloseCode>, reason: &str) -> ([u8; CONTROL_PAYLOAD_MAX], usize) {
    let mut payload = [0; CONTROL_PAYLOAD_MAX];
    let Some(code) = code.filter(|code| code.is_sendable()) else {
        return (payload, 0);
    };
    let reason = &reason.as_bytes()[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let bytes = code.get().to_be_bytes().into_iter().chain(reason.iter().copied());
    for (slot, byte) in payload.iter_mut().zip(bytes) {
        *slot = byte;
    }
    (payload, 2 + reason.len())
}

fn cut(payload: &[u8]) -> &[u8] {
    payload.get(..CONTROL_PAYLOAD_MAX).unwrap_or(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(&mut out, Opcode::Binary, &vec![7; len], false);
        out
    }

    #[test]
    fn a_length_takes_the_fewest_bytes() {
        assert_eq!(frame(0), [0x82, 0]);
        assert_eq!(frame(125)[..3], [0x82, 125, 7]);
        assert_eq!(frame(126)[..5], [0x82, 126, 0, 126, 7]);
        assert_eq!(frame(65_535)[..5], [0x82, 126, 255, 255, 7]);
        assert_eq!(frame(65_536)[..11], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
    }

    #[test]
    fn rsv1_marks_a_compressed_payload() {
        let mut out = Vec::new();
        write_header(&mut out, Opcode::Text, 3, true);
        assert_eq!(out, [0xC1, 3]);
    }

    #[test]
    fn a_clients_frame_is_masked_with_its_key() {
        // The masked "Hello" of RFC 6455, section 5.7.
        let mut out = Vec::new();
        write_masked_frame(&mut out, Opcode::Text, b"Hello", false, [0x37, 0xFA, 0x21, 0x3D]);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        write_close(&mut out, Some(CloseCode::new(3001)), &"€".repeat(60));
        assert_eq!(out[..4], [0x88, 125, 0x0B, 0xB9]);
        assert_eq!(std::str::from_utf8(&out[4..]), Ok("€".repeat(41).as_str()));
        out.clear();
        write_close(&mut out, Some(CloseCode::NORMAL), &format!("a{}", "€".repeat(60)));
        assert_eq!(out[1], 2 + 1 + 120, "the 41st character does not fit");
    }

    #[test]
    fn a_code_that_must_not_be_sent_leaves_the_close_frame_empty() {
        for code in [None, Some(1005), Some(1006), Some(0), Some(5000)] {
            let mut out = Vec::new();
            write_close(&mut out, code.map(CloseCode::new), "why");
            assert_eq!(out, [0x88, 0], "{code:?}");
        }
    }

    #[test]
    fn pings_and_pongs_are_cut_to_what_a_control_frame_holds() {
        let mut out = Vec::new();
        write_ping(&mut out, &[1; 200]);
        assert_eq!((out[0], out[1], out.len()), (0x89, 125, 127));
        out.clear();
        write_pong(&mut out, &[1; 125]);
        assert_eq!((out[0], out[1], out.len()), (0x8A, 125, 127));
    }
}
