use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::RedisReply;

/// How long a server may keep a client waiting before the test hears of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A blocking client of Redis that shares no code with the server: one command, one reply.
pub struct RedisClient {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
}

impl std::fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisClient").finish_non_exhaustive()
    }
}

impl RedisClient {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect(port: u16) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(Box::new(stream.try_clone()?) as Box<dyn Read + Send>);
        Ok(Self { reader, writer: Box::new(stream) })
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(Box::new(stream.try_clone()?) as Box<dyn Read + Send>);
        Ok(Self { reader, writer: Box::new(stream) })
    }

    /// Sends a command and reads a reply, which may be an error of Redis.
    ///
    /// # Errors
    ///
    /// The connection broke, or no reply came within 3 s.
    pub fn try_run(&mut self, command: &[impl AsRef<[u8]>]) -> io::Result<RedisReply> {
        self.send(command)?;
        self.read()
    }

    /// As [`try_run`](Self::try_run); panics when the connection broke or Redis answered an error.
    pub fn run(&mut self, command: &[impl AsRef<[u8]>]) -> RedisReply {
        let said = || {
            command.iter().map(|word| String::from_utf8_lossy(word.as_ref())).collect::<Vec<_>>().join(" ")
        };
        let reply = self.try_run(command).unwrap_or_else(|error| panic!("{}: {error}", said()));
        assert!(reply.error().is_none(), "{}: {}", said(), reply.text());
        reply
    }

    /// Sends a command, without waiting.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub fn send(&mut self, command: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            let word = word.as_ref();
            bytes.extend(format!("${}\r\n", word.len()).into_bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        self.writer.write_all(&bytes)
    }

    /// Reads a reply, or a message of a subscription.
    ///
    /// # Errors
    ///
    /// The connection broke, or nothing came within 3 s.
    pub fn read(&mut self) -> io::Result<RedisReply> {
        RedisReply::read(&mut self.reader, &mut Vec::new())
    }
}
