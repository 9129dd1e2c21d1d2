use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::{Response, read_response};

/// A TCP connection for input that no well-behaved client would send.
#[derive(Debug)]
pub struct RawSocket {
    reader: BufReader<TcpStream>,
}

/// One WebSocket frame as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The first byte: FIN, reserved bits and opcode.
    pub head: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Code and reason of a close frame; `None` for other frames. Code 1005 stands for an empty payload.
    pub fn close(&self) -> Option<(u16, String)> {
        if self.head & 0x0f != 8 {
            return None;
        }
        Some(match self.payload.split_first_chunk::<2>() {
            Some((code, reason)) => (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned()),
            None => (1005, String::new()),
        })
    }
}

/// A masked frame of a client: `head` is the whole first byte, `0x81` for a text message in one frame.
pub fn client_frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut frame = vec![head];
    push_length(&mut frame, payload.len(), 0x80);
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl RawSocket {
    /// Connects and sends nothing.
    ///
    /// # Errors
    /// The connection failed.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(512, stream) })
    }

    /// Connects and upgrades to a WebSocket of the default endpoint.
    pub fn upgraded(address: SocketAddr, target: &str) -> Self {
        let mut socket = Self::open(address).unwrap();
        let response = socket.handshake(target, &[]);
        assert_eq!(response.status, 101, "{}", response.text());
        socket
    }

    /// Sends a complete handshake with more headers, which replace those of the same name, and returns the response.
    pub fn handshake(&mut self, target: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = format!("GET {target} HTTP/1.1\r\n");
        let usual = [
            ("Host", "127.0.0.1"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let replaced = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let kept = usual.iter().filter(|(name, _)| !replaced(name));
        for (name, value) in kept.chain(headers.iter().filter(|(_, value)| !value.is_empty())) {
            request.push_str(&format_header(name, value));
        }
        request.push_str("\r\n");
        self.write(request.as_bytes()).unwrap();
        self.response()
    }

    /// The response to a GET request that was written.
    pub fn response(&mut self) -> Response {
        self.stream().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        read_response(&mut self.reader, "GET").unwrap()
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The server has gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// The next frame of the server.
    ///
    /// # Errors
    /// `UnexpectedEof` or `ConnectionReset` when the server has gone, `WouldBlock` when nothing came within the time.
    pub fn frame(&mut self, within: Duration) -> io::Result<Frame> {
        self.stream().set_read_timeout(Some(within.max(Duration::from_millis(1))))?;
        let mut head = [0; 2];
        self.reader.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.reader.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.reader.read_exact(&mut length)?;
                usize::try_from(u64::from_be_bytes(length)).map_err(io::Error::other)?
            }
            short => usize::from(short),
        };
        let mut payload = Vec::new();
        (&mut self.reader).take(length as u64).read_to_end(&mut payload)?;
        if payload.len() < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Frame { head: head[0], payload })
    }

    /// The code and reason with which the server closes, skipping other frames; `None` when it drops the connection.
    pub fn closed(&mut self, within: Duration) -> Option<(u16, String)> {
        loop {
            match self.frame(within) {
                Ok(frame) => {
                    if let Some(close) = frame.close() {
                        return Some(close);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("the server did not close within {within:?}");
                }
                Err(_) => return None,
            }
        }
    }

    /// Whether the server has ended the connection; what it sent before is thrown away. Does not wait.
    pub fn is_gone(&mut self) -> bool {
        self.stream().set_nonblocking(true).unwrap();
        let mut scrap = [0; 1024];
        let gone = loop {
            match self.reader.read(&mut scrap) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != ErrorKind::WouldBlock,
            }
        };
        self.stream().set_nonblocking(false).unwrap();
        gone
    }

    fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }
}

fn format_header(name: &str, value: &str) -> String {
    format!("{name}: {value}\r\n")
}

fn push_length(frame: &mut Vec<u8>, length: usize, mask_bit: u8) {
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        frame.push(mask_bit | short);
    } else if let Ok(medium) = u16::try_from(length) {
        frame.push(mask_bit | 0x7e);
        frame.extend_from_slice(&medium.to_be_bytes());
    } else {
        frame.push(mask_bit | 0x7f);
        frame.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_a_client_is_masked_and_carries_its_length() {
        assert_eq!(client_frame(0x81, b"a"), [0x81, 0x81, 0x11, 0x22, 0x33, 0x44, b'a' ^ 0x11]);
        assert_eq!(client_frame(0x82, &[0; 200])[..4], [0x82, 0xfe, 0, 200]);
        assert_eq!(client_frame(0x82, &vec![0; 70_000])[..10], [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    }

    #[test]
    fn a_close_frame_tells_code_and_reason() {
        let frame = |head, payload: &[u8]| Frame { head, payload: payload.to_vec() };
        assert_eq!(frame(0x88, b"\x0d\xadbad request").close(), Some((3501, "bad request".to_owned())));
        assert_eq!(frame(0x88, b"").close(), Some((1005, String::new())));
        assert_eq!(frame(0x81, b"hello").close(), None);
    }
}
