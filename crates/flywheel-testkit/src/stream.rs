use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A response whose body comes piece by piece, read as it comes.
#[derive(Debug)]
pub struct Stream {
    reader: BufReader<TcpStream>,
    /// The status code.
    pub status: u16,
    /// Header lines as they came.
    pub headers: Vec<String>,
    chunked: bool,
    ended: bool,
    /// Of the body, transfer coding removed, what nobody has taken yet.
    body: Vec<u8>,
}

impl Stream {
    /// Connects and sends `request` as it is; returns when the head of the response is there.
    ///
    /// # Errors
    /// The connection failed, or nothing came for 20 seconds.
    pub fn open(address: SocketAddr, request: &[u8]) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Self::ask(BufReader::new(stream), request)
    }

    /// Sends the next request on a connection whose response has ended.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn again(self, request: &[u8]) -> io::Result<Self> {
        assert!(self.ended, "the response before has not ended");
        Self::ask(self.reader, request)
    }

    fn ask(mut reader: BufReader<TcpStream>, request: &[u8]) -> io::Result<Self> {
        reader.get_mut().write_all(request)?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines.remove(0).split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        let mut stream =
            Self { reader, status, headers: lines, chunked: false, ended: false, body: Vec::new() };
        stream.chunked = stream.header("transfer-encoding") == Some("chunked");
        if let Some(length) = stream.header("content-length").and_then(|length| length.parse().ok()) {
            stream.body.resize(length, 0);
            stream.reader.read_exact(&mut stream.body)?;
            stream.ended = true;
        }
        stream.ended |= status == 204;
        Ok(stream)
    }

    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.headers.iter().filter_map(|line| line.split_once(": "));
        pairs.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The next bytes of the body up to and with `end`; panics when they do not come.
    pub fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.body.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.body.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.body, rest)).unwrap();
            }
            assert!(
                self.more().unwrap(),
                "the response ended after {:?}",
                String::from_utf8_lossy(&self.body)
            );
        }
    }

    /// The next `count` bytes of the body.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.body.len() < count {
            assert!(self.more().unwrap(), "the response ended after {:?}", self.body);
        }
        let rest = self.body.split_off(count);
        std::mem::replace(&mut self.body, rest)
    }

    /// What is left of the body, to its proper end.
    pub fn rest(&mut self) -> String {
        while self.more().unwrap() {}
        String::from_utf8(std::mem::take(&mut self.body)).unwrap()
    }

    /// Ends the connection from this side.
    pub fn hang_up(&self) {
        drop(self.reader.get_ref().shutdown(Shutdown::Both));
    }

    /// Reads more of the body; `false` when it has ended as it should.
    fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if !self.chunked {
            let piece = self.reader.fill_buf()?;
            let count = piece.len();
            self.body.extend_from_slice(piece);
            self.reader.consume(count);
            self.ended = count == 0;
            return Ok(count > 0);
        }
        let mut size = String::new();
        if self.reader.read_line(&mut size)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
        let start = self.body.len();
        self.body.resize(start + size + 2, 0);
        self.reader.read_exact(&mut self.body[start..])?;
        assert_eq!(self.body.split_off(start + size), b"\r\n");
        self.ended = size == 0;
        Ok(size > 0)
    }
}
