use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{Channel, ChannelEvent, ClientInfo, Publication, StreamPosition};
use flywheel_stream::{History, HistoryQuery, Retention, Version};

use crate::{Answer, EngineError};

/// Where an engine delivers what happens in channels that this node is subscribed to.
///
/// Implemented by the node. An engine calls it under its own per-channel order, so it must return at once.
pub trait Sink: Send + Sync + 'static {
    /// Hands an event to every shard with subscribers of the channel.
    fn deliver(&self, event: ChannelEvent);

    /// Events of the channel may have been lost, or its stream may have become another one: every subscription that keeps
    /// a position is to be compared with the stream, and what it lacks delivered. Returns at once.
    fn gap(&self, channel: &Channel);

    /// Whether anybody on this node is subscribed. Lets an engine that unsubscribes late see that somebody came back: see
    /// [`Broker::unsubscribe`].
    fn has_subscribers(&self, channel: &Channel) -> bool;
}

/// How to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// Append to the channel's stream; `None` publishes past it, without an offset.
    pub history: Option<Retention>,
    /// Publications with a key that was used in this channel within five minutes are not made again.
    pub idempotency_key: Option<String>,
    /// Publications that are not newer than what the stream has are not made. Ignored without history.
    pub version: Option<Version>,
    /// Hand the publication before it, read at the instant of the append, to the sink too, so that subscribers can be
    /// sent the difference. Ignored without history.
    pub delta: bool,
}

/// What came of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// Made, at this position; `None` past the stream.
    Made(Option<StreamPosition>),
    /// Made before, under the same idempotency key, at this position.
    Repeated(Option<StreamPosition>),
    /// Not newer than what the stream, which ends here, has.
    Superseded(StreamPosition),
}

impl Published {
    /// The position to tell the publisher.
    pub fn position(&self) -> Option<&StreamPosition> {
        match self {
            Self::Made(position) | Self::Repeated(position) => position.as_ref(),
            Self::Superseded(top) => Some(top),
        }
    }
}

/// Carries publications, joins and leaves, and keeps streams.
///
/// Do not implement it for something that cannot keep the order of one channel's publications.
pub trait Broker: Send + Sync + 'static {
    /// Publishes. Once the answer is there, the publication is in the stream and on its way to every subscriber.
    fn publish(
        &self,
        channel: &Channel,
        publication: Publication,
        options: PublishOptions,
    ) -> Answer<Result<Published, EngineError>>;

    /// Publishes a join. May be lost.
    fn publish_join(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>>;

    /// Publishes a leave. May be lost.
    fn publish_leave(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>>;

    /// From the answer on, events of the channel reach the sink.
    fn subscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>>;

    /// Events of the channel need not reach the sink any more.
    ///
    /// Calls come from several threads, so this one may be overtaken by a `subscribe` of the same channel that was made
    /// after it, and may itself overtake one that was made before it. An engine therefore asks
    /// [`Sink::has_subscribers`] at the moment at which it gives the channel up, and keeps it if somebody is there. After
    /// a `subscribe` that was answered late the node asks once more to give up a channel that nobody wants.
    fn unsubscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>>;

    /// Reads the stream and its top at one instant. A stream that does not exist begins with this call, so that its
    /// epoch is known; it is forgotten `meta_ttl` after its last use.
    fn history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
        meta_ttl: Duration,
    ) -> Answer<Result<History, EngineError>>;

    /// Drops the publications; epoch and top stay.
    fn remove_history(&self, channel: &Channel) -> Answer<Result<(), EngineError>>;
}

/// How many are present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Distinct users.
    pub users: usize,
}

/// Knows who is subscribed, over all nodes.
pub trait Presence: Send + Sync + 'static {
    /// Adds a client, or puts off the time at which its entry expires.
    fn add(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>>;

    /// Puts off the expiry of many entries in one call; one that is missing is added. An error means that some were not.
    fn refresh(&self, entries: &[(Channel, Box<ClientInfo>)]) -> Answer<Result<(), EngineError>> {
        let added = entries.iter().map(|(channel, info)| self.add(channel, (**info).clone()));
        added.fold(Answer::Now(Ok(())), |all, one| all.then(move |all| one.map(move |one| all.and(one))))
    }

    /// Removes a client.
    fn remove(&self, channel: &Channel, client: &str) -> Answer<Result<(), EngineError>>;

    /// Everybody, in the order of client ids.
    fn clients(&self, channel: &Channel) -> Answer<Result<Vec<Arc<ClientInfo>>, EngineError>>;

    /// How many.
    fn stats(&self, channel: &Channel) -> Answer<Result<PresenceStats, EngineError>>;
}
