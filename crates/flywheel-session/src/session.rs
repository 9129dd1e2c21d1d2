use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::{
    CallerHeaders, ClientId, ClientInfo, Payload, SessionId, Timestamp, UnixSeconds, UserId,
};
use flywheel_protocol::client::{
    Command, Encoding, Reply, ReplyBody, Request, ServerMessage, SubscribeResult, Transport,
};
use flywheel_protocol::{Disconnect, ErrorCode};

use crate::backend::Behind;
use crate::effect::{Context, Effect, Failure, Outcome, Tell, Turn};
use crate::liveness::Liveness;
use crate::refusal::Fault;
use crate::request::Publishing;
use crate::subscription::Subscriptions;

/// How a connection begins.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Names the connection.
    pub client: ClientId,
    /// Names it secretly.
    pub session: SessionId,
    /// How its messages are encoded.
    pub encoding: Encoding,
    /// What carries it.
    pub transport: Transport,
    /// What backends are to be told of the request that opened it; `None` when that is nothing.
    pub headers: Option<Arc<CallerHeaders>>,
    /// Whether pings travel as messages of this protocol; otherwise the transport has its own.
    pub app_pings: bool,
    /// Spreads the pings.
    pub random: u64,
    /// The user that a trusted header names; counts when the client brings no token.
    pub trusted_user: Option<UserId>,
}

/// Protocol state of one connection.
///
/// See the crate's page for how it is driven. After [`Effect::Close`] the session ignores everything.
#[derive(Debug)]
pub struct Session {
    pub(crate) greeting: Greeting,
    pub(crate) phase: Phase,
    pub(crate) user: UserId,
    /// Whether the node counts the connection among those of `user`.
    pub(crate) admitted: bool,
    pub(crate) conn_info: Option<Box<Payload>>,
    pub(crate) expire_at: Option<UnixSeconds>,
    /// Whether the backend is being asked if the connection goes on.
    pub(crate) renewing: bool,
    /// JSON for backends. Most connections have none, and this is a word.
    pub(crate) meta: Option<Box<Bytes>>,
    pub(crate) subs: Subscriptions,
    pub(crate) liveness: Liveness,
    /// When the subscriptions are next looked after.
    pub(crate) upkeep_at: Timestamp,
    /// Questions without an outcome yet.
    pub(crate) waiting: u32,
    /// Whatever waits for a subscription to be set up.
    pub(crate) queued: u32,
    pub(crate) connected_once: bool,
    /// Whether the client told its name and its version.
    pub(crate) introduced: (bool, bool),
    /// How long the last pong took, until somebody asks.
    pub(crate) pong_took: Option<Duration>,
    /// Most sessions never publish, and this is a word.
    pub(crate) publishing: Option<Box<Publishing>>,
    /// Commands that wait for a backend.
    pub(crate) behind: Option<Box<Behind>>,
}

/// Where in its life a connection is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing but `connect` is allowed, and until this time.
    New { until: Timestamp },
    /// `connect` is being worked on.
    Connecting(Box<Connecting>),
    /// Commands and pushes flow.
    Connected,
    /// `connect` was answered with an error: the client must go, by this time.
    Refused { until: Timestamp },
    /// Over.
    Closed,
}

/// A `connect` command in progress.
#[derive(Debug)]
pub(crate) struct Connecting {
    pub id: u32,
    pub until: Timestamp,
    /// What the client knows of its server-side subscriptions.
    pub requested: BTreeMap<String, flywheel_protocol::client::SubscribeRequest>,
    pub claims: Option<Box<flywheel_model::ConnectClaims>>,
    /// Results of server-side subscriptions, until there are `outstanding` none.
    pub results: BTreeMap<String, SubscribeResult>,
    /// Bytes of publications in the results.
    pub recovered_bytes: usize,
    pub outstanding: usize,
    /// Whether the backend said who it is.
    pub vouched: bool,
    /// Commands that came in the same frame or before the answer.
    pub early: Vec<Command>,
}

impl Session {
    /// A connection that has just been opened.
    pub fn new(greeting: Greeting, turn: &Turn<'_>) -> Self {
        Self {
            greeting,
            phase: Phase::New { until: turn.now.at + turn.settings.stale_close_delay },
            user: UserId::default(),
            admitted: false,
            conn_info: None,
            expire_at: None,
            renewing: false,
            meta: None,
            subs: Subscriptions::default(),
            liveness: Liveness::OFF,
            upkeep_at: Timestamp::NEVER,
            waiting: 0,
            queued: 0,
            connected_once: false,
            introduced: (false, false),
            pong_took: None,
            publishing: None,
            behind: None,
        }
    }

    /// The connection's id.
    pub fn client(&self) -> ClientId {
        self.greeting.client
    }

