use crate::json::members;

use super::message::{
    ConnectRequest, Empty, HistoryRequest, PresenceRequest, PresenceStatsRequest, PublishRequest,
    RefreshRequest, RpcRequest, SendRequest, SubRefreshRequest, SubscribeRequest, UnsubscribeRequest,
};

/// What a client sent cannot be read: disconnect 3501.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed command: {0}")]
pub struct Malformed(pub String);

/// A command as it stands on the wire: any number of its members may be set.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Envelope {
    #[prost(uint32, tag = 1)]
    id: u32,
    #[prost(message, optional, boxed, tag = 4)]
    connect: Option<Box<ConnectRequest>>,
    #[prost(message, optional, boxed, tag = 5)]
    subscribe: Option<Box<SubscribeRequest>>,
    #[prost(message, optional, tag = 6)]
    unsubscribe: Option<UnsubscribeRequest>,
    #[prost(message, optional, tag = 7)]
    publish: Option<PublishRequest>,
    #[prost(message, optional, tag = 8)]
    presence: Option<PresenceRequest>,
    #[prost(message, optional, tag = 9)]
    presence_stats: Option<PresenceStatsRequest>,
    #[prost(message, optional, tag = 10)]
    history: Option<HistoryRequest>,
    #[prost(message, optional, tag = 11)]
    ping: Option<Empty>,
    #[prost(message, optional, tag = 12)]
    send: Option<SendRequest>,
    #[prost(message, optional, tag = 13)]
    rpc: Option<RpcRequest>,
    #[prost(message, optional, tag = 14)]
    refresh: Option<RefreshRequest>,
    #[prost(message, optional, tag = 15)]
    sub_refresh: Option<SubRefreshRequest>,
}

members!(Envelope {
    id,
    connect,
    subscribe,
    unsubscribe,
    publish,
    presence,
    presence_stats,
    history,
    ping,
    send,
    rpc,
    refresh,
    sub_refresh,
});

/// One command of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Echoed in the reply; 0 only for `send` and for a pong.
    pub id: u32,
    /// What is asked.
    pub request: Request,
}

/// What a command asks.
///
/// Source: client protocol, sections 1.4 and 3.2.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Authenticate.
    Connect(Box<ConnectRequest>),
    /// Subscribe to a channel.
    Subscribe(Box<SubscribeRequest>),
    /// Give a subscription up.
    Unsubscribe(UnsubscribeRequest),
    /// Publish into a channel.
    Publish(PublishRequest),
    /// Who is subscribed?
    Presence(PresenceRequest),
    /// How many are subscribed?
    PresenceStats(PresenceStatsRequest),
    /// Read a stream.
    History(HistoryRequest),
    /// Call the application.
    Rpc(RpcRequest),
    /// Tell the application something; there is no reply.
    Send(SendRequest),
    /// Extend the connection.
    Refresh(RefreshRequest),
    /// Extend a subscription.
    SubRefresh(SubRefreshRequest),
    /// Answer to a ping: no id and no `send`.
    Pong,
    /// Nothing that this protocol knows, or only `ping`: disconnect 3501.
    Unknown,
}

impl Request {
    /// Name of the request as metrics label it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Publish(_) => "publish",
            Self::Presence(_) => "presence",
            Self::PresenceStats(_) => "presence_stats",
            Self::History(_) => "history",
            Self::Rpc(_) => "rpc",
            Self::Send(_) => "send",
            Self::Refresh(_) => "refresh",
            Self::SubRefresh(_) => "sub_refresh",
            Self::Pong => "pong",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Envelope> for Command {
    fn from(envelope: Envelope) -> Self {
        let Envelope { id, send, .. } = envelope;
        let request = if id == 0 && send.is_none() {
            Request::Pong
        } else if let Some(request) = envelope.connect {
            Request::Connect(request)
        } else if let Some(request) = envelope.subscribe {
            Request::Subscribe(request)
        } else if let Some(request) = envelope.unsubscribe {
            Request::Unsubscribe(request)
        } else if let Some(request) = envelope.publish {
            Request::Publish(request)
        } else if let Some(request) = envelope.presence {
            Request::Presence(request)
        } else if let Some(request) = envelope.presence_stats {
            Request::PresenceStats(request)
        } else if let Some(request) = envelope.history {
            Request::History(request)
        } else if let Some(request) = envelope.rpc {
            Request::Rpc(request)
        } else if let Some(request) = send {
            Request::Send(request)
        } else if let Some(request) = envelope.refresh {
            Request::Refresh(request)
        } else if let Some(request) = envelope.sub_refresh {
            Request::SubRefresh(request)
        } else {
            Request::Unknown
        };
        Self { id, request }
    }
}
