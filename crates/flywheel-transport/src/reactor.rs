use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use flywheel_runtime::{Bell, Clock};
use flywheel_websocket::{
    Closing, Decoder, Deflate, Event, Inflater, Input, MessageKind, ProtocolError, Rules, Utf8, write_pong,
};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::adoption::{Adoption, Adoptions};
use crate::application::Application;
use crate::io::{Alarm, Io};
use crate::socket::{Afterwards, Open, Stage};

/// A connection whose first request is ordinary HTTP, and the bytes that were read from it.
#[derive(Debug)]
pub struct Handoff {
    /// The connection, non-blocking.
    pub stream: TcpStream,
    /// What has been read.
    pub read: Vec<u8>,
}

/// How a reactor treats its connections.
#[derive(Debug, Clone)]
pub struct ReactorSettings {
    /// Time for the first request. The reference takes 10 s.
    pub handshake_timeout: Duration,
    /// Time for a blocked socket to take something.
    pub write_timeout: Duration,
    /// What frames may look like. Compression is settled with each connection.
    pub rules: Rules,
    /// Bytes of a compressed message once it is decompressed, at most.
    pub decompressed_max: usize,
}

/// The loop of one shard: see the crate's page.
pub struct Reactor<A: Application> {
    poll: Poll,
    adoptions: Option<Adoptions<A::Context>>,
    pub(crate) listener: Option<mio::net::TcpListener>,
    /// Whether the listener has connections that could not be accepted.
    accept_again: bool,
    bell: Arc<Bell>,
    clock: Clock,
    pub(crate) settings: ReactorSettings,
    pub(crate) handoff: Box<dyn Fn(Handoff) -> bool + Send>,
    panicked: Box<dyn Fn() + Send>,
    scratch: Vec<u8>,
    /// For all connections; with memory from the first compressed message on.
    inflater: Option<Inflater>,
    pub(crate) io: Io,
    pub(crate) app: A,
}

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
const SCRATCH_BYTES: usize = 256 << 10;
/// Reads of one connection before the others have their turn.
const READS_PER_TURN: usize = 8;
const ACCEPTS_PER_TURN: usize = 256;
/// Longest sleep: counters are flushed and refused accepts tried again that often.
const SLEEP_MAX: Duration = Duration::from_secs(1);
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

impl<A: Application> Reactor<A> {
    /// A reactor that accepts from `listener`. `application` is made with the bell that wakes the reactor; `handoff`
    /// takes connections over that are ordinary HTTP, or answers `false`.
    ///
    /// # Errors
    /// The system has no epoll instance or no descriptors left.
    pub fn new(
        listener: TcpListener,
        clock: Clock,
        settings: ReactorSettings,
        handoff: impl Fn(Handoff) -> bool + Send + 'static,
        bell: Arc<Bell>,
        poll: Poll,
        application: A,
    ) -> io::Result<Self> {
        let mut listener = mio::net::TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let io = Io::new(poll.registry().try_clone()?, clock.now(), settings.write_timeout);
        Ok(Self {
            poll,
            adoptions: None,
            listener: Some(listener),
            accept_again: false,
            bell,
            clock,
            settings,
            handoff: Box::new(handoff),
            panicked: Box::new(|| ()),
            scratch: vec![0; SCRATCH_BYTES],
            inflater: None,
            io,
            app: application,
        })
    }

    /// Takes connections over that are WebSockets already. Its bell must be the reactor's.
    pub fn adopt_from(&mut self, adoptions: Adoptions<A::Context>) {
        self.adoptions = Some(adoptions);
    }

    /// Calls `count` for every panic that a connection caused; the connection is dropped, the shard goes on.
    pub fn on_panic(&mut self, count: impl Fn() + Send + 'static) {
        self.panicked = Box::new(count);
    }

