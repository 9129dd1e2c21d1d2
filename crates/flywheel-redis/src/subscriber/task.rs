use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::Timestamp;
use flywheel_runtime::{Clock, Random};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use super::channels::{Channels, Restart};
use super::event::Event;
use super::ops::{Found, Op, Ops};
use super::{Listener, SubscriberSettings, SubscriberState};
use crate::link::{Endpoint, Socket, open};
use crate::resp::Decoder;

/// Pause between two connections, of which the half is left to chance.
const PAUSE: Duration = Duration::from_millis(250);
/// How late an answer may be while the server has much else to say, which is read in order. Who is silent, or answers out
/// of turn, is found out sooner.
const BEHIND_MAX: Duration = Duration::from_secs(10);
/// Bytes of commands that are collected before they are written.
const OUT_ENOUGH: usize = 64 << 10;
/// Bytes to have room for before a read.
const READ_ROOM: usize = 64 << 10;
/// Reads after which others have their turn on this thread, however much there is left to read.
const READS_AT_ONCE: usize = 16;

/// Connects, listens, and begins again, until nobody holds the subscriber any more.
pub(super) struct Task {
    pub(super) settings: SubscriberSettings,
    pub(super) target: watch::Receiver<Option<Endpoint>>,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) ops: Arc<Ops>,
    pub(super) report: watch::Sender<SubscriberState>,
    pub(super) clock: Clock,
    pub(super) random: Arc<Random>,
    pub(super) channels: Channels,
}

/// The subscriber was dropped.
struct Stopping;

impl Task {
    pub(super) async fn run(mut self) {
        loop {
            let target = self.target.borrow_and_update().clone();
            let (reason, pause) = match target {
                None => ("no server is known".to_owned(), PAUSE),
                Some(endpoint) => {
                    let mut target = self.target.clone();
                    let opened = tokio::select! {
                        opened = open(&endpoint, &self.settings.link) => opened,
                        // Another server is to be listened to: this one need not answer any more.
                        Ok(()) = target.changed() => continue,
                    };
                    match opened {
                        Err(error) => (error.to_string(), PAUSE),
                        // What was in doubt is replaced at once.
                        Ok((socket, decoder, _)) => (self.listen(socket, decoder).await, PAUSE / 5),
                    }
                }
            };
            self.report.send_modify(|state| {
                state.is_up = false;
                state.reason.clone_from(&reason);
            });
            if self.pause(pause).await.is_err() {
                return;
            }
        }
    }

    /// Waits, but not longer than until there is another server to listen to, and takes requests meanwhile.
    async fn pause(&mut self, time: Duration) -> Result<(), Stopping> {
        let half = u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / 2 + 1;
        let time = Duration::from_millis(half + self.random.next_u64() % half);
        let mut timer = pin!(sleep(time));
        let mut target = self.target.clone();
        let mut changed = pin!(target.changed());
        let mut is_changing = true;
        poll_fn(|cx| {
            let found = self.ops.take(cx.waker());
            if found.stopping {
                return Poll::Ready(Err(Stopping));
            }
            self.accept(found);
            if is_changing {
                match changed.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                    // Nobody will name another server.
                    Poll::Ready(Err(_)) => is_changing = false,
                    Poll::Pending => {}
                }
            }
            timer.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    fn accept(&mut self, found: Found) {
        let now = self.clock.now().at;
        for op in found.ops {
            match op {
                Op::Want { name, topic, waiter } => self.channels.want(name, topic, waiter),
                Op::Unwant { name } => self.channels.unwant(&name, now),
                Op::CatchUp { waiter } => self.channels.fence(waiter),
            }
        }
        let listener = &self.listener;
        self.channels.expire(now, |topic| listener.is_wanted(topic));
    }

    /// Listens until there is a reason not to, which is the answer.
    async fn listen(&mut self, socket: Socket, decoder: Decoder) -> String {
        self.channels.connected();
        self.report.send_modify(|state| {
            state.generation += 1;
            state.is_up = true;
            state.reason.clear();
        });
        let mut target = self.target.clone();
        let last_byte = self.clock.elapsed();
        let heartbeat = self.settings.link.heartbeat;
        let mut conversation = Conversation {
            task: self,
            socket,
            decoder,
            out: Vec::new(),
            written: 0,
            last_byte,
            owed_since: None,
            timer: Box::pin(sleep(heartbeat)),
        };
        tokio::select! {
            Restart(reason) = poll_fn(|cx| conversation.poll(cx)) => reason,
            Ok(()) = target.changed() => "another server is to be listened to".to_owned(),
        }
    }
}

/// One connection.
struct Conversation<'t> {
    task: &'t mut Task,
    socket: Socket,
    decoder: Decoder,
    out: Vec<u8>,
    written: usize,
    last_byte: Duration,
    owed_since: Option<Duration>,
    timer: Pin<Box<Sleep>>,
}

impl Conversation<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Restart> {
        for _ in 0..READS_AT_ONCE {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(restart) => return Poll::Ready(restart),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Answers whether there may be more to do at once.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, Restart> {
        let mut found = self.task.ops.take(cx.waker());
        if found.stopping {
            return Err(Restart("stopping".into()));
        }
        let restart = found.restart.take();
        // Also when it begins anew: what was taken is nowhere else.
        self.task.accept(found);
        if let Some(why) = restart {
            return Err(Restart(why));
        }
        let now = self.task.clock.now().at;
        if self.out.len() < OUT_ENOUGH {
            self.task.channels.write(now, &mut self.out);
            if self.task.channels.is_fenced() {
                self.ping(now);
            }
        }
        if self.task.channels.owed() {
            if self.owed_since.is_none() {
                self.owed_since = Some(self.task.clock.elapsed());
            }
        } else {
            self.owed_since = None;
        }
        let wrote = self.write(cx)?;
        let read = self.read(cx)?;
        Ok(self.watch(cx, now)? || wrote || read)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Restart> {
        if self.out.is_empty() {
            return Ok(false);
        }
        while self.written < self.out.len() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => return Err(closed()),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(Restart(error.to_string())),
                Poll::Pending => return Ok(false),
            }
        }
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
            return Err(Restart(error.to_string()));
        }
        self.out.clear();
        self.written = 0;
        Ok(true)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Restart> {
        let buffer = self.decoder.buffer();
        if buffer.capacity() - buffer.len() < READ_ROOM / 4 {
            buffer.reserve(READ_ROOM);
        }
        match pin!(self.socket.read_buf(buffer)).poll(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(closed()),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(Restart(error.to_string())),
        }
        while let Some(value) = self.decoder.take().map_err(|error| Restart(error.to_string()))? {
            self.handle(Event::of(value))?;
        }
        // To deal with what came may have taken a while.
        self.last_byte = self.task.clock.elapsed();
        Ok(true)
    }

