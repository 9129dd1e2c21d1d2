use flywheel_protocol::client::ServerMessage;
use flywheel_websocket::{Deflate, Deflater, write_frame};

use crate::framing::WireForm;

/// How messages are compressed for the clients that negotiated it.
///
/// Source: configuration, `websocket.compression_min_size` and `compression_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Effort, 1 to 9.
    pub level: u32,
    /// Bytes below which a message is sent as it is.
    pub min_size: usize,
}

impl Default for Packing {
    /// The least effort, whatever the size.
    fn default() -> Self {
        Self { level: 1, min_size: 0 }
    }
}

/// So little never gets shorter: a ping, say, of which there are many.
const HOPELESS_BYTES: usize = 32;
/// Memory for messages that is kept.
const KEPT_BYTES: usize = 64 << 10;

/// Compresses messages: one for all clients of a shard, with memory from the first message on.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    packing: Packing,
    deflater: Option<Box<Deflater>>,
    message: Vec<u8>,
}

impl Packer {
    pub(crate) fn set(&mut self, packing: Packing) {
        if self.packing.level != packing.level {
            self.deflater = None;
        }
        self.packing = packing;
    }

    /// Appends a message as a frame for a client that takes compressed ones; answers its length before compression,
    /// and whether it was worth it.
    pub(crate) fn write(
        &mut self,
        deflate: Deflate,
        form: WireForm,
        message: &ServerMessage,
        out: &mut Vec<u8>,
    ) -> (usize, bool) {
        self.message.clear();
        self.message.shrink_to(KEPT_BYTES);
        form.write_message(message, &mut self.message);
        let length = self.message.len();
        let worth_trying = deflate.fits(length) && length >= self.packing.min_size.max(HOPELESS_BYTES);
        let packed = if worth_trying {
            let level = self.packing.level;
            self.deflater.get_or_insert_with(|| Box::new(Deflater::new(level))).deflate(&self.message)
        } else {
            None
        };
        write_frame(out, form.opcode(), packed.unwrap_or(&self.message), packed.is_some());
        (length, packed.is_some())
    }
}