    /// An epoll instance and the bell that interrupts its sleep.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn poll_and_bell() -> io::Result<(Poll, Arc<Bell>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let bell = Bell::new(move || {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "cannot wake a shard");
            }
        });
        Ok((poll, Arc::new(bell)))
    }

    /// Runs until `stopped` says so after a turn; then every connection is dropped.
    ///
    /// # Errors
    /// Epoll fails, which it does not.
    pub fn run(mut self, mut stopped: impl FnMut(&mut A, &Io) -> Control) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.sleep(&mut events)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept_again = true,
                    WAKER => {}
                    Token(slot) => {
                        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
                        if event.is_writable() {
                            self.app.outbox().writable(slot);
                            self.io.flush_one(self.app.outbox(), slot);
                        }
                        if event.is_readable() || event.is_read_closed() || event.is_error() {
                            self.read(slot, event.is_read_closed() || event.is_error());
                        }
                    }
                }
            }
            if self.accept_again {
                self.accept();
            }
            for slot in std::mem::take(&mut self.io.ready) {
                self.read(slot, true);
            }
            self.adopt();
            self.app.turn(&mut self.io);
            self.alarms();
            self.io.flush(self.app.outbox());
            self.reuse();
            self.bury();
            match stopped(&mut self.app, &self.io) {
                Control::Run => {}
                Control::StopAccepting => self.listener = None,
                Control::Stop => return Ok(()),
            }
        }
    }

    fn sleep(&mut self, events: &mut Events) -> io::Result<()> {
        self.bell.prepare();
        let now = self.clock.now();
        let alarm = self.io.alarms.idle(now.at);
        let mut timeout = [self.app.idle(now), alarm].into_iter().flatten().fold(SLEEP_MAX, Duration::min);
        let adoptions = self.adoptions.as_ref().is_some_and(|adoptions| !adoptions.is_empty());
        if adoptions || !self.io.ready.is_empty() || !self.io.dead.is_empty() {
            timeout = Duration::ZERO;
        } else if self.accept_again {
            timeout = timeout.min(ACCEPT_RETRY);
        }
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            polled => polled?,
        }
        self.bell.awake();
        self.io.begin_turn(self.clock.now());
        Ok(())
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            self.accept_again = false;
            return;
        };
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept() {
                Ok((stream, _)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    match self.io.insert(stream, Stage::Handshake(None)) {
                        Ok(key) => {
                            let at = self.io.now().at + self.settings.handshake_timeout;
                            self.io.alarms.set(at, (key, Alarm::Handshake));
                        }
                        Err(error) => tracing::warn!(%error, "cannot watch a connection"),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accept_again = false;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // No descriptors, no memory: tried again in a while. Epoll would not tell about those who wait.
                Err(error) => return tracing::warn!(%error, "cannot accept a connection"),
            }
        }
    }

    fn adopt(&mut self) {
        let Some(adoptions) = &self.adoptions else {
            return;
        };
        let mut adopted = Vec::new();
        adoptions.drain(&mut adopted);
        adoptions.release(adopted.len());
        for Adoption { stream, mut read, deflate, context, response } in adopted {
            let stage = match response {
                // Whoever sent more already gets no answer to it on this connection.
                Some(reusable) => Stage::Stream { reusable: reusable && read.is_empty() },
                None => Stage::Open(self.new_websocket(deflate)),
            };
            let inserted = stream
                .set_nonblocking(true)
                .and_then(|()| self.io.insert(mio::net::TcpStream::from_std(stream), stage));
            match inserted {
                Ok(key) => {
                    self.app.outbox().open(key.slot);
                    self.app.opened(&mut self.io, key, context);
                    self.frames(key.slot, &mut read);
                    // Epoll tells only what comes from now on.
                    self.io.ready.push(key.slot);
                }
                Err(error) => tracing::warn!(%error, "cannot adopt a connection"),
            }
        }
    }

    pub(crate) fn new_websocket(&self, deflate: Option<Deflate>) -> Open {
        let rules = Rules { compression: deflate.is_some(), ..self.settings.rules };
        let decoder = Decoder::new(rules);
        Open { decoder, closing: Closing::Open }
    }

    /// Reads a connection. A panic there is a bug of ours, and ends that connection alone.
    fn read(&mut self, slot: u32, to_the_end: bool) {
        let guarded = AssertUnwindSafe(|| self.read_all(slot, to_the_end));
        if std::panic::catch_unwind(guarded).is_err() {
            tracing::error!(slot, "a panic ended a connection");
            (self.panicked)();
            self.scratch.resize(SCRATCH_BYTES, 0);
            self.io.dead.push(slot);
        }
    }

    /// Reads what there is. `to_the_end`: epoll said more than that there are bytes, so that a short read is not the end.
    fn read_all(&mut self, slot: u32, to_the_end: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for round in 0.. {
            let Some(socket) = self.io.socket(slot).filter(|socket| !socket.paused) else {
                break;
            };
            if round == READS_PER_TURN {
                self.io.ready.push(slot);
                break;
            }
            match socket.stream.read(&mut scratch) {
                Ok(0) => {
                    self.peer_ended(slot);
                    break;
                }
                Ok(count) => {
                    self.received(slot, &mut scratch[..count]);
                    if count < SCRATCH_BYTES && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.io.dead.push(slot);
                    break;
                }
            }
        }
        self.scratch = scratch;
    }

    fn received(&mut self, slot: u32, bytes: &mut [u8]) {
        let Some(socket) = self.io.socket(slot) else {
            return;
        };
        match &mut socket.stage {
            Stage::Handshake(_) => self.handshake(slot, bytes),
            Stage::Open(_) => self.frames(slot, bytes),
            // Nothing is to be said on it before the response has ended; what is, is not heard.
            Stage::Stream { reusable } => *reusable = false,
            Stage::Lingering => {}
        }
    }

    /// Frames of an open WebSocket.
    pub(crate) fn frames(&mut self, slot: u32, bytes: &mut [u8]) {
        let Some(open) = self.io.socket(slot).and_then(|socket| socket.open()) else {
            return;
        };
        // The decoder is out of its place while the application works with the connection.
        let mut decoder = std::mem::replace(&mut open.decoder, Decoder::new(self.settings.rules));
        let mut input = Input::new(bytes);
        loop {
            let event = match decoder.poll_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    self.fail(slot, error);
                    break;
                }
            };
            let Some(socket) = self.io.socket(slot) else {
                break;
            };
            let Some(open) = socket.open() else {
                break;
            };
            match event {
                Event::Message { .. } if !open.closing.may_send() => {}
                Event::Message { kind, payload, compressed: false } => {
                    self.app.message(&mut self.io, slot, kind, payload);
                }
                Event::Message { kind, payload, compressed: true } => {
                    let inflater = self.inflater.get_or_insert_default();
                    match inflate(inflater, &self.settings, kind, payload) {
                        Ok(message) => self.app.message(&mut self.io, slot, kind, message),
                        Err(error) => {
                            self.fail(slot, error);
                            decoder.close();
                        }
                    }
                }
                Event::Ping(payload) => {
                    if open.closing.may_send() {
                        let outbox = self.app.outbox();
                        let span = outbox.append(|arena| write_pong(arena, payload));
                        if outbox.push(slot, span).is_err() {
                            self.io.dead.push(slot);
                        }
                    }
                }
                Event::Pong(_) => self.app.pong(&mut self.io, slot),
                Event::Close { code, .. } => {
                    let outbox = self.app.outbox();
                    let answers = open.closing.may_send();
                    let span = outbox.append(|arena| open.closing.handle_close(arena, code));
                    socket.afterwards = Afterwards::Close;
                    // Without anything left to write there is no flush that would close it.
                    if !answers && outbox.queued(slot) == 0 || outbox.push(slot, span).is_err() {
                        self.io.dead.push(slot);
                    }
                    self.end(slot);
                }
            }
        }
        if let Some(open) = self.io.socket(slot).and_then(|socket| socket.open()) {
            open.decoder = decoder;
        }
    }

    /// The peer broke the protocol: says so, and waits for nothing more.
    fn fail(&mut self, slot: u32, error: ProtocolError) {
        let outbox = self.app.outbox();
        let Some(socket) = self.io.socket(slot) else {
            return;
        };
        socket.afterwards = Afterwards::Linger;
        let Some(open) = socket.open() else {
            return;
        };
        let span = outbox.append(|arena| open.closing.fail(arena, error.close_code()));
        if outbox.push(slot, span).is_err() {
            self.io.dead.push(slot);
        }
        self.end(slot);
    }

    /// Tells the application once that a connection is over.
    fn end(&mut self, slot: u32) {
        let socket = self.io.socket(slot).filter(|socket| socket.is_open());
        if socket.is_some_and(|socket| !std::mem::replace(&mut socket.ended, true)) {
            self.app.ended(&mut self.io, slot);
        }
    }

    /// The peer will send no more.
    fn peer_ended(&mut self, slot: u32) {
        self.end(slot);
        self.io.dead.push(slot);
    }

    fn alarms(&mut self) {
        let now = self.io.now().at;
        let mut due = Vec::new();
        self.io.alarms.expire(now, |alarm| due.push(alarm));
        for (key, alarm) in due {
            self.io.alarm(key, alarm);
        }
    }

    /// Drops the connections that are over.
    fn bury(&mut self) {
        while let Some(slot) = self.io.dead.pop() {
            self.end(slot);
            if let Some(socket) = self.io.remove(slot) {
                let was_application = !matches!(socket.stage, Stage::Handshake(_));
                drop(socket);
                if was_application {
                    self.app.gone(slot);
                }
            }
        }
    }
}

/// The message behind a compressed payload, checked as it would have been without compression.
fn inflate<'i>(
    inflater: &'i mut Inflater,
    settings: &ReactorSettings,
    kind: MessageKind,
    payload: &[u8],
) -> Result<&'i [u8], ProtocolError> {
    let message = inflater.inflate(payload, settings.decompressed_max)?;
    let checked = kind == MessageKind::Text && settings.rules.utf8 == Utf8::Check;
    if checked && std::str::from_utf8(message).is_err() {
        return Err(ProtocolError::InvalidUtf8);
    }
    Ok(message)
}

/// Whether a reactor goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// It does.
    Run,
    /// It does, but takes no new connections.
    StopAccepting,
    /// It ends.
    Stop,
}
