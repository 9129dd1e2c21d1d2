use flywheel_model::{Caller, Channel, ConnectClaims, Payload, Renewal, SubscribeGrant, Tags};
use flywheel_stream::Version;

use crate::Answer;

/// Who connects, for a backend that authenticates.
#[derive(Debug, Clone)]
pub struct ConnectCall {
    /// The connection; it has no user yet.
    pub caller: Caller,
    /// `data` of the connect command; empty for none.
    pub data: Payload,
    /// Name of the client's software; empty for none.
    pub name: String,
    /// Its version; empty for none.
    pub version: String,
    /// Server-side subscriptions that the client knows of.
    pub channels: Vec<String>,
}

/// A client asks to subscribe.
#[derive(Debug, Clone)]
pub struct SubscribeCall {
    /// The connection.
    pub caller: Caller,
    /// The channel.
    pub channel: Channel,
    /// `data` of the subscribe command; empty for none.
    pub data: Payload,
}

/// A client asks to publish.
#[derive(Debug, Clone)]
pub struct PublishCall {
    /// The connection.
    pub caller: Caller,
    /// The channel.
    pub channel: Channel,
    /// The payload.
    pub data: Payload,
}

/// How the server is to publish what a client asked to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishGrant {
    /// What to publish in its place; `None` publishes the client's payload.
    pub data: Option<Payload>,
    /// Publish past the stream.
    pub skip_history: bool,
    /// Tags.
    pub tags: Tags,
    /// Makes it once within five minutes.
    pub idempotency_key: Option<String>,
    /// Whether it is a candidate for a delta.
    pub delta: bool,
    /// Makes it only if it is newer than what the stream has.
    pub version: Option<Version>,
}

/// A client calls a procedure.
#[derive(Debug, Clone)]
pub struct RpcCall {
    /// The connection.
    pub caller: Caller,
    /// Its name, with the namespace.
    pub method: String,
    /// The argument; empty for none.
    pub data: Payload,
}

/// A subscription's time is up.
#[derive(Debug, Clone)]
pub struct SubRefreshCall {
    /// The connection.
    pub caller: Caller,
    /// The channel.
    pub channel: Channel,
}

/// Why a backend did not say yes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// It refused: the client gets this as an error reply.
    #[error("the backend answered error {code} {message}")]
    Error {
        /// 400 to 1999 belong to applications; not checked.
        code: u32,
        /// For people.
        message: String,
        /// Whether the same command may work later.
        temporary: bool,
    },
    /// It ends the connection.
    #[error("the backend answered disconnect {code} {reason}")]
    Disconnect {
        /// 4000 to 4999 belong to applications; not checked.
        code: u32,
        /// For people.
        reason: String,
    },
    /// There is no answer that means anything: it cannot be reached, took too long, or said nonsense. It may or may not
    /// have acted. The client is told 100, and the text is for the log.
    #[error("backend failed: {0}")]
    Failed(String),
}

/// The application, asked about what its clients do.
///
/// Every call answers within a deadline of its own, which includes the time it waits for its turn, and is made once: an
/// implementation repeats nothing. A client's calls may overlap; who wants them in order waits for the answers.
/// Do not implement it for something that is to be told about events but has no say: that is no backend.
///
/// Source: server API, sections 6 and 7.
pub trait Backend: Send + Sync + 'static {
    /// Who is it? `None` when the backend names nobody, which leaves it to the server whether nobody may connect.
    fn connect(&self, call: Box<ConnectCall>) -> Answer<Result<Option<Box<ConnectClaims>>, BackendError>>;

    /// The connection's time is up: does it go on?
    fn refresh(&self, caller: Caller) -> Answer<Result<Renewal, BackendError>>;

    /// May it subscribe, and with what?
    fn subscribe(&self, call: Box<SubscribeCall>) -> Answer<Result<Box<SubscribeGrant>, BackendError>>;

    /// May it publish, and what?
    fn publish(&self, call: Box<PublishCall>) -> Answer<Result<Box<PublishGrant>, BackendError>>;

    /// What does the procedure return? Empty for nothing.
    fn rpc(&self, call: Box<RpcCall>) -> Answer<Result<Payload, BackendError>>;

    /// The subscription's time is up: does it go on?
    fn sub_refresh(&self, call: Box<SubRefreshCall>) -> Answer<Result<Renewal, BackendError>>;
}

/// Stands where a backend is configured that this server cannot call: what it would decide is refused with error 108.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBackend;

impl NoBackend {
    fn refused<T: Send + 'static>() -> Answer<Result<T, BackendError>> {
        Answer::Now(Err(BackendError::Error { code: 108, message: "not available".into(), temporary: false }))
    }
}

impl Backend for NoBackend {
    fn connect(&self, _: Box<ConnectCall>) -> Answer<Result<Option<Box<ConnectClaims>>, BackendError>> {
        Self::refused()
    }

    fn refresh(&self, _: Caller) -> Answer<Result<Renewal, BackendError>> {
        Self::refused()
    }

    fn subscribe(&self, _: Box<SubscribeCall>) -> Answer<Result<Box<SubscribeGrant>, BackendError>> {
        Self::refused()
    }

    fn publish(&self, _: Box<PublishCall>) -> Answer<Result<Box<PublishGrant>, BackendError>> {
        Self::refused()
    }

    fn rpc(&self, _: Box<RpcCall>) -> Answer<Result<Payload, BackendError>> {
        Self::refused()
    }

    fn sub_refresh(&self, _: Box<SubRefreshCall>) -> Answer<Result<Renewal, BackendError>> {
        Self::refused()
    }
}
