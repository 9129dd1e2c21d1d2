use flate2::{Compress, Compression, FlushCompress};

use super::TAIL;

/// Output memory that is kept between messages.
const KEPT_BYTES: usize = 64 << 10;

/// Compresses messages, each for itself. Some 300 KB: one for many connections.
pub struct Deflater {
    compress: Compress,
    /// All of it is initialised; a message's compressed form is at its start.
    buffer: Vec<u8>,
}

impl Deflater {
    /// A compressor that makes an effort of `level`: from 1, fast, to 9, small. Anything else is taken for the nearest.
    pub fn new(level: u32) -> Self {
        Self { compress: Compress::new(Compression::new(level.clamp(1, 9)), false), buffer: Vec::new() }
    }

    /// The payload of a frame with RSV1, lent until the next call; `None` when it would be no shorter than `message`.
    pub fn deflate(&mut self, message: &[u8]) -> Option<&[u8]> {
        self.compress.reset();
        // Whoever needs more room than this is no shorter.
        let room = message.len().saturating_add(TAIL.len());
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
                return None;
            }
            if rest.is_empty() {
                return self.buffer.get(..filled)?.strip_suffix(&TAIL);
            }
        }
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}
