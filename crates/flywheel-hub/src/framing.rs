use flywheel_protocol::client::{Encoding, ServerMessage, Transport};
use flywheel_websocket::{Opcode, OpenFrame};

/// How a message looks on a connection's socket. Clients of one form share their frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireForm {
    /// How the message is encoded.
    pub encoding: Encoding,
    /// What carries it.
    pub transport: Transport,
    /// Whether the response it is part of is sent in chunks; otherwise its end is that of the connection.
    pub chunked: bool,
}

impl WireForm {
    /// Frames of a WebSocket.
    pub const fn websocket(encoding: Encoding) -> Self {
        Self { encoding, transport: Transport::WebSocket, chunked: false }
    }

    /// Appends the message as it goes out; answers its length without frame and chunk.
    ///
    /// Source: client protocol, sections 2.1, 2.2, 8.1 and 9.
    pub fn write(self, message: &ServerMessage, out: &mut Vec<u8>) -> usize {
        if self.transport.is_websocket() {
            let frame = OpenFrame::begin(out, 100);
            self.write_message(message, out);
            let length = frame.payload_len(out);
            frame.finish(out, self.opcode(), false);
            return length;
        }
        let chunk = OpenChunk::begin(out, self.chunked);
        let start = out.len();
        let (before, after) = match self.encoding {
            Encoding::Json if self.is_events() => ("data: ", "\n\n"),
            Encoding::Json => ("", "\n"),
            Encoding::Protobuf => ("", ""),
        };
        out.extend_from_slice(before.as_bytes());
        self.write_message(message, out);
        let length = out.len() - start - before.len();
        out.extend_from_slice(after.as_bytes());
        chunk.finish(out);
        length
    }

    /// Whether messages are server-sent events.
    pub const fn is_events(self) -> bool {
        matches!(self.transport, Transport::Sse | Transport::UniSse)
    }

    pub(crate) const fn opcode(self) -> Opcode {
        match self.encoding {
            Encoding::Json => Opcode::Text,
            Encoding::Protobuf => Opcode::Binary,
        }
    }

    /// Appends the message alone.
    pub(crate) fn write_message(self, message: &ServerMessage, out: &mut Vec<u8>) {
        if self.transport.is_unidirectional() {
            message.write_bare(out);
        } else {
            message.write(self.encoding, out);
        }
    }

    /// Appends a piece of the response's body that is no message; nothing on a WebSocket.
    pub fn write_raw(self, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.transport.is_websocket() {
            let chunk = OpenChunk::begin(out, self.chunked);
            out.extend_from_slice(bytes);
            chunk.finish(out);
        }
    }

    /// Appends what ends the response, if anything does.
    pub fn write_end(self, out: &mut Vec<u8>) {
        if self.chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

/// A chunk whose length is not known yet. Source: RFC 9112, section 7.1.
struct OpenChunk {
    start: usize,
    chunked: bool,
}

/// Digits for which room is left: right for chunks of 256 to 4,095 bytes; others are moved a little.
const DIGITS: usize = 3;
const LINE_END: &[u8] = b"\r\n";

impl OpenChunk {
    fn begin(out: &mut Vec<u8>, chunked: bool) -> Self {
        let start = out.len();
        if chunked {
            out.extend_from_slice(&[b'0'; DIGITS]);
            out.extend_from_slice(LINE_END);
        }
        Self { start, chunked }
    }

    fn finish(self, out: &mut Vec<u8>) {
        if self.chunked {
            let length = out.len() - self.start - DIGITS - LINE_END.len();
            let size = format!("{length:x}");
            out.splice(self.start..self.start + DIGITS, size.bytes());
            out.extend_from_slice(LINE_END);
        }
    }
}

#[cfg(test)]
mod tests {
    use flywheel_protocol::client::{DisconnectPush, PushBody};

    use super::*;

    fn written(transport: Transport, encoding: Encoding, chunked: bool, message: &ServerMessage) -> String {
        let mut out = b"before".to_vec();
        let form = WireForm { encoding, transport, chunked };
        form.write(message, &mut out);
        String::from_utf8(out.split_off(6)).unwrap()
    }

    #[test]
    fn each_transport_has_its_own_record() {
        use Encoding::{Json, Protobuf};
        let ping = &ServerMessage::Ping;
        for (transport, encoding, record) in [
            (Transport::Sse, Json, "data: {}\n\n"),
            (Transport::UniSse, Json, "data: {}\n\n"),
            (Transport::HttpStream, Json, "{}\n"),
            (Transport::UniHttpStream, Json, "{}\n"),
            (Transport::HttpStream, Protobuf, "\0"),
        ] {
            assert_eq!(written(transport, encoding, false, ping), record, "{transport:?}");
            let chunk = format!("{:x}\r\n{record}\r\n", record.len());
            assert_eq!(written(transport, encoding, true, ping), chunk, "{transport:?}");
        }
    }

    #[test]
    fn a_chunk_tells_its_length_whatever_it_is() {
        for length in [1, 15, 16, 255, 256, 4_095, 4_096, 70_000] {
            let reason = "x".repeat(length);
            let push = PushBody::Disconnect(DisconnectPush { code: 1, reason });
            let message = ServerMessage::push("", push);
            let plain = written(Transport::HttpStream, Encoding::Json, false, &message);
            let chunked = written(Transport::HttpStream, Encoding::Json, true, &message);
            assert_eq!(chunked, format!("{:x}\r\n{plain}\r\n", plain.len()));
        }
    }

    #[test]
    fn the_end_of_a_response_is_a_chunk_or_the_end_of_the_connection() {
        let end = |chunked| {
            let mut out = Vec::new();
            WireForm { encoding: Encoding::Json, transport: Transport::Sse, chunked }.write_end(&mut out);
            out
        };
        assert_eq!((end(true), end(false)), (b"0\r\n\r\n".to_vec(), Vec::new()));
    }
}
