use std::sync::Arc;

use bytes::Bytes;
use flywheel_model::{
    Caller, Channel, ChannelError, ChannelOptions, ClientInfo, ConnectClaims, Now, Payload, Renewal,
    StreamPosition, SubscribeGrant, SubscriptionClaims, UserId,
};
use flywheel_protocol::client::{PresenceResult, PresenceStatsResult, ServerMessage};
use flywheel_protocol::{Disconnect, ErrorCode};
use flywheel_stream::{History, HistoryQuery};

use crate::Settings;
use crate::refusal::{Fault, Refusal};
use crate::subscription::{SubKey, SubRef};

/// What a session sees of the world during one call, and where its effects go.
#[derive(Debug)]
pub struct Turn<'a> {
    /// What time it is.
    pub now: Now,
    /// The settings in force.
    pub settings: &'a Settings,
    /// Bytes that the client's socket has not taken yet.
    pub queued: usize,
    /// Effects are appended here and must be carried out in order.
    pub effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    pub(crate) fn send(&mut self, message: ServerMessage) {
        self.effects.push(Effect::Send(message));
    }

    pub(crate) fn ask(&mut self, context: Context, ask: Ask) {
        self.effects.push(Effect::Ask(context, ask));
    }

    pub(crate) fn tell(&mut self, tell: Tell) {
        self.effects.push(Effect::Tell(tell));
    }

    /// Tells the operator what is wrong with a command about this channel; returns what the client is told.
    pub(crate) fn refuse(&mut self, channel: &str, fault: Fault) -> Failure {
        self.explain(channel, fault);
        fault.into()
    }

    /// The same where the command decides what the client is told.
    pub(crate) fn explain(&mut self, channel: &str, fault: Fault) {
        self.effects.push(Effect::Explain(Box::new(Refusal::new(channel, fault))));
    }

    /// The rules for a channel that a command names, which must not be empty.
    pub(crate) fn options_of(&mut self, channel: &str) -> Result<Arc<ChannelOptions>, Failure> {
        match self.settings.rules.checked(channel) {
            Ok(options) => Ok(Arc::clone(options)),
            Err(ChannelError::IllegalName) => Err(self.refuse(channel, Fault::IllegalName)),
            Err(error @ ChannelError::UnknownNamespace) => Err(error.into()),
        }
    }
}

/// Something that the session wants done.
#[derive(Debug)]
pub enum Effect {
    /// Queue a message for the client.
    Send(ServerMessage),
    /// Send a ping of the transport's own.
    TransportPing,
    /// Flush what is queued, then close with this code. No effect of the session follows but what cleans up.
    Close(Disconnect),
    /// The same, because the connect request of a client that listens only failed with the error of this code.
    Reject(u32, Disconnect),
    /// The client is connected as this user: from now on the server API can find it.
    Register(UserId),
    /// Route the channel's events to this subscription, from now on.
    Attach(SubKey, Channel),
    /// Stop that. Nothing of the channel may reach this subscription any more.
    Detach(SubKey, Channel),
    /// Something of the channel may be missing: read its stream and give every subscription with a position what it
    /// lacks.
    Heal(Channel),
    /// Ask the node; the outcome is fed back with the context, exactly once, within a deadline.
    Ask(Context, Ask),
    /// Tell the node; nobody waits for it.
    Tell(Tell),
    /// Write down why the client's command was refused: the client is told only a code.
    Explain(Box<Refusal>),
}

