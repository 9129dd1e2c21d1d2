//! Load generators: many connections in one thread, each with one question outstanding.

pub(crate) mod dial;
pub(crate) mod post;
pub(crate) mod recover;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::clock::Deadline;
use crate::{client, peer};

const RUN_LIMIT: Duration = Duration::from_secs(100);

/// What a connection does next.
pub(crate) enum Step<'a> {
    /// Awaits the rest of an answer.
    Wait,
    /// Asks its next question.
    Say(&'a [u8]),
    /// Has done one unit of work and would begin the next on the same connection.
    Done,
    /// Has done one unit of work, which ends with the connection.
    Close,
}

/// One connection's part of the conversation.
pub(crate) trait Script {
    /// The first bytes of a unit of work.
    fn begin(&mut self) -> &[u8];
    /// Takes all that was received since the last question and says what follows.
    fn received(&mut self, bytes: &[u8]) -> Result<Step<'_>>;
}

struct Slot<S> {
    script: S,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

/// A set of connections that work off a number of units together.
pub(crate) struct Load<S> {
    address: SocketAddr,
    poll: Poll,
    events: Events,
    slots: Vec<Slot<S>>,
    left: usize,
}

impl<S: Script> Load<S> {
    /// `at_once` connections to `address`, opened when there is work for them.
    pub(crate) fn new(address: SocketAddr, at_once: usize, script: impl Fn() -> S) -> Result<Self> {
        let slots =
            (0..at_once).map(|_| Slot { script: script(), stream: None, received: Vec::new() }).collect();
        Ok(Self { address, poll: Poll::new()?, events: Events::with_capacity(1024), slots, left: 0 })
    }

    /// Says `ready`, then does as many units of work as each order `go N` asks for and says `done`.
    pub(crate) fn obey(mut self) -> Result<()> {
        println!("ready");
        peer::obey(|order, rest| {
            ensure!(order == "go", "unknown order");
            self.run(rest.parse()?)?;
            Ok(Some("done".to_owned()))
        })
    }

    fn run(&mut self, units: usize) -> Result<()> {
        let deadline = Deadline::after(RUN_LIMIT);
        self.left = units;
        let mut busy = 0;
        for number in 0..self.slots.len() {
            busy += usize::from(self.begin(number)?);
        }
        let mut ready = Vec::new();
        while busy > 0 {
            ensure!(!deadline.is_over(), "{busy} units are unanswered and {} not begun", self.left);
            match self.poll.poll(&mut self.events, Some(deadline.left())) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            ready.extend(self.events.iter().map(|event| event.token().0));
            for number in ready.drain(..) {
                if self.advance(number).with_context(|| format!("connection {number}"))?
                    && !self.begin(number)?
                {
                    busy -= 1;
                }
            }
        }
        Ok(())
    }

    /// Begins a unit of work on connection `number`; `false` when none is left.
    fn begin(&mut self, number: usize) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let slot = &mut self.slots[number];
        let stream = match &mut slot.stream {
            Some(stream) => stream,
            empty => {
                let stream = client::connect(self.address)?;
                stream.set_nonblocking(true)?;
                // Closing then resets: no end waits for the other, and no port stays taken.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                let mut stream = TcpStream::from_std(stream);
                self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
                empty.insert(stream)
            }
        };
        send(stream, slot.script.begin())?;
        Ok(true)
    }

    /// Reads what connection `number` received; `true` when that ended its unit of work.
    fn advance(&mut self, number: usize) -> Result<bool> {
        let slot = &mut self.slots[number];
        let Some(stream) = &mut slot.stream else { return Ok(false) };
        let mut chunk = [0; 16 * 1024];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => anyhow::bail!("closed by the server"),
                Ok(count) => slot.received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("receiving"),
            }
            match slot.script.received(&slot.received)? {
                Step::Wait => continue,
                Step::Say(bytes) => send(stream, bytes)?,
                Step::Done => {
                    slot.received.clear();
                    return Ok(true);
                }
                Step::Close => {
                    slot.stream = None;
                    slot.received.clear();
                    return Ok(true);
                }
            }
            slot.received.clear();
        }
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    let sent = stream.write(bytes).context("sending")?;
    ensure!(sent == bytes.len(), "sent {sent} of {} bytes", bytes.len());
    Ok(())
}
