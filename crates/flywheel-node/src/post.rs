use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use flywheel_hub::{ClientKey, HealId, Match};
use flywheel_model::{Channel, ChannelEvent, Payload, SessionId, Timestamp, UnixSeconds, UserId};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::EmulatedFrame;
use flywheel_runtime::{Bell, Full, Mailbox, Marks, Pulse};
use flywheel_session::{Ask, Context, Outcome, ServerSubscribe, Settings};
use flywheel_stream::History;
use tokio::sync::oneshot;

/// Where an operation's answer goes; nobody may be waiting for it any more.
pub type Answering<T> = oneshot::Sender<T>;

/// What one shard is asked to do with the clients that are meant.
#[derive(Debug, Clone)]
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
    /// A session's question was answered. If the client is gone, what the answer says was done is to be undone.
    Outcome(ClientKey, Context, Outcome, Option<Undo>),
    /// The server API wants something done. Answered when it is.
    Operation(Operation, Answering<()>),
    /// Which channels that match have how many subscribers here?
    Channels(Option<Arc<globset::GlobMatcher>>, Answering<Vec<(Channel, usize)>>),
    /// A frame for the connection with this session came in a request of its own. Answered once it is dealt with, with
    /// `false` when too many wait.
    Frame(SessionId, EmulatedFrame, Answering<bool>),
    /// Answered once all mail before it has been read.
    Flush(Answering<()>),
    /// The stream that the healing of a channel asked for; `None` when it could not be read.
    Healed(Channel, HealId, Option<History>),
    /// The engine may have lost events of this channel: positions are to be compared with its stream.
    Gap(Channel),
    /// New settings are in force.
    Settings(Arc<Settings>),
    /// Close everybody with this code, evenly over the given time, and whoever still comes at once.
    Depart(Disconnect, Duration),
    /// Those who are still here may stay, and others may come.
    Stay,
    /// Stop accepting and close everybody with this code. Answered when all connections are gone; those that are not
    /// after the given time are dropped.
    Shutdown(Disconnect, Duration, Answering<()>),
}

/// What is left to do when an answer comes for nobody; see [`Node::undo`](crate::Node::undo).
#[derive(Debug)]
pub enum Undo {
    /// The node counts one more connection of this user.
    Admitted(UserId),
    /// The broker routes the channel here, and this client may be present in it.
    Subscribed(Channel, Option<String>),
}

impl Undo {
    /// What a question, when it is answered well, leaves to be undone.
    pub fn of(ask: &Ask) -> Option<Self> {
        match ask {
            Ask::Admit(user) => Some(Self::Admitted(user.clone())),
            Ask::Subscribe(plan) => {
                let client = plan.presence.as_ref().map(|info| info.client.clone());
                Some(Self::Subscribed(plan.channel.clone(), client))
            }
            _ => None,
        }
    }
}

/// A place in a shard's mailbox, kept for an answer, so that it cannot be lost. Given back when it is dropped.
#[derive(Debug)]
pub struct Place(Option<Arc<ShardPost>>);

impl Place {
    /// Puts the answer there.
    pub fn send(mut self, mail: Mail) {
        if let Some(post) = self.0.take() {
            post.mail.push_reserved(mail);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(post) = self.0.take() {
            post.mail.release(1);
        }
    }
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
    /// Shows whether the shard turns; it beats once per turn, and turns once a second at least.
    pub pulse: Pulse,
    clients: AtomicUsize,
    subscriptions: AtomicUsize,
    dropped: AtomicU64,
    /// Channels of what was dropped. Its lock is taken under a stripe of the routes.
    gapped: Marks<Channel>,
}

/// Bytes of deliveries that may wait for a shard: what it can write in a fraction of a second.
const DELIVERIES_BYTES_MAX: usize = 64 << 20;
/// Mail is counted as one "byte" each: it comes from calls that wait for an answer, so there is never much of it.
const MAIL_MAX: usize = 1 << 20;

impl ShardPost {
    /// Empty mailboxes that ring `bell`. `now` is when the shard begins.
    pub fn new(bell: Arc<Bell>, now: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            deliveries: Mailbox::new(DELIVERIES_BYTES_MAX, Arc::clone(&bell)),
            mail: Mailbox::new(MAIL_MAX, Arc::clone(&bell)),
            gapped: Marks::new(Arc::clone(&bell)),
            bell,
            pulse: Pulse::new(now),
            clients: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        })
    }

    /// Delivers an event. One that has no room is dropped and counted, and its channel remembered as one with a gap.
    pub fn deliver(&self, event: ChannelEvent) {
        let weight = event.weight();
        if let Err(Full(event)) = self.deliveries.push(event, weight) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.gapped.mark(event.channel);
        }
    }

    /// Channels of events that had no room since this was last asked, in no order.
    pub fn take_gapped(&self) -> Vec<Channel> {
        self.gapped.take()
    }

    /// Whether nothing waits for the shard. Looked at after [`Bell::prepare`], it misses nothing.
    pub fn is_idle(&self) -> bool {
        self.deliveries.is_empty() && self.mail.is_empty() && self.gapped.is_empty()
    }

    /// A place for an answer that will come; `None` when there is no room for more questions.
    pub fn reserve(self: &Arc<Self>) -> Option<Place> {
        self.mail.reserve(1).then(|| Place(Some(Arc::clone(self))))
    }

    /// Sends mail. Whoever waits for an answer to mail that had no room sees its channel closed.
    pub fn send(&self, mail: Mail) {
        if let Err(Full(mail)) = self.mail.push(mail, 1) {
            tracing::error!(?mail, "a shard's mailbox is full");
        }
    }

    /// The same for callers that hold a lock, under which nothing is written into the log. Answers whether there was room.
    pub(crate) fn try_send(&self, mail: Mail) -> bool {
        self.mail.push(mail, 1).is_ok()
    }

    /// Tells that a channel may have lost something, for which there is always room.
    pub(crate) fn gap(&self, channel: &Channel) {
        if !self.try_send(Mail::Gap(channel.clone())) {
            self.gapped.mark(channel.clone());
        }
    }

    /// The shard says what it holds.
    pub fn set_counts(&self, counts: ShardCounts) {
        self.clients.store(counts.clients, Ordering::Relaxed);
        self.subscriptions.store(counts.subscriptions, Ordering::Relaxed);
    }

    /// What the shard last said that it holds. Takes no lock and asks nobody.
    pub fn counts(&self) -> ShardCounts {
        ShardCounts {
            clients: self.clients.load(Ordering::Relaxed),
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
        }
    }

    /// Deliveries dropped since this was last asked.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}
