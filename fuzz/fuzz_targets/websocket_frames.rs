//! Any bytes in any chunks: no panic, the same events as in one piece, and no more memory than the bytes account for.
//!
//! Three bytes choose the rules and three the chunks; the rest is what the peer sends.
#![no_main]

use flywheel_websocket::{Decoder, Event, Input, Role, Rules, Utf8};
use libfuzzer_sys::fuzz_target;

/// What the decoder keeps for an incomplete frame besides its payload, generously.
const FIXED_BYTES: usize = 256;

fuzz_target!(|data: &[u8]| {
    let [flags, limit, fragments, sizes @ ..] = data else { return };
    let Some((sizes, bytes)) = sizes.split_first_chunk::<3>() else { return };
    for utf8 in [Utf8::Check, Utf8::Ignore] {
        let rules = Rules {
            role: if flags & 1 == 0 { Role::Server } else { Role::Client },
            utf8,
            compression: flags & 2 != 0,
            max_message: usize::from(*limit) * 16,
            max_fragments: u32::from(*fragments),
        };
        let whole = decode(rules, [bytes]);
        let chunked = decode(rules, chunks(bytes, sizes));
        assert_eq!(whole, chunked);
        assert_eq!(whole, decode(rules, bytes.chunks(1)));
    }
});

/// The events in words; at most one of them, the last, is a close or an error.
fn decode<'c>(rules: Rules, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<String> {
    let mut decoder = Decoder::new(rules);
    let (mut seen, mut fed) = (Vec::new(), 0);
    for chunk in chunks {
        let mut scratch = chunk.to_vec();
        fed += chunk.len();
        let mut input = Input::new(&mut scratch);
        loop {
            let closed = decoder.is_closed();
            match decoder.poll_event(&mut input) {
                Ok(Some(event)) => {
                    assert!(!closed, "an event after the end");
                    if let Event::Message { payload, .. } = event {
                        assert!(payload.len() <= rules.max_message);
                    }
                    seen.push(format!("{event:?}"));
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!closed && error.close_code().is_sendable());
                    seen.push(error.to_string());
                }
            }
        }
        assert_eq!(input.remaining(), 0);
        let buffer = (2 * fed + 64).min(rules.max_message + 125);
        assert!(decoder.held_bytes() <= FIXED_BYTES + buffer);
    }
    seen
}

fn chunks<'b>(mut bytes: &'b [u8], sizes: &[u8; 3]) -> Vec<&'b [u8]> {
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at(usize::from(*size).clamp(1, bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}
