use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use crate::proto;

/// The path of the WebSocket endpoint unless a server is configured otherwise.
const PATH: &str = "/connection/websocket";

/// Encoding of the client protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Objects joined by line feeds, in text messages.
    Json,
    /// Messages with a length in front, in binary messages.
    Protobuf,
}

/// What a server did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// One message of the client protocol, taken out of its frame.
    Message(Vec<u8>),
    /// A close frame; code 1005 stands for one without a code.
    Closed {
        /// The close code.
        code: u16,
        /// The reason beside it.
        reason: String,
    },
    /// The connection ended without a close frame, or broke the WebSocket protocol.
    Dropped,
}

/// One WebSocket connection as a client sees it.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocket<TcpStream>,
    encoding: Encoding,
    /// Messages of a frame that were not asked for yet.
    waiting: VecDeque<Vec<u8>>,
    end: Option<Event>,
}

impl Connection {
    /// Opens the default endpoint, asking for the subprotocol of the encoding.
    ///
    /// # Errors
    /// The handshake was refused or the connection failed.
    pub fn open(address: SocketAddr, encoding: Encoding) -> io::Result<Self> {
        match encoding {
            Encoding::Json => Self::open_with(address, PATH, encoding, &[]),
            Encoding::Protobuf => {
                let header = [("Sec-WebSocket-Protocol", "centrifuge-protobuf")];
                Self::open_with(address, PATH, encoding, &header)
            }
        }
    }

    /// Opens a target of the server with more headers; the encoding only says how frames are taken apart.
    ///
    /// # Errors
    /// The handshake was refused or the connection failed.
    pub fn open_with(
        address: SocketAddr,
        target: &str,
        encoding: Encoding,
        headers: &[(&str, &str)],
    ) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request =
            format!("ws://{address}{target}").into_client_request().map_err(io::Error::other)?;
        for (name, value) in headers {
            request.headers_mut().insert(
                HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?,
                HeaderValue::from_str(value).map_err(io::Error::other)?,
            );
        }
        let (socket, _) = tungstenite::client(request, stream)
            .map_err(|error| io::Error::other(format!("handshake with {address}{target}: {error}")))?;
        Ok(Self { socket, encoding, waiting: VecDeque::new(), end: None })
    }

    /// Sends one WebSocket message in the form of the encoding. A lost connection shows in [`next`](Self::next).
    pub fn send(&mut self, frame: &[u8]) {
        let message = match self.encoding {
            Encoding::Json => Message::text(std::str::from_utf8(frame).expect("JSON is UTF-8")),
            Encoding::Protobuf => Message::binary(frame.to_vec()),
        };
        self.send_message(message);
    }

    /// Sends a binary message whatever the encoding is.
    pub fn send_binary(&mut self, frame: &[u8]) {
        self.send_message(Message::binary(frame.to_vec()));
    }

    /// Starts the closing handshake.
    pub fn close(&mut self, code: u16, reason: &str) {
        drop(self.socket.close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() })));
    }

    /// What the server does next; `None` when it does nothing within the time.
    ///
    /// An end is reported again whenever it is asked for. Control frames are answered and skipped.
    pub fn next(&mut self, within: Duration) -> Option<Event> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(Event::Message(message));
            }
            if self.end.is_some() {
                return self.end.clone();
            }
            // A timeout of zero would mean none.
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.socket.read() {
                Ok(message) => self.take(message),
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return None;
                }
                Err(_) => self.end = Some(Event::Dropped),
            }
        }
    }

    /// Messages that came in the same frame as an earlier one and were not asked for.
    pub fn left_over(&self) -> usize {
        self.waiting.len()
    }

    fn send_message(&mut self, message: Message) {
        drop(self.socket.send(message));
    }

    fn take(&mut self, message: Message) {
        let content = match message {
            Message::Text(text) => text.as_bytes().to_vec(),
            Message::Binary(content) => content.to_vec(),
            Message::Close(frame) => {
                // The answering close frame is queued; it leaves with the flush.
                drop(self.socket.flush());
                let (code, reason) = frame
                    .map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                self.end = Some(Event::Closed { code, reason });
                return;
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return,
        };
        match self.encoding {
            Encoding::Json => self.waiting.extend(content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec)),
            Encoding::Protobuf => match proto::split_frame(&content) {
                Some(messages) => self.waiting.extend(messages),
                None => self.end = Some(Event::Dropped),
            },
        }
    }
}
