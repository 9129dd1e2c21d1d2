//! The loop of a shard.

mod arrivals;
mod frames;
mod handshake;
mod reading;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use flywheel_runtime::{Bell, Clock};
use flywheel_websocket::Inflater;
use mio::{Events, Interest, Poll, Token, Waker};

use self::reading::SCRATCH_BYTES;
use crate::ConnectionLimits;
use crate::adoption::Adoptions;
use crate::application::Application;
use crate::io::Io;
use crate::socket::Stage;

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
    /// What a connection may do unless the application gives it [limits of its own](Application::limits), which it does
    /// when the first request is read.
    pub limits: Arc<ConnectionLimits>,
}

/// The loop of one shard: see the crate's page.
pub struct Reactor<A: Application> {
    poll: Poll,
    adoptions: Option<Adoptions<A::Context>>,
    listener: Option<mio::net::TcpListener>,
    /// Whether the listener has connections that could not be accepted.
    accept_again: bool,
    bell: Arc<Bell>,
    clock: Clock,
    settings: ReactorSettings,
    handoff: Box<dyn Fn(Handoff) -> bool + Send>,
    panicked: Box<dyn Fn() + Send>,
    scratch: Vec<u8>,
    /// For all connections; with memory from the first compressed message on.
    inflater: Option<Inflater>,
    io: Io,
    app: A,
}

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
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
        let io = Io::new(poll.registry().try_clone()?, clock.now());
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

    /// What a connection may do once its first request is read.
    fn limits(&self, context: &A::Context) -> Arc<ConnectionLimits> {
        self.app.limits(context).unwrap_or_else(|| Arc::clone(&self.settings.limits))
    }

    /// Tells the application once that a connection is over.
    fn end(&mut self, slot: u32) {
        let socket = self.io.socket(slot).filter(|socket| socket.is_open());
        if socket.is_some_and(|socket| !std::mem::replace(&mut socket.ended, true)) {
            self.app.ended(&mut self.io, slot);
        }
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