/// A question to the node.
#[derive(Debug)]
pub enum Ask {
    /// Who is it? Answered by [`Outcome::Connected`].
    Authenticate {
        /// The connection token; may be empty.
        token: String,
        /// Data for an authenticator.
        data: Bytes,
        /// The user that a trusted header names.
        trusted_user: Option<UserId>,
    },
    /// Who does the backend say it is? Answered by [`Outcome::Vouched`].
    Connect(Box<ConnectQuestion>),
    /// Does the backend let the connection go on? Answered by [`Outcome::Renewed`].
    Renew(Box<Caller>),
    /// Does the backend let the subscription to this channel go on? Answered by [`Outcome::Renewed`].
    RenewSubscription(Box<Caller>, Channel),
    /// Does the backend let it subscribe? Answered by [`Outcome::Authorized`].
    Authorize {
        /// The connection.
        caller: Box<Caller>,
        /// The channel.
        channel: Channel,
        /// Data for the backend.
        data: Payload,
    },
    /// What does the backend's procedure return? Answered by [`Outcome::Rpc`].
    Rpc {
        /// The connection.
        caller: Box<Caller>,
        /// The procedure, with its namespace.
        method: String,
        /// The argument.
        data: Payload,
    },
    /// May this user have one more connection? Answered by [`Outcome::Admitted`].
    Admit(UserId),
    /// What does this subscription token say? Answered by [`Outcome::Verified`].
    Verify(String),
    /// Subscribe, note presence and read history, in this order. Answered by [`Outcome::Subscribed`].
    Subscribe(Box<SubscribePlan>),
    /// Publish. Answered by [`Outcome::Done`].
    Publish {
        /// Where to.
        channel: Channel,
        /// The payload.
        data: Payload,
        /// Who publishes.
        info: Box<ClientInfo>,
        /// The backend is asked first, on behalf of this connection, and may change what is published.
        caller: Option<Box<Caller>>,
    },
    /// Answered by [`Outcome::Presence`].
    Presence(Channel),
    /// Answered by [`Outcome::PresenceStats`].
    PresenceStats(Channel),
    /// Answered by [`Outcome::History`].
    History(Channel, HistoryQuery),
}

/// What a backend is asked when a client without a token connects.
#[derive(Debug)]
pub struct ConnectQuestion {
    /// The connection.
    pub caller: Caller,
    /// Data for the backend.
    pub data: Payload,
    /// Name of the client's software.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Server-side subscriptions that the client knows of.
    pub channels: Vec<String>,
}

/// What a subscription needs done before it is live.
#[derive(Debug)]
pub struct SubscribePlan {
    /// The channel.
    pub channel: Channel,
    /// The presence entry to add.
    pub presence: Option<Box<ClientInfo>>,
    /// What to read after that; `None` for nothing.
    pub history: Option<HistoryQuery>,
}

/// A notice to the node.
#[derive(Debug)]
pub enum Tell {
    /// Publish a join event.
    Join(Channel, Box<ClientInfo>),
    /// Publish a leave event.
    Leave(Channel, Box<ClientInfo>),
    /// Add a presence entry.
    AddPresence(Channel, Box<ClientInfo>),
    /// Put off the expiry of these presence entries of one client.
    RefreshPresence(Vec<(Channel, Box<ClientInfo>)>),
    /// This client is to be its user's only connection among those that are present in the channel, their personal one.
    SoleConnection(Channel, Box<ClientInfo>),
    /// Remove the presence entry of this client.
    RemovePresence(Channel, String),
    /// The connection of this user, admitted before, is gone.
    Released(UserId),
}

/// What a question was about; comes back with its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Authentication of the connect command, then admission.
    Connect,
    /// A `refresh` command.
    Refresh {
        /// Its id.
        id: u32,
    },
    /// A subscription being set up.
    Subscription(SubRef),
    /// A `sub_refresh` command.
    SubRefresh {
        /// Its id.
        id: u32,
        /// The subscription.
        sub: SubRef,
    },
    /// A publish command.
    Publish {
        /// Its id.
        id: u32,
    },
    /// An `rpc` command.
    Rpc {
        /// Its id.
        id: u32,
    },
    /// The renewal of the connection.
    Renewal,
    /// The renewal of a subscription.
    SubRenewal(SubRef),
    /// A presence, presence stats or history command.
    Query {
        /// Its id.
        id: u32,
    },
    /// A position check.
    Check(SubRef),
}

