//! The operations of the server API.
//!
//! Source: server API, sections 2 and 3.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{PresenceStats, PublishOptions, Recipient};
use flywheel_hub::Match;
use flywheel_metrics::{Action, MessageType, SuppressReason};
use flywheel_model::{
    Channel, ChannelOptions, ClientId, ClientInfo, Payload, Publication, SessionId, StreamPosition, Tags,
    UnixSeconds, UserId,
};
use flywheel_protocol::Disconnect;
use flywheel_protocol::control::{Body, ChannelCounts, ChannelsQuery};
use flywheel_session::ServerSubscribe;
use flywheel_stream::{History, HistoryQuery, Version};
use prost::Message;

use crate::Node;
use crate::asks::retention;
use crate::cluster::{CHANNELS, Numbers, translate};
use crate::post::{Mail, Operation};
use crate::verdict::for_api;

/// Why a call was refused. The numbers are in section 1.4 of the server API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 100.
    #[error("internal server error")]
    Internal,
    /// 102.
    #[error("unknown channel")]
    UnknownChannel,
    /// 104.
    #[error("not found")]
    NotFound,
    /// 107.
    #[error("bad request")]
    BadRequest,
    /// 108.
    #[error("not available")]
    NotAvailable,
    /// 112.
    #[error("unrecoverable position")]
    UnrecoverablePosition,
}

impl ApiError {
    /// The code that stands for it.
    pub const fn code(self) -> u32 {
        match self {
            Self::Internal => 100,
            Self::UnknownChannel => 102,
            Self::NotFound => 104,
            Self::BadRequest => 107,
            Self::NotAvailable => 108,
            Self::UnrecoverablePosition => 112,
        }
    }
}

/// A publication to make, into one or many channels.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The payload.
    pub data: Payload,
    /// Its tags.
    pub tags: Tags,
    /// Publish past the stream.
    pub skip_history: bool,
    /// Makes it once within five minutes, per channel.
    pub idempotency_key: Option<String>,
    /// Makes it only if it is newer than what the stream has.
    pub version: Option<Version>,
    /// Sends subscribers that negotiated it the difference to the publication before.
    pub delta: bool,
}

/// What came of a broadcast, per channel, in their order.
pub type BroadcastResult = Vec<Result<Option<StreamPosition>, ApiError>>;

/// Which connections a call means.
#[derive(Debug, Clone, Default)]
pub struct Whom {
    /// Of this user; empty for those without one.
    pub user: String,
    /// Only this connection; empty for all.
    pub client: String,
    /// Only this connection; empty for all.
    pub session: String,
}

impl Whom {
    /// `None` when an id is given that no connection can have.
    pub(crate) fn matching(&self) -> Option<Match> {
        let client = match self.client.as_str() {
            "" => None,
            id => Some(ClientId::parse(id)?),
        };
        let session = match self.session.as_str() {
            "" => None,
            id => Some(SessionId::parse(id)?),
        };
        Some(Match { user: UserId::from(self.user.as_str()), client, session })
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// Names this run of the server.
    pub uid: String,
    /// Name for people.
    pub name: String,
    /// Server version.
    pub version: String,
    /// Connections.
    pub clients: usize,
    /// Distinct users.
    pub users: usize,
    /// Channels with a subscriber.
    pub channels: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Time since the start.
    pub uptime: Duration,
    /// Numbers of the last window; `None` before the first one has ended.
    pub metrics: Option<Numbers>,
}

/// How long a publisher waits for shards that are far behind.
const BACKPRESSURE_MAX: Duration = Duration::from_secs(1);
const BACKPRESSURE_STEP: Duration = Duration::from_millis(1);

impl Node {
    /// Publishes. Answers the position in the stream, if the channel has one.
    ///
    /// # Errors
    /// 107, 102, 100.
    pub async fn publish(
        &self,
        channel: &str,
        request: PublishRequest,
    ) -> Result<Option<StreamPosition>, ApiError> {
        let channel = named(channel)?;
        let settings = self.settings();
        let options = options_of(&settings, &channel)?;
        if !options.publication_data_format.admits(&request.data) {
            return Err(ApiError::BadRequest);
        }
        self.wait_for_shards().await;
        let PublishRequest { data, tags, skip_history, idempotency_key, version, delta } = request;
        let options = PublishOptions {
            history: retention(options).filter(|_| !skip_history),
            idempotency_key,
            version,
            delta: delta || options.delta_publish,
        };
        let publication = Publication { tags, ..Publication::of(data) };
        self.parts.metrics.node.message_sent(MessageType::Publication);
        let published =
            self.parts.broker.publish(&channel, publication, options).wait().await.map_err(for_api)?;
        match &published {
            flywheel_engine::Published::Made(_) => {}
            flywheel_engine::Published::Repeated(_) => {
                self.parts.metrics.node.publication_suppressed(SuppressReason::Idempotency);
            }
            flywheel_engine::Published::Superseded(_) => {
                self.parts.metrics.node.publication_suppressed(SuppressReason::Version);
            }
        }
        Ok(published.position().cloned())
    }

