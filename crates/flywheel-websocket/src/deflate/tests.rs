use proptest::prelude::*;

use super::{Deflater, Inflater};
use crate::{CloseCode, ProtocolError};

fn inflate(payload: &[u8], max: usize) -> Result<Vec<u8>, ProtocolError> {
    Inflater::new().inflate(payload, max).map(<[u8]>::to_vec)
}

/// The compressed form of a message, whether it is shorter or not.
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(2 * message.len() + 64);
    compress.compress_vec(message, &mut out, flate2::FlushCompress::Sync).unwrap();
    assert_eq!(compress.total_in(), message.len() as u64);
    out.truncate(out.len() - 4);
    out
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| random()).collect()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // Source: RFC 7692, section 7.2.3: one block, a stored one, a final one, two blocks, and an empty message.
    let hello: [&[u8]; 4] = [
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ];
    for payload in hello {
        assert_eq!(inflate(payload, 5).unwrap(), b"Hello", "{payload:x?}");
    }
    assert_eq!(inflate(b"\x00", 0).unwrap(), b"");
    assert_eq!(inflate(b"\x02\x00", 0).unwrap(), b"");
}

#[test]
fn peers_that_leave_out_what_could_be_guessed_are_understood() {
    assert_eq!(inflate(b"", 10).unwrap(), b"");
    assert_eq!(
        inflate(b"\xf3\x48\xcd\xc9\xc9\x07\x00", 10).unwrap(),
        b"Hello",
        "nothing behind a final block"
    );
    let twice = [&b"\xf3\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x48\xcd\xc9\xc9\x07\x00"].concat();
    assert_eq!(inflate(&twice, 10).unwrap(), b"HelloHello", "a final block is not the last");
}

#[test]
fn a_message_that_would_not_be_shorter_is_left_alone() {
    let mut deflater = Deflater::new(1);
    assert_eq!(deflater.deflate(b""), None);
    assert_eq!(deflater.deflate(b"{}"), None);
    let noise = noise(4096);
    assert_eq!(deflater.deflate(&noise), None);
    let text = br#"{"push":{"channel":"aaaaaaaaaaaa","pub":{"data":"aaaaaaaaaaaa"}}}"#;
    assert!(deflater.deflate(text).is_some_and(|payload| payload.len() < text.len()), "after a refusal");
}

#[test]
fn a_long_message_that_would_not_be_shorter_harms_no_later_one() {
    for level in 1..=9 {
        let mut deflater = Deflater::new(level);
        for len in [131_072, 65_536, 1_000, 300_000, 131_072] {
            assert_eq!(deflater.deflate(&noise(len)), None, "{len} bytes at level {level}");
            let letters: Vec<u8> = noise(len).iter().map(|byte| b'a' + byte % 16).collect();
            let payload = deflater.deflate(&letters).unwrap();
            assert_eq!(inflate(payload, len).unwrap(), letters, "{len} bytes at level {level}");
        }
    }
}

#[test]
fn a_message_leaves_no_trace_in_the_next() {
    let mut deflater = Deflater::new(6);
    let message = b"the same words, the same words, the same words";
    let first = deflater.deflate(message).unwrap().to_vec();
    assert_eq!(deflater.deflate(message).unwrap(), first);
    let mut inflater = Inflater::new();
    assert_eq!(inflater.inflate(&[0xFF; 20], 100), Err(ProtocolError::BadCompression));
    assert_eq!(inflater.inflate(&first, 100).unwrap(), message);
}

#[test]
fn a_bomb_costs_no_more_memory_than_the_limit() {
    let bomb = deflated(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    for max in [0, 1, 4095, 4096, 65_536, 1_000_000] {
        let mut inflater = Inflater::new();
        let error = inflater.inflate(&bomb, max).unwrap_err();
        assert_eq!(error.close_code(), CloseCode::TOO_BIG);
        assert!(inflater.held_bytes() <= max + 1, "{} bytes for {max}", inflater.held_bytes());
    }
}

#[test]
fn the_limit_is_the_last_length_that_is_allowed() {
    for len in [0, 1, 100, 4095, 4096, 4097, 200_000] {
        let message = vec![b'a'; len];
        let payload = deflated(&message);
        assert_eq!(inflate(&payload, len).unwrap(), message, "{len}");
        if len > 0 {
            assert_eq!(inflate(&payload, len - 1), Err(ProtocolError::MessageTooBig), "{len}");
        }
    }
}

#[test]
fn memory_of_a_large_message_is_given_back() {
    let mut inflater = Inflater::new();
    inflater.inflate(&deflated(&vec![0; 4 << 20]), 4 << 20).unwrap();
    inflater.inflate(&deflated(b"a"), 4 << 20).unwrap();
    assert!(inflater.held_bytes() <= 64 << 10);
}

#[test]
fn a_message_that_breaks_off_is_refused() {
    let message: Vec<u8> = (0..500_u32).flat_map(|n| n.pow(2).to_string().into_bytes()).collect();
    let payload = deflated(&message);
    for end in 1..payload.len() - 1 {
        let error = inflate(&payload[..end], 10_000).unwrap_err();
        assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD, "{end} bytes");
    }
}

#[test]
fn what_is_no_compressed_message_is_refused() {
    for payload in [&b"\xff"[..], b"\x07", b"Hello", b"\x00\x05\x00\xfa\xfe", b"\x03\xff\xff", &[0xAA; 1000]]
    {
        let error = inflate(payload, 10_000).unwrap_err();
        assert_eq!(error, ProtocolError::BadCompression, "{payload:x?}");
    }
    // A block that points back before the start of its message, as with a context that nobody keeps.
    assert_eq!(inflate(b"\xf2\x00\x11\x00\x00", 100), Err(ProtocolError::BadCompression));
}

proptest! {
    #[test]
    fn what_is_compressed_is_read_again_and_shorter(
        words in prop::collection::vec((0_usize..6, 0_u8..4), 0..4000),
        level in 0_u32..12,
    ) {
        let message: Vec<u8> = words
            .iter()
            .flat_map(|(length, letter)| std::iter::repeat_n(b'a' + letter, *length))
            .collect();
        let mut deflater = Deflater::new(level);
        if let Some(payload) = deflater.deflate(&message) {
            prop_assert!(payload.len() < message.len());
            prop_assert_eq!(inflate(payload, message.len()).unwrap(), message);
        }
    }

    #[test]
    fn no_bytes_make_more_than_the_limit(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        max in 0_usize..2000,
    ) {
        let mut inflater = Inflater::new();
        if let Ok(message) = inflater.inflate(&payload, max) {
            prop_assert!(message.len() <= max);
        }
        prop_assert!(inflater.held_bytes() <= max + 1);
    }
}
