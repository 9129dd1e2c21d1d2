use crate::{Opcode, ProtocolError, Role, Rules};

/// Bytes of the longest frame header: two, a 64-bit length and a mask key.
pub const HEADER_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
const CONTROL_PAYLOAD_MAX: u8 = 125;

/// A frame's header that obeys the rules one can check without knowing the frames before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: Opcode,
    /// Bytes of payload, below 2^63.
    pub(crate) payload_len: u64,
    pub(crate) key: Option<[u8; 4]>,
    /// Bytes of the header itself.
    pub(crate) len: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` when it goes on behind them. A header that is wrong already
    /// in what is there is refused without waiting for the rest.
    pub(crate) fn parse(bytes: &[u8], rules: &Rules) -> Result<Option<Self>, ProtocolError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first).ok_or(ProtocolError::UnknownOpcode(first & 0x0F))?;
        let (fin, rsv1) = (first & FIN != 0, first & RSV1 != 0);
        let rsv1_allowed = rules.compression && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & RSV2_RSV3 != 0 || (rsv1 && !rsv1_allowed) {
            return Err(ProtocolError::ReservedBits);
        }
        let masked = second & MASKED != 0;
        match rules.role {
            Role::Server if !masked => return Err(ProtocolError::Unmasked),
            Role::Client if masked => return Err(ProtocolError::Masked),
            Role::Server | Role::Client => {}
        }
        let short_len = second & !MASKED;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
            if short_len > CONTROL_PAYLOAD_MAX {
                return Err(ProtocolError::ControlTooBig);
            }
        }
        let Some((payload_len, rest)) = payload_len(short_len, rest)? else {
            return Ok(None);
        };
        let (key, rest) = if masked {
            let Some((key, rest)) = rest.split_first_chunk::<4>() else {
                return Ok(None);
            };
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        Ok(Some(Self { fin, rsv1, opcode, payload_len, key, len: bytes.len() - rest.len() }))
    }
}

fn payload_len(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    match short {
        126 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<2>() else {
                return Ok(None);
            };
            let len = u16::from_be_bytes(*bytes);
            if len < 126 { Err(ProtocolError::LengthNotMinimal) } else { Ok(Some((u64::from(len), rest))) }
        }
        127 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<8>() else {
                return Ok(None);
            };
            match u64::from_be_bytes(*bytes) {
                0..0x1_0000 => Err(ProtocolError::LengthNotMinimal),
                len @ ..0x8000_0000_0000_0000 => Ok(Some((len, rest))),
                _ => Err(ProtocolError::LengthTooBig),
            }
        }
        _ => Ok(Some((u64::from(short), rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Rules = Rules {
        role: Role::Client,
        utf8: crate::Utf8::Ignore,
        compression: false,
        max_message: usize::MAX,
        max_fragments: u32::MAX,
    };

    fn parse(bytes: &[u8]) -> Result<Option<u64>, ProtocolError> {
        Ok(Header::parse(bytes, &CLIENT)?.map(|header| header.payload_len))
    }

    #[test]
    fn a_length_must_take_the_fewest_bytes() {
        assert_eq!(parse(&[0x82, 126, 0, 125]), Err(ProtocolError::LengthNotMinimal));
        assert_eq!(parse(&[0x82, 126, 0, 126]), Ok(Some(126)));
        assert_eq!(parse(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), Err(ProtocolError::LengthNotMinimal));
        assert_eq!(parse(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Ok(Some(65_536)));
    }

    #[test]
    fn a_length_has_63_bits() {
        assert_eq!(parse(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(ProtocolError::LengthTooBig));
        assert_eq!(parse(&[0x82, 127, 0x7F, 255, 255, 255, 255, 255, 255, 255]), Ok(Some(u64::MAX >> 1)));
    }

    #[test]
    fn every_prefix_of_a_header_asks_for_more() {
        let header = [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        for end in 0..header.len() {
            assert_eq!(parse(&header[..end]), Ok(None), "{end} bytes");
        }
        let server = Rules::default();
        for end in 0..6 {
            assert_eq!(Header::parse(&[0x82, 0x85, 1, 2, 3, 4][..end], &server), Ok(None), "{end} bytes");
        }
        let header = Header::parse(&[0x82, 0x85, 1, 2, 3, 4], &server).unwrap().unwrap();
        assert_eq!((header.len, header.key, header.payload_len), (6, Some([1, 2, 3, 4]), 5));
    }

    #[test]
    fn what_two_bytes_show_to_be_wrong_needs_no_third() {
        assert_eq!(parse(&[0x89, 126]), Err(ProtocolError::ControlTooBig));
        assert_eq!(parse(&[0x09, 0]), Err(ProtocolError::FragmentedControl));
        assert_eq!(parse(&[0x83, 126]), Err(ProtocolError::UnknownOpcode(3)));
        assert_eq!(parse(&[0xC1, 126]), Err(ProtocolError::ReservedBits));
        assert_eq!(parse(&[0x81, 0x80]), Err(ProtocolError::Masked));
        assert_eq!(Header::parse(&[0x81, 0], &Rules::default()), Err(ProtocolError::Unmasked));
    }

    #[test]
    fn with_compression_rsv1_is_for_the_first_frame_of_a_message_only() {
        let rules = Rules { compression: true, ..CLIENT };
        assert!(Header::parse(&[0xC1, 0], &rules).unwrap().unwrap().rsv1);
        for first in [0xC0, 0xC8, 0xC9, 0xCA, 0xA1, 0x91] {
            assert_eq!(Header::parse(&[first, 0], &rules), Err(ProtocolError::ReservedBits), "{first:#x}");
        }
    }
}
