use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flywheel_runtime::{Clock, Random};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};

use super::lane::{Lane, Taken};
use super::{ClosedBecause, LinkSettings, Socket};
use crate::resp::{Decoder, Value};

/// Bytes that are collected before a write. What is more waits where it can still be said not to have been sent.
const OUT_ENOUGH: usize = 256 << 10;
/// Bytes to have room for before a read.
const READ_ROOM: usize = 32 << 10;

/// The task of a connection: reads, writes and watches, and never waits for anything but the socket and time.
pub(super) struct Wire {
    socket: Socket,
    decoder: Decoder,
    lane: Arc<Lane>,
    clock: Clock,
    random: Arc<Random>,
    silence_max: Duration,
    heartbeat: Duration,
    out: Vec<u8>,
    /// How many bytes of `out` have left.
    written: usize,
    /// How many have left before those in `out`.
    left: u64,
    values: Vec<Value>,
    /// When the last byte came, and since when an answer is due, by the clock.
    last_byte: Duration,
    owed_since: Option<Duration>,
    nonce: Option<u64>,
    timer: Pin<Box<Sleep>>,
    /// Whether other tasks were let go first.
    has_yielded: bool,
}

impl Wire {
    pub(super) fn new(
        socket: Socket,
        decoder: Decoder,
        lane: Arc<Lane>,
        settings: &LinkSettings,
        clock: Clock,
        random: Arc<Random>,
    ) -> Self {
        let last_byte = clock.elapsed();
        Self {
            socket,
            decoder,
            lane,
            clock,
            random,
            silence_max: settings.silence_max,
            heartbeat: settings.heartbeat,
            out: Vec::new(),
            written: 0,
            left: 0,
            values: Vec::new(),
            last_byte,
            owed_since: None,
            nonce: None,
            timer: Box::pin(sleep(settings.heartbeat)),
            has_yielded: false,
        }
    }

    /// Runs until the connection ends, then fails what is unanswered.
    pub(super) async fn run(mut self) {
        let reason = poll_fn(|cx| self.poll(cx)).await;
        let left = self.left + self.written as u64;
        self.socket.abandon();
        self.lane.close_at(reason, left);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ClosedBecause> {
        // Answers came to many at once, and each of them may call again: one write for all of them instead of one for each.
        if !self.has_yielded && self.lane.is_filling() {
            self.has_yielded = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_yielded = false;
        match self.turn(cx) {
            Ok(true) => Poll::Pending,
            Ok(false) => Poll::Ready(ClosedBecause::ByUs("closed".into())),
            Err(reason) => Poll::Ready(reason),
        }
    }

    /// Does all that can be done without waiting. Answers whether to go on.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, ClosedBecause> {
        loop {
            let Taken::Some { owed } = self.lane.take(&mut self.out, OUT_ENOUGH, cx.waker()) else {
                return Ok(false);
            };
            if owed && self.owed_since.is_none() {
                self.owed_since = Some(self.clock.elapsed());
            }
            let is_full = self.out.len() >= OUT_ENOUGH;
            let has_more = self.write(cx)? && is_full;
            while self.read(cx)? {}
            if !has_more && !self.watch(cx)? {
                return Ok(true);
            }
        }
    }

    /// Answers whether all was written, so that there is room for more commands.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, ClosedBecause> {
        if self.out.is_empty() {
            return Ok(false);
        }
        while self.written < self.out.len() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => return Err(ClosedBecause::ByServer),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(ClosedBecause::Io(error.to_string())),
                Poll::Pending => return Ok(false),
            }
        }
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
            return Err(ClosedBecause::Io(error.to_string()));
        }
        self.left += self.written as u64;
        self.written = 0;
        self.out.clear();
        self.out.shrink_to(OUT_ENOUGH);
        Ok(true)
    }

    /// Answers whether anything came.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, ClosedBecause> {
        let buffer = self.decoder.buffer();
        if buffer.capacity() - buffer.len() < READ_ROOM / 4 {
            buffer.reserve(READ_ROOM);
        }
        match pin!(self.socket.read_buf(buffer)).poll(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(ClosedBecause::ByServer),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(ClosedBecause::Io(error.to_string())),
        }
        self.last_byte = self.clock.elapsed();
        let end = loop {
            match self.decoder.take() {
                Ok(Some(Value::Push(_))) => {}
                Ok(Some(value)) => self.values.push(value),
                Ok(None) => break Ok(()),
                Err(error) => break Err(ClosedBecause::Decode(error)),
            }
        };
        // What was understood before the error is for those who asked.
        if !self.lane.answer(&mut self.values, &mut self.nonce)? {
            self.owed_since = None;
        }
        end.map(|()| true)
    }

    /// Looks at the time when it is time to. Answers whether there is something to write because of it.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<bool, ClosedBecause> {
        let mut asks = false;
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = self.clock.elapsed();
            let mut due = now + self.heartbeat;
            if let Some(owed) = self.owed_since {
                let silent = now.saturating_sub(owed.max(self.last_byte));
                if silent >= self.silence_max {
                    let millis = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                    return Err(ClosedBecause::Silent(millis));
                }
                due = due.min(now + self.silence_max.saturating_sub(silent));
            }
            if self.nonce.is_none() {
                if now.saturating_sub(self.last_byte) >= self.heartbeat {
                    let nonce = self.random.next_u64();
                    self.nonce = Some(nonce);
                    self.lane.push_heartbeat(nonce);
                    asks = true;
                } else {
                    due = due.min(self.last_byte + self.heartbeat);
                }
            }
            let wait = due.saturating_sub(now).max(Duration::from_millis(1));
            self.timer.as_mut().reset(Instant::now() + wait);
        }
        Ok(asks)
    }
}
