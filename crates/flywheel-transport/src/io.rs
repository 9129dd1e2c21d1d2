use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use flywheel_hub::{ClientKey, Flushed, Outbox, Wheel};
use flywheel_model::Now;
use flywheel_websocket::{CloseCode, Closing, write_ping};
use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::ConnectionLimits;
use crate::socket::{Afterwards, Socket, Stage};

/// A place for a connection.
#[derive(Debug, Default)]
struct Place {
    generation: u32,
    socket: Option<Box<Socket>>,
}

/// Why a socket's timer was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The first request must be complete.
    Handshake,
    /// The peer's close frame, or its end of the connection, must be there.
    Closing,
    /// A blocked socket must have taken something.
    Writing,
}

/// What an application can do with the connections of its reactor.
#[derive(Debug)]
pub struct Io {
    registry: Registry,
    places: Vec<Place>,
    free: Vec<u32>,
    count: usize,
    now: Now,
    pub(crate) alarms: Wheel<(ClientKey, Alarm)>,
    /// Connections to be dropped at the end of the turn.
    pub(crate) dead: Vec<u32>,
    /// Connections to be read although epoll will not say so.
    pub(crate) ready: Vec<u32>,
    /// Connections whose response is complete, and which may carry another request.
    pub(crate) answered: Vec<u32>,
    written: u64,
}

/// How long to wait for a peer's close frame. Source: client protocol, section 2.4.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// How long to wait for a peer's end of a connection on which everything is said.
const LINGER: Duration = Duration::from_secs(2);

impl Io {
    pub(crate) fn new(registry: Registry, now: Now) -> Self {
        Self {
            registry,
            places: Vec::new(),
            free: Vec::new(),
            count: 0,
            now,
            alarms: Wheel::new(now.at),
            dead: Vec::new(),
            ready: Vec::new(),
            answered: Vec::new(),
            written: 0,
        }
    }

    /// What time this turn began.
    pub fn now(&self) -> Now {
        self.now
    }

    pub(crate) fn begin_turn(&mut self, now: Now) {
        self.now = now;
    }

    /// Number of connections.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes no more messages from a connection until [`resume`](Self::resume); its peer feels it when the kernel's
    /// buffers are full.
    pub fn pause(&mut self, slot: u32) {
        if let Some(socket) = self.socket(slot) {
            socket.paused = true;
        }
    }

    /// Takes messages again.
    pub fn resume(&mut self, slot: u32) {
        if let Some(socket) = self.socket(slot)
            && std::mem::take(&mut socket.paused)
        {
            self.ready.push(slot);
        }
    }

    /// Queues a close frame, after which nothing more is sent, and waits for the peer's. A code that no frame can
    /// carry makes an empty one.
    pub fn close(&mut self, outbox: &mut Outbox, slot: u32, code: u32, reason: &str) {
        let code = u16::try_from(code).ok().map(CloseCode::new);
        let Some(socket) = self.socket(slot) else {
            return;
        };
        if socket.open().is_none() {
            return self.dead.push(slot);
        }
        socket.ended = true;
        let key = socket.key;
        let span = outbox.append(|arena| {
            if let Some(open) = socket.open() {
                open.closing.start(arena, code, reason);
            }
        });
        if outbox.push(slot, span).is_err() {
            return self.dead.push(slot);
        }
        self.alarms.set(self.now.at + CLOSE_WAIT, (key, Alarm::Closing));
    }

    /// Ends a connection with what is queued. With `complete` it was a whole response, after which the connection may
    /// carry another request if the client wants that.
    pub fn close_response(&mut self, outbox: &mut Outbox, slot: u32, complete: bool) {
        let Some(socket) = self.socket(slot) else {
            return;
        };
        socket.ended = true;
        let reusable = complete && matches!(socket.stage, Stage::Stream { reusable: true });
        socket.afterwards = if reusable { Afterwards::Reuse } else { Afterwards::Linger };
        if outbox.queued(slot) == 0 {
            self.dead.push(slot);
        }
    }

    /// Drops a connection at the end of the turn, without a word.
    pub fn drop_connection(&mut self, slot: u32) {
        self.dead.push(slot);
    }

    /// Queues a WebSocket control ping.
    pub fn ping(&mut self, outbox: &mut Outbox, slot: u32) {
        let may_send = self.socket(slot).and_then(Socket::open).is_some_and(|open| open.closing.may_send());
        let span = outbox.append(|arena| write_ping(arena, b""));
        if may_send && outbox.push(slot, span).is_err() {
            self.dead.push(slot);
        }
    }

    /// Writes everything that is queued when the arena has no more room, so that a tick may bring more than that.
    pub fn make_room(&mut self, outbox: &mut Outbox) {
        if outbox.is_full() {
            self.flush(outbox);
        }
    }

    /// Writes everything that is queued.
    pub fn flush(&mut self, outbox: &mut Outbox) {
        let dirty = outbox.take_dirty();
        for slot in &dirty {
            self.flush_one(outbox, *slot);
        }
        outbox.end_tick(dirty);
    }

