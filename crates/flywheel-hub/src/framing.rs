use flywheel_protocol::client::{Encoding, ServerMessage};
use flywheel_websocket::{Opcode, OpenFrame};

/// How a message looks on a connection's socket. Clients of one form share their frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireForm {
    /// How the message is encoded.
    pub encoding: Encoding,
}

impl WireForm {
    /// Number of forms.
    pub const COUNT: usize = 2;

    /// Below [`COUNT`](Self::COUNT).
    pub const fn index(self) -> usize {
        self.encoding.index()
    }

    /// Appends the message as a WebSocket frame; answers the length of its payload.
    pub fn write(self, message: &ServerMessage, out: &mut Vec<u8>) -> usize {
        let frame = OpenFrame::begin(out, 100);
        message.write(self.encoding, out);
        let length = frame.payload_len(out);
        frame.finish(out, self.opcode(), false);
        length
    }

    pub(crate) const fn opcode(self) -> Opcode {
        match self.encoding {
            Encoding::Json => Opcode::Text,
            Encoding::Protobuf => Opcode::Binary,
        }
    }
}
