//! Any bytes as a compressed message, as a message to compress, and as an offer: no panic, no more memory than the limit,
//! and what was compressed is read again.
//!
//! Two bytes choose level, window and limit; the rest is cut at a third byte, so that one message follows another.
#![no_main]

use flywheel_websocket::{Deflate, Deflater, Inflater};
use libfuzzer_sys::fuzz_target;

/// What an inflater begins with.
const FIRST_BYTES: usize = 4 << 10;

fuzz_target!(|data: &[u8]| {
    let [level, limit, cut, rest @ ..] = data else { return };
    let (first, second) = rest.split_at(usize::from(*cut).min(rest.len()));
    let max = usize::from(*limit) * 64;
    let (mut deflater, mut inflater) = (Deflater::new(u32::from(*level % 10)), Inflater::new());
    // Short input made long, for what happens at the ends of windows and buffers.
    let long: Vec<u8> = second.iter().copied().cycle().take(second.len() * usize::from(*limit)).collect();
    for message in [first, second, &long, first] {
        inflate(&mut Inflater::new(), message, max);
        inflate(&mut inflater, message, max);
        if let Some(payload) = deflater.deflate(message) {
            assert!(payload.len() < message.len());
            assert_eq!(inflater.inflate(payload, message.len()).unwrap(), message);
            assert!(inflater.inflate(payload, message.len() - 1).is_err());
            // There is no checksum, so what breaks off need not be noticed.
            inflate(&mut Inflater::new(), &payload[..payload.len() / 2], max);
        }
    }
    if let Ok(offers) = std::str::from_utf8(rest)
        && let Some(agreed) = Deflate::accept(offers.split(',').map(str::trim))
    {
        assert!(offers.contains("permessage-deflate"));
        assert_eq!(Deflate::accept([agreed.response()].into_iter()), Some(agreed));
    }
});

fn inflate(inflater: &mut Inflater, payload: &[u8], max: usize) {
    if let Ok(message) = inflater.inflate(payload, max) {
        assert!(message.len() <= max);
    }
    assert!(inflater.held_bytes() <= (64 << 10).max(FIRST_BYTES).max(max + 1));
}