    fn handle(&mut self, event: Event) -> Result<(), Restart> {
        let Task { channels, listener, .. } = &mut *self.task;
        match event {
            Event::Message { name, payload } => {
                if let Some(topic) = channels.topic(&name) {
                    listener.message(topic, &payload);
                }
            }
            Event::Subscribed(name) => {
                if let Some(topic) = channels.subscribed(&name)? {
                    listener.resumed(topic);
                }
            }
            Event::Unsubscribed(name) => {
                if let Some(topic) = channels.unsubscribed(&name)? {
                    listener.evicted(&topic);
                }
            }
            Event::Pong(nonce) => channels.pong(&nonce)?,
            Event::Refused(text) => channels.refused(&text)?,
            Event::Other => {}
        }
        Ok(())
    }

    /// Asks for a sign of life.
    fn ping(&mut self, at: Timestamp) {
        let nonce = Bytes::from(format!("{:016x}", self.task.random.next_u64()));
        self.task.channels.write_ping(nonce, at, &mut self.out);
    }

    /// Looks at the time when it is time to. Answers whether there is something to write because of it.
    fn watch(&mut self, cx: &mut Context<'_>, at: Timestamp) -> Result<bool, Restart> {
        let mut asks = false;
        let link = &self.task.settings.link;
        let (heartbeat, silence_max) = (link.heartbeat, link.silence_max);
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = self.task.clock.elapsed();
            if let Some(owed) = self.owed_since {
                let silent = now.saturating_sub(owed.max(self.last_byte));
                if silent >= silence_max {
                    return Err(Restart(format!("the server was silent for {} ms", silent.as_millis())));
                }
            }
            let mut is_in_doubt = now.saturating_sub(self.last_byte) >= heartbeat;
            if let Err((reason, late)) = self.task.channels.check(at) {
                if late >= BEHIND_MAX {
                    return Err(reason);
                }
                is_in_doubt = true;
            }
            if is_in_doubt && !self.task.channels.pings() {
                self.ping(at);
                asks = true;
            }
            // Deadlines of acknowledgements and lingering channels are looked at as often, which is exact enough.
            let mut wait = heartbeat.min(self.task.channels.due().since(at));
            if let Some(owed) = self.owed_since {
                let silent = now.saturating_sub(owed.max(self.last_byte));
                wait = wait.min(silence_max.saturating_sub(silent));
            }
            let wait = wait.max(Duration::from_millis(10));
            self.timer.as_mut().reset(Instant::now() + wait);
        }
        Ok(asks)
    }
}

fn closed() -> Restart {
    Restart("the server closed the connection".into())
}
