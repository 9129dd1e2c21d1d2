//! Answering pings for many clients.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::clock::Deadline;
use crate::wire;

const EVENTS_AT_ONCE: usize = 1024;

/// The readiness of a sink's sockets, and what came of frames that are not yet whole.
pub(super) struct Pings {
    poll: Poll,
    events: Events,
    tails: Vec<Vec<u8>>,
    pong: Vec<u8>,
    chunk: Vec<u8>,
}

impl Pings {
    /// For `connections` sockets.
    pub(super) fn new(connections: usize) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_AT_ONCE),
            tails: vec![Vec::new(); connections],
            pong: wire::masked_text("{}"),
            chunk: vec![0; 4096],
        })
    }

    /// Watches `socket`, which is the sink's `number`th.
    pub(super) fn watch(&mut self, socket: &TcpStream, number: usize) -> Result<()> {
        let descriptor = socket.as_raw_fd();
        Ok(self.poll.registry().register(&mut SourceFd(&descriptor), Token(number), Interest::READABLE)?)
    }

    /// Answers every ping that arrives within `time`, zero for those that are there, and counts them.
    pub(super) fn answer(&mut self, sockets: &mut [TcpStream], time: Duration) -> Result<usize> {
        let deadline = Deadline::after(time);
        let mut count = 0;
        loop {
            let left = deadline.left();
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &self.events {
                let number = event.token().0;
                let (Some(socket), Some(tail)) = (sockets.get_mut(number), self.tails.get_mut(number)) else {
                    bail!("readiness of client {number}, which there is not");
                };
                count += answer_one(socket, tail, &mut self.chunk, &self.pong)
                    .with_context(|| format!("client {number}"))?;
            }
            if left.is_zero() {
                return Ok(count);
            }
        }
    }
}

fn answer_one(socket: &mut TcpStream, tail: &mut Vec<u8>, chunk: &mut [u8], pong: &[u8]) -> Result<usize> {
    let mut count = 0;
    loop {
        match socket.read(chunk) {
            Ok(0) => bail!("the server closed it"),
            Ok(length) => tail.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
            Err(error) => return Err(error).context("receiving"),
        }
        let mut rest = tail.as_slice();
        while let Some(payload) = wire::take_text(&mut rest)? {
            ensure!(payload == b"{}", "received {:?} instead of a ping", String::from_utf8_lossy(payload));
            ensure!(socket.write(pong)? == pong.len(), "a pong did not fit");
            count += 1;
        }
        let left = rest.len();
        tail.drain(..tail.len() - left);
    }
}