/// What came of a question.
#[derive(Debug)]
pub enum Outcome {
    /// The client is who its token says.
    Connected(Result<Box<ConnectClaims>, Failure>),
    /// The client is who the backend says; `None` if it says nothing about it.
    Vouched(Result<Option<Box<ConnectClaims>>, Failure>),
    /// The backend has decided about the future. A failure means that it could not be asked.
    Renewed(Result<Renewal, Failure>),
    /// The backend grants this.
    Authorized(Result<Box<SubscribeGrant>, Failure>),
    /// The backend returned this.
    Rpc(Result<Payload, Failure>),
    /// The user may have the connection, or not.
    Admitted(Result<(), Failure>),
    /// The subscription token says this.
    Verified(Result<Box<SubscriptionClaims>, Failure>),
    /// The channel is routed to this node, presence noted, history read if asked for.
    Subscribed(Result<Option<History>, Failure>),
    /// It is done. The position is where the publication got into the stream, if it did.
    Done(Result<StreamPosition, Failure>),
    /// Who is there.
    Presence(Result<Vec<ClientInfo>, Failure>),
    /// How many are there.
    PresenceStats(Result<PresenceStatsResult, Failure>),
    /// What the stream holds.
    History(Result<History, Failure>),
}

impl Outcome {
    /// The failed outcome of the kind that answers `ask`, for whoever gives up on the question.
    pub fn failed(ask: &Ask, failure: Failure) -> Self {
        match ask {
            Ask::Authenticate { .. } => Self::Connected(Err(failure)),
            Ask::Connect(_) => Self::Vouched(Err(failure)),
            Ask::Renew(_) | Ask::RenewSubscription(..) => Self::Renewed(Err(failure)),
            Ask::Authorize { .. } => Self::Authorized(Err(failure)),
            Ask::Rpc { .. } => Self::Rpc(Err(failure)),
            Ask::Admit(_) => Self::Admitted(Err(failure)),
            Ask::Verify(_) => Self::Verified(Err(failure)),
            Ask::Subscribe(_) => Self::Subscribed(Err(failure)),
            Ask::Publish { .. } => Self::Done(Err(failure)),
            Ask::Presence(_) => Self::Presence(Err(failure)),
            Ask::PresenceStats(_) => Self::PresenceStats(Err(failure)),
            Ask::History(..) => Self::History(Err(failure)),
        }
    }
}

/// Why something did not work, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// An error reply.
    Error(ErrorCode),
    /// The connection ends.
    Disconnect(Disconnect),
    /// The token is not valid: what that means depends on the command.
    InvalidToken,
    /// The token is too old or not valid yet: what that means depends on the command.
    ExpiredToken,
    /// There is no token where one is needed.
    MissingToken,
}

impl From<ErrorCode> for Failure {
    fn from(error: ErrorCode) -> Self {
        Self::Error(error)
    }
}

impl From<Disconnect> for Failure {
    fn from(disconnect: Disconnect) -> Self {
        Self::Disconnect(disconnect)
    }
}

impl From<flywheel_protocol::client::NotJson> for Failure {
    fn from(_: flywheel_protocol::client::NotJson) -> Self {
        Self::Disconnect(Disconnect::INAPPROPRIATE_PROTOCOL)
    }
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::UnknownNamespace => Self::Error(ErrorCode::UNKNOWN_CHANNEL),
            ChannelError::IllegalName => Self::Error(ErrorCode::BAD_REQUEST),
        }
    }
}

/// Turns presence entries into the result of a `presence` command.
pub(crate) fn presence_result(
    encoding: flywheel_protocol::client::Encoding,
    clients: &[ClientInfo],
) -> Result<PresenceResult, Failure> {
    let entries = clients.iter().map(|info| Ok((info.client.clone(), encoding.client_info(info)?)));
    Ok(PresenceResult { presence: entries.collect::<Result<_, Failure>>()? })
}
