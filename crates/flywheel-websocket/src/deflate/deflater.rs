use flate2::{Compress, Compression, FlushCompress};

use super::TAIL;

/// Output memory that is kept between messages.
const KEPT_BYTES: usize = 64 << 10;

/// Compresses messages, each for itself. Some 300 KB: one for many connections.
pub struct Deflater {
    level: Compression,
    compress: Compress,
    /// All of it is initialised; a message's compressed form is at its start.
    buffer: Vec<u8>,
}

impl Deflater {
    /// A compressor that makes an effort of `level`: from 1, fast, to 9, small. Anything else is taken for the nearest.
    pub fn new(level: u32) -> Self {
        let level = Compression::new(level.clamp(1, 9));
        Self { level, compress: Compress::new(level, false), buffer: Vec::new() }
    }

    /// The payload of a frame with RSV1, lent until the next call; `None` when it would be no shorter than `message`.
    pub fn deflate(&mut self, message: &[u8]) -> Option<&[u8]> {
        self.compress.reset();
        let room = room(message.len());
        if self.buffer.len() < room || self.buffer.len() > room.max(KEPT_BYTES) {
            self.buffer.resize(room, 0);
            self.buffer.shrink_to(room.max(KEPT_BYTES));
        }
        let (mut rest, mut filled) = (message, 0);
        loop {
            let (taken, made) = (self.compress.total_in(), self.compress.total_out());
            let out = self.buffer.get_mut(filled..room)?;
            self.compress.compress(rest, out, FlushCompress::Sync).ok()?;
            filled += usize::try_from(self.compress.total_out() - made).ok()?;
            rest = rest.get(usize::try_from(self.compress.total_in() - taken).ok()?..)?;
            if filled == room {
                // Never seen. To reset a compressor that has output left would make zlib-rs 0.6.8 panic later.
                self.compress = Compress::new(self.level, false);
                return None;
            }
            if rest.is_empty() {
                let payload = self.buffer.get(..filled)?.strip_suffix(&TAIL)?;
                return Some(payload).filter(|payload| payload.len() < message.len());
            }
        }
    }
}

/// What nothing of `len` bytes can exceed: nine bits for each byte, and some for blocks.
fn room(len: usize) -> usize {
    len.saturating_add(len / 8).saturating_add(len / 64).saturating_add(64)
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}