    /// Publishes into each channel, independently.
    pub async fn broadcast(&self, channels: &[String], request: &PublishRequest) -> BroadcastResult {
        let mut results = Vec::with_capacity(channels.len());
        for channel in channels {
            results.push(self.publish(channel, request.clone()).await);
        }
        results
    }

    /// Subscribes connections to a channel.
    ///
    /// # Errors
    /// 107, 102, 100.
    pub async fn subscribe_clients(
        &self,
        whom: &Whom,
        channel: &str,
        request: ServerSubscribe,
    ) -> Result<(), ApiError> {
        let channel = self.existing(channel)?;
        let settings = self.settings();
        let told = translate::subscribe(whom, &channel, &request, options_of(&settings, &channel)?);
        let operation = |matching| Operation::Subscribe(matching, channel.clone(), Box::new(request.clone()));
        self.operate(whom, operation, told).await
    }

    /// Unsubscribes connections from a channel.
    ///
    /// # Errors
    /// 107, 102, 100.
    pub async fn unsubscribe_clients(&self, whom: &Whom, channel: &str) -> Result<(), ApiError> {
        let channel = self.existing(channel)?;
        let told = translate::unsubscribe(whom, &channel);
        self.operate(whom, |matching| Operation::Unsubscribe(matching, channel.clone()), told).await
    }

    /// Closes connections, except those whose client id is in `kept`.
    ///
    /// # Errors
    /// 100.
    pub async fn disconnect_clients(
        &self,
        whom: &Whom,
        disconnect: Disconnect,
        kept: &[String],
    ) -> Result<(), ApiError> {
        let told = translate::disconnect(whom, &disconnect, kept);
        let operation = |matching| Operation::Disconnect(matching, disconnect.clone(), kept.to_vec());
        self.operate(whom, operation, told).await
    }

    /// Sets a new expiry, `None` for never, and `conn_info` with it.
    ///
    /// # Errors
    /// 100.
    pub async fn refresh_clients(
        &self,
        whom: &Whom,
        expire_at: Option<UnixSeconds>,
        info: Option<Payload>,
    ) -> Result<(), ApiError> {
        let told = translate::refresh(whom, expire_at, info.as_ref());
        self.operate(whom, |matching| Operation::Refresh(matching, expire_at, info.clone()), told).await
    }

    /// Who is present.
    ///
    /// # Errors
    /// 107, 102, 108, 100.
    pub async fn presence(&self, channel: &str) -> Result<Vec<Arc<ClientInfo>>, ApiError> {
        let channel = self.with_presence(channel)?;
        self.parts.metrics.node.action(Action::Presence);
        self.parts.presence.clients(&channel).wait().await.map_err(for_api)
    }

    /// How many are present.
    ///
    /// # Errors
    /// 107, 102, 108, 100.
    pub async fn presence_stats(&self, channel: &str) -> Result<PresenceStats, ApiError> {
        let channel = self.with_presence(channel)?;
        self.parts.metrics.node.action(Action::PresenceStats);
        self.parts.presence.stats(&channel).wait().await.map_err(for_api)
    }

    /// Reads a stream.
    ///
    /// # Errors
    /// 107, 102, 108, 112, 100.
    pub async fn history(&self, channel: &str, query: HistoryQuery) -> Result<History, ApiError> {
        let channel = self.with_history(channel)?;
        if query.reverse && query.since.as_ref().is_some_and(|since| since.offset == 0) {
            return Err(ApiError::BadRequest);
        }
        self.read_history(&channel, query).wait().await.map_err(for_api)
    }

    /// Drops a stream's publications.
    ///
    /// # Errors
    /// 107, 102, 108, 100.
    pub async fn remove_history(&self, channel: &str) -> Result<(), ApiError> {
        let channel = self.with_history(channel)?;
        self.parts.metrics.node.action(Action::HistoryRemove);
        self.parts.broker.remove_history(&channel).wait().await.map_err(for_api)
    }

    /// Channels that match a glob, `None` for all, and their numbers of subscribers over all nodes.
    ///
    /// # Errors
    /// 107 for a malformed pattern, 100, also when a node does not answer.
    pub async fn channels(&self, pattern: Option<&str>) -> Result<BTreeMap<Channel, usize>, ApiError> {
        let glob = pattern.map(glob).transpose()?;
        self.parts.metrics.node.action(Action::Survey);
        let query = ChannelsQuery { pattern: pattern.unwrap_or_default().to_owned() };
        let others = self.survey(CHANNELS, query.encode_to_vec().into(), None);
        let (own, others) = tokio::join!(self.own_channels(glob), others);
        let (mut channels, others) = (own?, others.map_err(internal)?);
        for (uid, answer) in others {
            let counts = ChannelCounts::decode(answer).map_err(|error| {
                tracing::error!(%error, uid, "a node's answer about its channels cannot be read");
                ApiError::Internal
            })?;
            for (channel, count) in counts.channels {
                let count = usize::try_from(count.num_clients).unwrap_or(usize::MAX);
                *channels.entry(Channel::from(channel.as_str())).or_default() += count;
            }
        }
        Ok(channels)
    }

