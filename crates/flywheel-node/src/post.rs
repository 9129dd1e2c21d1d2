use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flywheel_hub::{ClientKey, Match};
use flywheel_model::{Channel, ChannelEvent, Payload, SessionId, UnixSeconds};
use flywheel_protocol::Disconnect;
use flywheel_runtime::{Bell, Full, Mailbox};
use flywheel_session::{Context, Outcome, ServerSubscribe, Settings};
use tokio::sync::oneshot;

/// Where an operation's answer goes; nobody may be waiting for it any more.
pub type Answering<T> = oneshot::Sender<T>;

/// What one shard is asked to do with the clients that are meant.
#[derive(Debug)]
pub enum Operation {
    /// Subscribe them to a channel.
    Subscribe(Match, Channel, Box<ServerSubscribe>),
    /// Unsubscribe them.
    Unsubscribe(Match, Channel),
    /// Close their connections, except those on the list of client ids.
    Disconnect(Match, Disconnect, Vec<String>),
    /// Set a new expiry, `None` for never.
    Refresh(Match, Option<UnixSeconds>, Option<Payload>),
}

/// What a shard holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardCounts {
    /// Connections, also those that have not connected in the protocol's sense.
    pub clients: usize,
    /// Subscriptions.
    pub subscriptions: usize,
}

/// A message to a shard that is no delivery.
#[derive(Debug)]
pub enum Mail {
    /// A session's question was answered.
    Outcome(ClientKey, Context, Outcome),
    /// The server API wants something done. Answered when it is.
    Operation(Operation, Answering<()>),
    /// Which channels that match have how many subscribers here?
    Channels(Option<Arc<globset::GlobMatcher>>, Answering<Vec<(Channel, usize)>>),
    /// A frame for the connection with this session came in a request of its own. Answered once it is dealt with, with
    /// `false` when too many wait.
    Frame(SessionId, Bytes, Answering<bool>),
    /// How many are here?
    Count(Answering<ShardCounts>),
    /// The engine may have lost events of this channel: positions are to be compared with its stream.
    Gap(Channel),
    /// New settings are in force.
    Settings(Arc<Settings>),
    /// Stop accepting and close everybody with this code. Answered when all connections are gone; those that are not
    /// after the given time are dropped.
    Shutdown(Disconnect, Duration, Answering<()>),
}

/// A shard's two mailboxes, which ring one bell.
#[derive(Debug)]
pub struct ShardPost {
    /// What happens in channels, in order.
    pub deliveries: Mailbox<ChannelEvent>,
    /// The rest.
    pub mail: Mailbox<Mail>,
    /// Wakes the shard.
    pub bell: Arc<Bell>,
    dropped: AtomicU64,
}

/// Bytes of deliveries that may wait for a shard: what it can write in a fraction of a second.
const DELIVERIES_BYTES_MAX: usize = 64 << 20;
/// Mail is counted as one "byte" each: it comes from calls that wait for an answer, so there is never much of it.
const MAIL_MAX: usize = 1 << 20;

impl ShardPost {
    /// Empty mailboxes that ring `bell`.
    pub fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self {
            deliveries: Mailbox::new(DELIVERIES_BYTES_MAX, Arc::clone(&bell)),
            mail: Mailbox::new(MAIL_MAX, Arc::clone(&bell)),
            bell,
            dropped: AtomicU64::new(0),
        })
    }

    /// Delivers an event. One that has no room is dropped and counted: positioned subscribers find the gap.
    pub fn deliver(&self, event: ChannelEvent) {
        let weight = event.weight();
        if self.deliveries.push(event, weight).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends mail. Whoever waits for an answer to mail that had no room sees its channel closed.
    pub fn send(&self, mail: Mail) {
        if let Err(Full(mail)) = self.mail.push(mail, 1) {
            tracing::error!(?mail, "a shard's mailbox is full");
        }
    }

    /// Deliveries dropped since this was last asked.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}
