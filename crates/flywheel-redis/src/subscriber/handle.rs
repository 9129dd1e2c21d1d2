use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::{Channel, Timestamp};
use flywheel_runtime::{Clock, Random, Tasks};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::channels::{Channels, Rules};
use super::ops::{Op, Ops};
use super::task::Task;
use crate::link::{Endpoint, LinkSettings, ServerError};

/// What a channel of the server is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// What happens in one of our channels.
    Channel(Channel),
    /// Messages between nodes.
    Control,
    /// Our own probes.
    Probe,
}

/// Who is told what is heard. Nothing may wait in here: the connection's reader calls it.
pub trait Listener: Send + Sync + 'static {
    /// Something was published.
    fn message(&self, topic: &Topic, payload: &Bytes);

    /// The channel was acknowledged anew: between the connection before and this one, messages may have been missed.
    fn resumed(&self, topic: &Topic);

    /// The server gave the channel up by itself, because its slot moves. It is asked for again; where to is decided by
    /// whoever says which server is to be listened to.
    fn evicted(&self, topic: &Topic);

    /// Whether anybody wants the channel, asked before it is left.
    fn is_wanted(&self, topic: &Topic) -> bool;
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct SubscriberSettings {
    /// How to talk to the server.
    pub link: LinkSettings,
    /// Channels are those of one slot each: what is published with `SPUBLISH`.
    pub is_sharded: bool,
    /// Channels in one command.
    pub batch: usize,
    /// Time for the server to acknowledge a channel.
    pub ack_timeout: Duration,
    /// How long a channel is kept that nobody wants.
    pub linger: Duration,
    /// Requests that wait for the connection's task; further ones fail.
    pub requests_max: usize,
}

impl SubscriberSettings {
    /// As is usual.
    pub fn new(link: LinkSettings) -> Self {
        Self {
            link,
            is_sharded: false,
            batch: 512,
            ack_timeout: Duration::from_secs(1),
            linger: Duration::from_secs(1),
            requests_max: 1 << 17,
        }
    }
}

/// Why a channel is not subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The server refuses it.
    #[error("{0}")]
    Refused(ServerError),
    /// It was not acknowledged before the deadline. It is still wanted, and acknowledged later if nobody leaves it.
    #[error("not acknowledged before the deadline: {0}")]
    TimedOut(String),
    /// Too many requests are waiting.
    #[error("too many requests are waiting")]
    TooMany,
    /// The task is gone: the server stops.
    #[error("stopping")]
    Stopping,
}

/// Whether a connection has read what there was for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaughtUp {
    /// All of it.
    Yes,
    /// There is so much that it is read later, or the server is silent.
    NotYet,
    /// The connection has ended meanwhile.
    Lost,
}

/// What the connection is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberState {
    /// Counts connections, from 1 on.
    pub generation: u64,
    /// Whether there is one.
    pub is_up: bool,
    /// Why not; empty when there is.
    pub reason: String,
}

/// A connection that hears, and the task that replaces it. Ends when dropped.
#[derive(Debug)]
pub struct Subscriber {
    ops: Arc<Ops>,
    state: watch::Receiver<SubscriberState>,
    clock: Clock,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.ops.stop();
    }
}

impl Subscriber {
    /// Begins to listen to the server that `target` names, and to another one whenever that changes. While it names none,
    /// what is wanted is remembered.
    pub fn start(
        settings: SubscriberSettings,
        target: watch::Receiver<Option<Endpoint>>,
        listener: Arc<dyn Listener>,
        clock: &Clock,
        random: &Arc<Random>,
        tasks: &Tasks,
    ) -> Self {
        let ops = Arc::new(Ops::new(settings.requests_max));
        let first = SubscriberState { generation: 0, is_up: false, reason: "not connected yet".into() };
        let (report, state) = watch::channel(first);
        let task = Task {
            channels: Channels::new(Rules::of(&settings)),
            settings,
            target,
            listener,
            ops: Arc::clone(&ops),
            report,
            clock: clock.clone(),
            random: Arc::clone(random),
        };
        tasks.spawn_background(task.run());
        Self { ops, state, clock: clock.clone() }
    }

    /// Wants what is published to `name`, and waits until the server has acknowledged it.
    ///
    /// Cancel safe: the channel is then wanted all the same.
    ///
    /// # Errors
    /// [`SubscribeError`]; except when it was refused, the channel is wanted all the same.
    pub async fn subscribe(
        &self,
        name: String,
        topic: Topic,
        deadline: Timestamp,
    ) -> Result<(), SubscribeError> {
        let (waiter, answer) = oneshot::channel();
        self.ops.push(Op::Want { name: name.into(), topic, waiter: Some(waiter) })?;
        match timeout(deadline.since(self.clock.now().at), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(SubscribeError::Stopping),
            Err(_) => Err(SubscribeError::TimedOut(self.state.borrow().reason.clone())),
        }
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// [`SubscribeError::TooMany`].
    pub fn want(&self, name: String, topic: Topic) -> Result<(), SubscribeError> {
        self.ops.push(Op::Want { name: name.into(), topic, waiter: None })
    }

    /// Wants no more what is published to `name`. The server is told after [`SubscriberSettings::linger`], unless somebody
    /// has come back.
    ///
    /// # Errors
    /// [`SubscribeError::TooMany`]: then the channel stays until it is unwanted again.
    pub fn unsubscribe(&self, name: String) -> Result<(), SubscribeError> {
        self.ops.push(Op::Unwant { name: name.into() })
    }

    /// Waits until everything was read that the server had to say when this was asked for. It answers in order, so that what
    /// it said before and was not heard by then is lost.
    ///
    /// Cancel safe.
    pub async fn catch_up(&self, within: Duration) -> CaughtUp {
        let (waiter, answer) = oneshot::channel();
        if self.ops.push(Op::CatchUp { waiter }).is_err() {
            return CaughtUp::Lost;
        }
        match timeout(within, answer).await {
            Ok(Ok(())) => CaughtUp::Yes,
            Ok(Err(_)) => CaughtUp::Lost,
            Err(_) => CaughtUp::NotYet,
        }
    }

    /// Replaces the connection, because there is reason to doubt it.
    pub fn restart(&self, why: impl Into<String>) {
        self.ops.restart(why.into());
    }

    /// What the connection is like now, and whenever that changes.
    pub fn states(&self) -> watch::Receiver<SubscriberState> {
        self.state.clone()
    }
}