    pub(crate) async fn own_channels(
        &self,
        pattern: Option<Arc<globset::GlobMatcher>>,
    ) -> Result<BTreeMap<Channel, usize>, ApiError> {
        let answers =
            self.ask_shards(|answer| Mail::Channels(pattern.clone(), answer)).await.map_err(internal)?;
        let mut channels = BTreeMap::new();
        for (channel, count) in answers.into_iter().flatten() {
            *channels.entry(channel).or_default() += count;
        }
        Ok(channels)
    }

    /// What the nodes of the cluster say of themselves, this one first, then the others as they last did.
    pub fn info(&self) -> Vec<Info> {
        std::iter::once(self.own_info()).chain(self.cluster.peers()).collect()
    }

    /// What this node says of itself. Takes no lock of the delivery path and asks nobody.
    pub fn own_info(&self) -> Info {
        let counts = || self.posts().iter().map(|post| post.counts());
        Info {
            uid: self.parts.uid.clone(),
            name: self.parts.name.clone(),
            version: self.parts.version.clone(),
            clients: counts().map(|count| count.clients).sum(),
            users: self.users.len(),
            channels: self.parts.routes.len(),
            subscriptions: counts().map(|count| count.subscriptions).sum(),
            uptime: self.clock().now().at.since(self.started),
            metrics: self.cluster.metrics(),
        }
    }

    /// Closes every connection and waits until they are gone, at most for `patience`.
    pub async fn shut_down(&self, disconnect: &Disconnect, patience: Duration) {
        if self.ask_shards(|answer| Mail::Shutdown(disconnect.clone(), patience, answer)).await.is_err() {
            tracing::warn!("a shard did not close all connections in time");
        }
    }

    /// Has it done by the shards of this node and waits for them, and tells the other nodes.
    async fn operate(
        &self,
        whom: &Whom,
        operation: impl Fn(Match) -> Operation,
        told: Body,
    ) -> Result<(), ApiError> {
        let Some(matching) = whom.matching() else {
            return Ok(());
        };
        self.ask_shards(|answer| Mail::Operation(operation(matching.clone()), answer))
            .await
            .map_err(internal)?;
        self.tell_nodes(Recipient::All, told).await.map_err(internal)
    }

    /// Slows a publisher down while shards are far behind, instead of letting their queues grow.
    async fn wait_for_shards(&self) {
        let mut waited = Duration::ZERO;
        while self.parts.routes.is_crowded() && waited < BACKPRESSURE_MAX {
            tokio::time::sleep(BACKPRESSURE_STEP).await;
            waited += BACKPRESSURE_STEP;
        }
    }

    fn existing(&self, channel: &str) -> Result<Channel, ApiError> {
        let channel = named(channel)?;
        options_of(&self.settings(), &channel)?;
        Ok(channel)
    }

    fn with_presence(&self, channel: &str) -> Result<Channel, ApiError> {
        let channel = named(channel)?;
        let on = options_of(&self.settings(), &channel)?.presence;
        if on { Ok(channel) } else { Err(ApiError::NotAvailable) }
    }

    fn with_history(&self, channel: &str) -> Result<Channel, ApiError> {
        let channel = named(channel)?;
        let on = options_of(&self.settings(), &channel)?.has_history();
        if on { Ok(channel) } else { Err(ApiError::NotAvailable) }
    }
}

fn options_of<'a>(
    settings: &'a flywheel_session::Settings,
    channel: &Channel,
) -> Result<&'a ChannelOptions, ApiError> {
    settings.rules.options(channel.as_str()).map(Arc::as_ref).map_err(|_| ApiError::UnknownChannel)
}

fn named(channel: &str) -> Result<Channel, ApiError> {
    if channel.is_empty() { Err(ApiError::BadRequest) } else { Ok(Channel::from(channel)) }
}

/// `*` also matches boundaries, and `[!…]` negates.
pub(crate) fn glob(pattern: &str) -> Result<Arc<globset::GlobMatcher>, ApiError> {
    let glob = globset::GlobBuilder::new(pattern).literal_separator(false).backslash_escape(true).build();
    glob.map(|glob| Arc::new(glob.compile_matcher())).map_err(|_| ApiError::BadRequest)
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "a server API call failed");
    ApiError::Internal
}
