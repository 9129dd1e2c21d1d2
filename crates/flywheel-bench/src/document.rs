//! Documents as applications publish them: order books, of which a part changes from one to the next.

use anyhow::{Result, ensure};
use flate2::{Compress, Compression, FlushCompress};

use crate::wire;

/// One level in this many changes from one document to the next.
const CHANGES: usize = 10;

/// The document with this number, as JSON of about `bytes` bytes. All numbers of one size are equally long.
pub(crate) fn data(bytes: usize, number: usize) -> String {
    let mut text =
        format!(r#"{{"market":"EUR-USD","sequence":{:08},"levels":["#, 10_000_000 + number % 10_000_000);
    for level in 0.. {
        let mixed = mixed(level, (number + level) / CHANGES);
        let row = format!(
            r#"{{"price":{}.{:02},"size":{:06}}}"#,
            10_000 + level * 7,
            mixed % 100,
            100_000 + mixed % 900_000
        );
        if level > 0 && text.len() + row.len() + 3 > bytes {
            break;
        }
        text.push_str(if level > 0 { "," } else { "" });
        text.push_str(&row);
    }
    text.push_str("]}");
    text
}

/// The push that brings it, without an offset.
pub(crate) fn push(channel: &str, bytes: usize, number: usize) -> String {
    format!(r#"{{"push":{{"channel":"{channel}","pub":{{"data":{}}}}}}}"#, data(bytes, number))
}

/// Digits that nobody can guess.
fn mixed(level: usize, version: usize) -> u64 {
    let mut state = (level as u64) << 32 | version as u64;
    for _ in 0..3 {
        state = (state ^ (state >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    state >> 20
}

/// Compresses messages like the server does: least effort, each for itself, with one compressor that is used again.
pub(crate) struct Deflater(Compress);

impl Deflater {
    /// Ready for the first message.
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::new(1), false))
    }

    /// The frame that brings `message` compressed.
    pub(crate) fn frame(&mut self, message: &str) -> Result<Vec<u8>> {
        self.0.reset();
        let mut payload = Vec::with_capacity(message.len() + message.len() / 4 + 64);
        self.0.compress_vec(message.as_bytes(), &mut payload, FlushCompress::Sync)?;
        ensure!(payload.ends_with(&[0, 0, 0xff, 0xff]), "not compressed in one go");
        payload.truncate(payload.len() - 4);
        Ok(wire::compressed_text(&payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_one_size_are_equally_long_and_mostly_the_same() {
        for bytes in [512, 4096] {
            let (first, second) = (data(bytes, 1), data(bytes, 2));
            assert_eq!(first.len(), second.len());
            assert!(first.len() <= bytes && first.len() + 60 > bytes, "{}", first.len());
            let different = first.bytes().zip(second.bytes()).filter(|(a, b)| a != b).count();
            assert!(different > 5 && different < bytes / 8, "{different}");
            serde_json::from_str::<serde_json::Value>(&first).unwrap();
        }
    }

    #[test]
    fn a_compressed_frame_is_shorter_and_always_the_same() {
        let push = push("bench", 4096, 7);
        let mut deflater = Deflater::new();
        let frame = deflater.frame(&push).unwrap();
        assert!(frame.len() < push.len() * 3 / 4 && frame[0] == 0xC1);
        assert_eq!(deflater.frame(&push).unwrap(), frame);
    }
}