    pub(crate) fn flush_one(&mut self, outbox: &mut Outbox, slot: u32) {
        let now = self.now.at;
        let Some(place) = self.places.get_mut(slot as usize) else {
            return;
        };
        let Some(socket) = place.socket.as_deref_mut() else {
            return;
        };
        let stream = &mut socket.stream;
        let mut progress = 0;
        let flushed = outbox.flush(slot, |slices| {
            let written = match slices {
                [only] => stream.write(only),
                many => write_vectored(stream, many),
            };
            progress += written.as_ref().map_or(0, |count| *count as u64);
            written
        });
        self.written += progress;
        match flushed {
            Err(_) => self.dead.push(slot),
            Ok(Flushed::All) => {
                socket.blocked_since = None;
                match socket.afterwards {
                    _ if !socket.is_open() => {}
                    Afterwards::Close => self.dead.push(slot),
                    Afterwards::Linger => self.linger(slot),
                    Afterwards::Reuse => self.answered.push(slot),
                    Afterwards::Stay if socket.watches_writing => self.watch(slot, false),
                    Afterwards::Stay => {}
                }
            }
            Ok(Flushed::Blocked) => {
                if progress > 0 || socket.blocked_since.is_none() {
                    socket.blocked_since = Some(now);
                }
                let (key, timeout) = (socket.key, socket.limits.write_timeout);
                if !socket.watches_writing {
                    self.alarms.set(now + timeout, (key, Alarm::Writing));
                    self.watch(slot, true);
                }
            }
        }
    }

    /// Everything is said: tells the peer so and waits for its end. To close at once would let the kernel answer
    /// whatever the peer is still sending with a reset, which can destroy our last words on their way.
    pub(crate) fn linger(&mut self, slot: u32) {
        let at = self.now.at + LINGER;
        let Some(socket) = self.socket(slot) else {
            return;
        };
        socket.stage = Stage::Lingering;
        socket.paused = false;
        let key = socket.key;
        if socket.stream.shutdown(Shutdown::Write).is_err() {
            return self.dead.push(slot);
        }
        self.alarms.set(at, (key, Alarm::Closing));
        self.ready.push(slot);
    }

    /// Drops the connections that are still in their handshake or linger.
    pub(crate) fn drop_unopened(&mut self) {
        for slot in self.slots() {
            if self.socket(slot).is_some_and(|socket| !socket.is_open()) {
                self.dead.push(slot);
            }
        }
    }

    /// Bytes written since this was last asked.
    pub(crate) fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.written)
    }

    fn watch(&mut self, slot: u32, writing: bool) {
        let interest = if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let token = Token(slot as usize);
        let Some(socket) = self.places.get_mut(slot as usize).and_then(|place| place.socket.as_deref_mut())
        else {
            return;
        };
        socket.watches_writing = writing;
        if socket.stream.reregister(&self.registry, token, interest).is_err() {
            self.dead.push(slot);
        }
    }

    /// A timer went off: is the connection still in the state for which it was set?
    pub(crate) fn alarm(&mut self, key: ClientKey, alarm: Alarm) {
        let now = self.now.at;
        let Some(socket) = self.socket(key.slot).filter(|socket| socket.key == key) else {
            return;
        };
        let timeout = socket.limits.write_timeout;
        let overdue = match (alarm, &socket.stage) {
            (Alarm::Handshake, Stage::Handshake(_)) | (Alarm::Closing, Stage::Lingering) => true,
            (Alarm::Closing, Stage::Open(open)) => open.closing != Closing::Open,
            (Alarm::Writing, _) => match socket.blocked_since {
                Some(since) if now.since(since) >= timeout => true,
                Some(since) => {
                    self.alarms.set(since + timeout, (key, Alarm::Writing));
                    false
                }
                None => false,
            },
            _ => false,
        };
        if overdue {
            self.dead.push(key.slot);
        }
    }

    pub(crate) fn socket(&mut self, slot: u32) -> Option<&mut Socket> {
        self.places.get_mut(slot as usize)?.socket.as_deref_mut()
    }

    /// Takes a connection in and has epoll watch it.
    pub(crate) fn insert(
        &mut self,
        mut stream: mio::net::TcpStream,
        stage: Stage,
        limits: Arc<ConnectionLimits>,
    ) -> io::Result<ClientKey> {
        let slot = if let Some(slot) = self.free.pop() {
            slot
        } else {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).map_err(|_| io::ErrorKind::OutOfMemory)?
        };
        let registered = stream.register(&self.registry, Token(slot as usize), Interest::READABLE);
        let place = &mut self.places[slot as usize];
        if let Err(error) = registered {
            self.free.push(slot);
            return Err(error);
        }
        place.generation = place.generation.wrapping_add(1);
        let key = ClientKey { slot, generation: place.generation };
        place.socket = Some(Box::new(Socket {
            stream,
            key,
            stage,
            limits,
            paused: false,
            watches_writing: false,
            blocked_since: None,
            ended: false,
            afterwards: Afterwards::Stay,
        }));
        self.count += 1;
        Ok(key)
    }

    /// Lets a connection go; dropping the socket closes it.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Box<Socket>> {
        let mut socket = self.places.get_mut(slot as usize)?.socket.take()?;
        self.free.push(slot);
        self.count -= 1;
        if let Err(error) = socket.stream.deregister(&self.registry) {
            tracing::debug!(%error, "cannot take a socket off epoll");
        }
        Some(socket)
    }

    /// Slots of all connections.
    pub(crate) fn slots(&self) -> Vec<u32> {
        self.places.iter().filter_map(|place| place.socket.as_ref()).map(|socket| socket.key.slot).collect()
    }
}

fn write_vectored(stream: &mut mio::net::TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.write_vectored(slices)
}
