//! As much of HTTP as a load generator needs: one request at a time on a connection that stays open.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::wire::{self, API_KEY};

const WAIT: Duration = Duration::from_secs(10);
const LONGEST_RESPONSE: usize = 1 << 20;

/// A call of the server API.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-API-Key: {API_KEY}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The body of the response in `bytes`, or `None` while it is incomplete.
/// An error for any status but 200, a missing length, and bytes after the response.
pub(crate) fn body(bytes: &[u8]) -> Result<Option<&[u8]>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).context("the head of a response is not text")?;
    let length: usize = wire::header(head, "content-length")
        .with_context(|| format!("a response without length: {head}"))?
        .parse()
        .context("content-length")?;
    let body = &bytes[end + 4..];
    ensure!(body.len() <= length, "bytes after the response");
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}\n{}", String::from_utf8_lossy(body));
    Ok((body.len() == length).then_some(body))
}

/// One connection to a server's HTTP side.
pub(crate) struct Http {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Http {
    /// Connects to `address`.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends `request` and awaits the body of its response.
    pub(crate) fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        self.received.clear();
        let mut chunk = [0; 16 * 1024];
        while body(&self.received)?.is_none() {
            let count = self.stream.read(&mut chunk).context("reading a response")?;
            if count == 0 || self.received.len() > LONGEST_RESPONSE {
                bail!("no whole response after {} bytes", self.received.len());
            }
            self.received.extend_from_slice(&chunk[..count]);
        }
        body(&self.received)?.context("a whole response")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_taken_when_its_body_is_whole() {
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"result\":{}}";
        assert_eq!(body(response).unwrap(), Some(&b"{\"result\":{}}"[..]));
        for end in 0..response.len() {
            assert_eq!(body(&response[..end]).unwrap(), None, "{end} bytes");
        }
    }

    #[test]
    fn a_bad_status_and_surplus_bytes_are_errors() {
        assert!(body(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab").is_err());
        assert!(body(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