    /// The connection's secret id.
    pub fn session_id(&self) -> SessionId {
        self.greeting.session
    }

    /// How messages are encoded.
    pub fn encoding(&self) -> Encoding {
        self.greeting.encoding
    }

    /// What carries the connection.
    pub fn transport(&self) -> Transport {
        self.greeting.transport
    }

    /// Whose connection it is; anonymous until it is authenticated.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Whether nothing has been asked yet.
    pub fn awaits_connect(&self) -> bool {
        matches!(self.phase, Phase::New { .. })
    }

    /// Whether it hears nothing any more: it is over, or the client is expected to go.
    pub fn is_deaf(&self) -> bool {
        matches!(self.phase, Phase::Refused { .. } | Phase::Closed)
    }

    /// Whether `connect` has succeeded and the connection is not over.
    pub fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected)
    }

    /// Whether the session wants no more commands for now, because too many wait for an answer.
    pub fn is_saturated(&self, turn: &Turn<'_>) -> bool {
        let early = match &self.phase {
            Phase::Connecting(connecting) => connecting.early.len(),
            Phase::Refused { .. } => return true,
            _ => 0,
        };
        let publishing = self.publishing.as_ref().map_or(0, |publishing| publishing.queue.len());
        let behind = self.behind.as_ref().map_or(0, |behind| behind.queue.len());
        let waiting = self.waiting as usize + self.queued as usize;
        waiting + early + publishing + behind >= turn.settings.commands_in_flight_max
    }

    /// Whether the client told its name, and its version, when it connected.
    pub fn introduced(&self) -> (bool, bool) {
        self.introduced
    }

    /// How long the client took to answer a ping, if it has since this was last asked.
    pub fn take_pong(&mut self) -> Option<Duration> {
        self.pong_took.take()
    }

    /// Whether `connect` has ever succeeded.
    pub fn was_connected(&self) -> bool {
        self.connected_once
    }

    /// Number of its subscriptions, those being set up included.
    pub fn subscription_count(&self) -> usize {
        self.subs.len()
    }

    /// A command arrived.
    pub fn handle_command(&mut self, turn: &mut Turn<'_>, command: Command) {
        match &mut self.phase {
            Phase::Closed | Phase::Refused { .. } => {}
            Phase::New { .. } => match command.request {
                Request::Connect(request) if command.id != 0 => {
                    self.begin_connect(turn, command.id, *request);
                }
                _ => {
                    let failure = turn.refuse("", Fault::NotConnected);
                    self.fail(turn, command.id, failure);
                }
            },
            Phase::Connecting(connecting) => connecting.early.push(command),
            Phase::Connected => {
                if let Some(Command { id, request }) = self.wait_behind(command)
                    && let Err(failure) = self.dispatch(turn, id, request)
                {
                    self.fail(turn, id, failure);
                }
            }
        }
    }

    /// The client sent something that is no command: what it deserves.
    pub fn handle_malformed(&mut self, turn: &mut Turn<'_>) {
        match &mut self.phase {
            // What follows a failed connect is discarded unread.
            Phase::Closed | Phase::Refused { .. } => {}
            // The replies of what came before it are not lost.
            Phase::Connecting(connecting) => {
                connecting.early.push(Command { id: 0, request: Request::Unknown });
            }
            Phase::New { .. } => self.close(turn, Disconnect::BAD_REQUEST),
            Phase::Connected => self.handle_command(turn, Command { id: 0, request: Request::Unknown }),
        }
    }

    /// A control pong of the transport came; it answers a ping if those are what pings are.
    pub fn handle_transport_pong(&mut self, turn: &mut Turn<'_>) {
        if !self.greeting.app_pings || self.greeting.transport == Transport::UniWebSocket {
            // One too many is allowed by the transport's own protocol.
            self.pong_took = self.liveness.pong(turn.now.at);
        }
    }

    /// A question was answered.
    pub fn handle_outcome(&mut self, turn: &mut Turn<'_>, context: Context, outcome: Outcome) {
        self.waiting = self.waiting.saturating_sub(1);
        if matches!(self.phase, Phase::Closed) {
            if matches!(outcome, Outcome::Admitted(Ok(()))) {
                // The connection ended while the node began to count it.
                turn.tell(Tell::Released(self.user.clone()));
            }
            return;
        }
        match context {
            Context::Connect => self.continue_connect(turn, outcome),
            Context::Subscription(sub) => self.continue_subscription(turn, sub, outcome),
            Context::Refresh { id } => {
                let result = self.refreshed(turn, outcome);
                self.answer(turn, id, result);
            }
            Context::SubRefresh { id, sub } => {
                let result = self.sub_refreshed(turn, sub, outcome);
                self.answer(turn, id, result);
            }
            Context::Publish { id } => self.published(turn, id, outcome),
            Context::Rpc { id } => {
                let result = self.called(outcome);
                self.answer(turn, id, result);
            }
            Context::Renewal => self.renewed(turn, outcome),
            Context::SubRenewal(sub) => self.subscription_renewed(turn, sub, outcome),
            Context::Query { id } => {
                let result = self.queried(outcome);
                self.answer(turn, id, result);
            }
            Context::Check(sub) => self.checked(turn, sub, outcome),
        }
        self.release(turn, context);
    }

    /// The transport is gone or ends the connection for a reason of its own.
    pub fn handle_closed(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Closed;
            self.tear_down(turn);
        }
    }

    /// Ends the connection.
    pub fn close(&mut self, turn: &mut Turn<'_>, disconnect: Disconnect) {
        if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Closed;
            turn.effects.push(Effect::Close(disconnect));
            self.tear_down(turn);
        }
    }

    pub(crate) fn tear_down(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.admitted) {
            turn.tell(Tell::Released(self.user.clone()));
        }
        self.drop_subscriptions(turn);
    }

    /// Runs the request; `Err` becomes an error reply or a disconnect.
    pub(crate) fn dispatch(&mut self, turn: &mut Turn<'_>, id: u32, request: Request) -> Result<(), Failure> {
        match request {
            Request::Pong => {
                self.pong_took = self.liveness.pong(turn.now.at);
                if self.pong_took.is_some() { Ok(()) } else { Err(turn.refuse("", Fault::UnaskedPong)) }
            }
            Request::Connect(_) => Err(turn.refuse("", Fault::ConnectedAlready)),
            // Stands for what could not be read, which was explained when it came.
            Request::Unknown if id == 0 => Err(Disconnect::BAD_REQUEST.into()),
            Request::Unknown => Err(turn.refuse("", Fault::UnknownMethod)),
            Request::Send(_) => Err(Disconnect::NOT_AVAILABLE.into()),
            Request::Subscribe(request) => self.begin_subscribe(turn, id, *request),
            Request::Unsubscribe(request) => self.unsubscribe(turn, id, request),
            Request::Publish(request) => self.begin_publish(turn, id, request),
            Request::Presence(request) => self.begin_presence(turn, id, request),
            Request::PresenceStats(request) => self.begin_presence_stats(turn, id, request),
            Request::History(request) => self.begin_history(turn, id, request),
            Request::Rpc(request) => self.rpc(turn, id, request),
            Request::Refresh(request) => self.begin_refresh(turn, id, request),
            Request::SubRefresh(request) => self.begin_sub_refresh(turn, id, request),
        }
    }

    /// Sends the reply of a command.
    pub(crate) fn answer(&mut self, turn: &mut Turn<'_>, id: u32, result: Result<ReplyBody, Failure>) {
        match result {
            Ok(body) => turn.send(ServerMessage::Reply(Reply { id, body })),
            Err(failure) => self.fail(turn, id, failure),
        }
    }

    /// Tells the client that its command failed.
    pub(crate) fn fail(&mut self, turn: &mut Turn<'_>, id: u32, failure: Failure) {
        match failure {
            Failure::Disconnect(disconnect) => self.close(turn, disconnect),
            Failure::Error(error) => turn.send(ServerMessage::Reply(Reply { id, body: error.into() })),
            Failure::InvalidToken => self.close(turn, Disconnect::INVALID_TOKEN),
            Failure::MissingToken => {
                turn.explain("", Fault::NoToken);
                self.close(turn, Disconnect::BAD_REQUEST);
            }
            Failure::ExpiredToken => {
                turn.send(ServerMessage::Reply(Reply { id, body: ErrorCode::TOKEN_EXPIRED.into() }));
            }
        }
    }

    pub(crate) fn ask(&mut self, turn: &mut Turn<'_>, context: Context, ask: crate::Ask) {
        self.waiting += 1;
        turn.ask(context, ask);
    }

    /// Who this client is, in a channel where its subscription carries `chan_info`.
    pub(crate) fn info(&self, chan_info: Option<&Payload>) -> Box<ClientInfo> {
        Box::new(ClientInfo {
            user: self.user.clone(),
            client: self.greeting.client.to_string(),
            conn_info: self.conn_info.as_deref().cloned(),
            chan_info: chan_info.cloned(),
        })
    }
}

/// Seconds until `expire_at`, at most a year, as results and pushes tell them. `None` when it has passed.
pub(crate) fn ttl(turn: &Turn<'_>, expire_at: UnixSeconds) -> Option<u32> {
    const YEAR: u64 = 365 * 24 * 3600;
    let seconds = turn.now.seconds_until(expire_at);
    (seconds > 0).then(|| u32::try_from(seconds.min(YEAR)).unwrap_or(u32::MAX))
}
