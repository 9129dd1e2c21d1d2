//! Both sides: whoever asks, as `subscriber::Subscriber` does, and the connection's task, as `subscriber::task` has it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::Timestamp;
use tokio::sync::oneshot::{self, Receiver};

use super::channels::{Channels, Rules};
use super::ops::{Found, Op, Ops};
use super::{SubscribeError, Topic};
use crate::waiting::{Rest, wait};
use crate::words::commands;

const RULES: Rules = Rules {
    is_sharded: false,
    batch: 3,
    ack_timeout: Duration::from_secs(100),
    linger: Duration::from_secs(1),
};

/// What the models ask of the requests' queue, so that one with a fault can stand in for it.
pub(super) trait Asks: Send + Sync + 'static {
    fn push(&self, op: Op) -> Result<(), SubscribeError>;
    fn stop(&self);
    fn take(&self, waker: &Waker) -> Found;
}

impl Asks for Ops {
    fn push(&self, op: Op) -> Result<(), SubscribeError> {
        self.push(op)
    }

    fn stop(&self) {
        self.stop();
    }

    fn take(&self, waker: &Waker) -> Found {
        self.take(waker)
    }
}

fn name() -> Bytes {
    Bytes::from_static(b"room")
}

fn want(ops: &impl Asks, waiter: Option<super::channels::Waiter>) -> Result<(), SubscribeError> {
    ops.push(Op::Want { name: name(), topic: Topic::Channel("room".into()), waiter })
}

/// Wants the channel, and waits until the server has acknowledged it; `None` when nobody is left to say anything.
pub(super) fn subscribe(ops: &impl Asks) -> Option<Result<(), SubscribeError>> {
    let (waiter, answer) = oneshot::channel();
    match want(ops, Some(waiter)) {
        Ok(()) => wait(answer).ok(),
        Err(error) => Some(Err(error)),
    }
}

/// Wants the channel without waiting.
pub(super) fn come(ops: &impl Asks) {
    want(ops, None).unwrap();
}

/// Wants the channel no more, or asks for nothing, so that in each order there are as many requests.
pub(super) fn go(ops: &impl Asks, is_last: bool) {
    let name = if is_last { name() } else { Bytes::new() };
    ops.push(Op::Unwant { name }).unwrap();
}

/// Hears when all was read that the server had to say; `None` when the connection ended before.
pub(super) fn catch_up(ops: &impl Asks) -> Option<()> {
    let (waiter, answer) = oneshot::channel();
    ops.push(Op::CatchUp { waiter }).unwrap();
    wait(answer).ok()
}

/// One connection's other end. What is written is answered when the task looks next, as by a server that is some way off.
#[derive(Default)]
pub(super) struct Server {
    /// It answers nothing, ever.
    is_mute: bool,
    /// Whether it hands the channel's publications to us.
    pub(super) is_subscribed: bool,
    /// How often it was told to stop that.
    pub(super) times_left: usize,
    answers: Vec<(Bytes, Bytes)>,
}

impl Server {
    fn hear(&mut self, bytes: &[u8]) {
        for words in commands(bytes) {
            match &*words[0] {
                b"SUBSCRIBE" => self.is_subscribed = true,
                b"UNSUBSCRIBE" => {
                    self.is_subscribed = false;
                    self.times_left += 1;
                }
                _ => {}
            }
            if !self.is_mute {
                self.answers.extend(words[1..].iter().map(|name| (words[0].clone(), name.clone())));
            }
        }
    }
}

/// What a task does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Nothing: it does as `subscriber::task`.
    Sound,
    /// It throws away what it found beside the order to begin anew.
    ForgetsBesideRestart,
    /// It takes with it what it knows of the connection before.
    KeepsTheOldConnection,
}

/// The connection's task, and the server.
pub(super) struct Task<O> {
    ops: Arc<O>,
    is_wanted: Box<dyn Fn() -> bool>,
    habit: Habit,
    channels: Channels,
    pub(super) server: Server,
    now: Timestamp,
    /// Requests that were carried out.
    carried_out: usize,
    connections: usize,
}

enum Turn {
    Stopping,
    Restart,
    /// There will be more to do although nobody asks.
    Busy,
    Idle,
}

impl<O: Asks> Task<O> {
    pub(super) fn new(ops: &Arc<O>, is_wanted: impl Fn() -> bool + 'static) -> Self {
        let mut channels = Channels::new(RULES);
        channels.connected();
        Self {
            ops: Arc::clone(ops),
            is_wanted: Box::new(is_wanted),
            habit: Habit::Sound,
            channels,
            server: Server::default(),
            now: Timestamp::from_millis(0),
            carried_out: 0,
            connections: 1,
        }
    }

    /// The first server answers nothing.
    pub(super) fn mute(mut self, habit: Habit) -> Self {
        self.server.is_mute = true;
        self.habit = habit;
        self
    }

    /// Goes on until it has carried out so many requests on so many connections and nothing is left to do, or it is stopped.
    pub(super) fn run(&mut self, requests: usize, connections: usize) {
        let rest = Rest::new();
        loop {
            match self.turn(rest.waker()) {
                Turn::Stopping => return,
                Turn::Restart => self.connect(rest.waker()),
                Turn::Busy => {}
                Turn::Idle if (self.carried_out, self.connections) == (requests, connections) => return,
                Turn::Idle => rest.until_woken(),
            }
        }
    }

    fn turn(&mut self, waker: &Waker) -> Turn {
        let mut found = self.ops.take(waker);
        if found.stopping {
            return Turn::Stopping;
        }
        let restart = found.restart.take();
        if restart.is_some() && self.habit == Habit::ForgetsBesideRestart {
            return Turn::Restart;
        }
        self.accept(found);
        if restart.is_some() {
            return Turn::Restart;
        }
        let answers = std::mem::take(&mut self.server.answers);
        let mut out = Vec::new();
        self.channels.write(self.now, &mut out);
        if self.channels.is_fenced() {
            self.channels.write_ping(Bytes::from_static(b"nonce"), self.now, &mut out);
        }
        self.server.hear(&out);
        let has_read = !answers.is_empty();
        for (command, name) in answers {
            match &*command {
                b"SUBSCRIBE" => drop(self.channels.subscribed(&name).unwrap()),
                b"UNSUBSCRIBE" => drop(self.channels.unsubscribed(&name).unwrap()),
                _ => self.channels.pong(&name).unwrap(),
            }
        }
        let will_read = !self.server.answers.is_empty();
        // Answers are not waited for so long.
        let lingers = self.channels.due().since(self.now) <= RULES.linger;
        if has_read || will_read || lingers { Turn::Busy } else { Turn::Idle }
    }

    fn accept(&mut self, found: Found) {
        self.now = self.now + RULES.linger;
        for op in found.ops {
            self.carried_out += 1;
            match op {
                Op::Want { name, topic, waiter } => self.channels.want(name, topic, waiter),
                Op::Unwant { name } => self.channels.unwant(&name, self.now),
                Op::CatchUp { waiter } => self.channels.fence(waiter),
            }
        }
        self.channels.expire(self.now, |_| (self.is_wanted)());
    }

    /// Pauses, and begins anew with a server that answers.
    fn connect(&mut self, waker: &Waker) {
        let found = self.ops.take(waker);
        self.accept(found);
        if self.habit != Habit::KeepsTheOldConnection {
            self.channels.connected();
        }
        self.server = Server::default();
        self.connections += 1;
    }

    /// Whether the channel is known. When it is and nothing is left to do, it is active.
    pub(super) fn knows(&self) -> bool {
        self.channels.topic(&name()).is_some()
    }
}
