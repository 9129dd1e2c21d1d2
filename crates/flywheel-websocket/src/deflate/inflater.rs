use flate2::{Decompress, FlushDecompress, Status};

use super::TAIL;
use crate::ProtocolError;

/// Output memory that is kept between messages.
const KEPT_BYTES: usize = 64 << 10;
/// Output memory to begin with.
const FIRST_BYTES: usize = 4 << 10;
/// Ends the stream behind a message, so that one that breaks off in the middle is noticed.
const END: [u8; 5] = [1, 0, 0, 0xFF, 0xFF];

/// Undoes the compression of messages, each of which stands for itself. Some 50 KB and the output: one for many
/// connections.
pub struct Inflater {
    decompress: Decompress,
    /// All of it is initialised; the message is at its start.
    buffer: Vec<u8>,
    filled: usize,
}

impl Inflater {
    /// Ready for the first message.
    pub fn new() -> Self {
        Self { decompress: Decompress::new(false), buffer: Vec::new(), filled: 0 }
    }

    /// The message behind `payload`, the joined payload of frames whose first had RSV1. Lent until the next call.
    ///
    /// # Errors
    /// [`MessageTooBig`](ProtocolError::MessageTooBig) as soon as the message is known to be longer than `max`, before
    /// memory beyond `max` is taken; [`BadCompression`](ProtocolError::BadCompression) when `payload` is no compressed
    /// message, or one that breaks off inside a block. There is no checksum: damage that yields another message is not
    /// noticed.
    pub fn inflate(&mut self, payload: &[u8], max: usize) -> Result<&[u8], ProtocolError> {
        self.filled = 0;
        if self.buffer.len() > KEPT_BYTES {
            self.buffer.truncate(KEPT_BYTES);
            self.buffer.shrink_to_fit();
        }
        // An empty message is one byte, but some leave out that one too.
        if !payload.is_empty() {
            self.decompress.reset(false);
            // Peers may end with a final block. Without a byte behind it, nothing can be appended.
            if self.feed(payload, max)? != Status::StreamEnd {
                self.feed(&TAIL, max)?;
                if self.feed(&END, max)? != Status::StreamEnd {
                    return Err(ProtocolError::BadCompression);
                }
            }
        }
        Ok(self.buffer.get(..self.filled).unwrap_or_default())
    }

    /// Bytes of memory kept for output.
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes all of `bytes`. The answer is [`Status::StreamEnd`] when their last was the last of a final block.
    fn feed(&mut self, mut bytes: &[u8], max: usize) -> Result<Status, ProtocolError> {
        loop {
            if self.filled == self.buffer.len() {
                self.grow(max);
            }
            let (taken, made) = (self.decompress.total_in(), self.decompress.total_out());
            let out = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let status = self
                .decompress
                .decompress(bytes, out, FlushDecompress::None)
                .map_err(|_| ProtocolError::BadCompression)?;
            let taken = usize::try_from(self.decompress.total_in() - taken).unwrap_or(bytes.len());
            let made = usize::try_from(self.decompress.total_out() - made).unwrap_or_default();
            bytes = bytes.get(taken..).unwrap_or_default();
            self.filled += made;
            if self.filled > max {
                return Err(ProtocolError::MessageTooBig);
            }
            let full = self.filled == self.buffer.len();
            match status {
                Status::StreamEnd if bytes.is_empty() => return Ok(Status::StreamEnd),
                // A final block need not be the last one of a message.
                Status::StreamEnd => self.decompress.reset(false),
                Status::Ok | Status::BufError if bytes.is_empty() && !full => return Ok(Status::Ok),
                Status::Ok | Status::BufError if taken == 0 && made == 0 && !full => {
                    return Err(ProtocolError::BadCompression);
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// One byte more than `max` is enough to see that a message is longer.
    fn grow(&mut self, max: usize) {
        let doubled = self.buffer.len().saturating_mul(2).max(FIRST_BYTES);
        let target = doubled.min(max.saturating_add(1)).max(self.buffer.len() + 1);
        self.buffer.reserve_exact(target - self.buffer.len());
        self.buffer.resize(target, 0);
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}
