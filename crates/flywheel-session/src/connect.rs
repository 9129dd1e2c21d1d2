//! `connect`: authenticate, admit, subscribe the server-side channels, reply.
//!
//! Source: client protocol, sections 3.3 and 3.7.

use std::collections::BTreeMap;

use flywheel_model::{Channel, ConnectClaims, SubscribeGrant};
use flywheel_protocol::client::{
    ConnectRequest, ConnectResult, Reply, ReplyBody, ServerMessage, SubscribeResult, Transport,
};
use flywheel_protocol::{Disconnect, ErrorCode};

use crate::effect::{Ask, ConnectQuestion, Context, Effect, Failure, Outcome, Tell, Turn};
use crate::liveness::Liveness;
use crate::permission::{Admission, may_subscribe};
use crate::refusal::Fault;
use crate::session::{Connecting, Phase, Session, ttl};
use crate::subscribe::weight;
use crate::subscription::{Origin, Subscription, Wishes};

impl Session {
    pub(crate) fn begin_connect(&mut self, turn: &mut Turn<'_>, id: u32, request: ConnectRequest) {
        let Phase::New { until } = self.phase else {
            return;
        };
        self.introduced = (!request.name.is_empty(), !request.version.is_empty());
        let ask = if request.token.is_empty() && turn.settings.backend.connect {
            let channels = request.subs.keys().cloned().collect();
            self.keep_headers(turn, request.headers);
            Ask::Connect(Box::new(ConnectQuestion {
                caller: self.caller(),
                data: self.encoding().received(request.data),
                name: request.name,
                version: request.version,
                channels,
            }))
        } else {
            self.keep_headers(turn, request.headers);
            let trusted_user = self.greeting.trusted_user.clone();
            Ask::Authenticate { token: request.token, data: request.data, trusted_user }
        };
        self.phase = Phase::Connecting(Box::new(Connecting {
            id,
            until,
            requested: request.subs,
            claims: None,
            results: BTreeMap::new(),
            recovered_bytes: 0,
            outstanding: 0,
            vouched: false,
            early: Vec::new(),
        }));
        self.ask(turn, Context::Connect, ask);
    }

    pub(crate) fn continue_connect(&mut self, turn: &mut Turn<'_>, outcome: Outcome) {
        let result = match outcome {
            Outcome::Connected(claims) => claims.and_then(|claims| self.identified(turn, claims)),
            Outcome::Vouched(claims) => claims.and_then(|claims| self.vouched(turn, claims)),
            Outcome::Admitted(admitted) => admitted.and_then(|()| self.admitted(turn)),
            _ => Err(ErrorCode::INTERNAL.into()),
        };
        if let Err(failure) = result {
            self.refuse(turn, failure);
        }
    }

    /// The backend names the client, or leaves it to the server what becomes of a client without credentials.
    fn vouched(&mut self, turn: &mut Turn<'_>, claims: Option<Box<ConnectClaims>>) -> Result<(), Failure> {
        let Some(claims) = claims else {
            let trusted_user = self.greeting.trusted_user.clone();
            let ask = Ask::Authenticate { token: String::new(), data: bytes::Bytes::new(), trusted_user };
            self.ask(turn, Context::Connect, ask);
            return Ok(());
        };
        if let Phase::Connecting(connecting) = &mut self.phase {
            connecting.vouched = true;
        }
        self.identified(turn, claims)
    }

    /// The client's credentials are good: may it have a connection more?
    fn identified(&mut self, turn: &mut Turn<'_>, claims: Box<ConnectClaims>) -> Result<(), Failure> {
        let Phase::Connecting(connecting) = &mut self.phase else {
            return Ok(());
        };
        if claims.subs.len() > turn.settings.channel_limit {
            return Err(Disconnect::CHANNEL_LIMIT.into());
        }
        self.user = claims.user.clone();
        connecting.claims = Some(claims);
        self.ask(turn, Context::Connect, Ask::Admit(self.user.clone()));
        Ok(())
    }

    /// The connection counts. Next: its server-side subscriptions.
    fn admitted(&mut self, turn: &mut Turn<'_>) -> Result<(), Failure> {
        let Phase::Connecting(connecting) = &mut self.phase else {
            return Ok(());
        };
        let Some(claims) = connecting.claims.as_mut() else {
            return Err(ErrorCode::INTERNAL.into());
        };
        self.admitted = true;
        self.expire_at = claims.expire_at.filter(|_| !turn.settings.insecure);
        self.conn_info = claims.info.take().map(Box::new);
        self.meta = claims.meta.take().map(Box::new);
        if self.expire_at.is_some_and(|moment| moment <= turn.now.unix()) {
            return Err(ErrorCode::EXPIRED.into());
        }
        turn.effects.push(Effect::Register(self.user.clone()));
        let from_token = std::mem::take(&mut claims.subs);
        let requested = std::mem::take(&mut connecting.requested);
        let vouched = connecting.vouched;
        let channels = self.server_side_channels(turn, from_token, &requested, vouched)?;
        if channels.len() > turn.settings.channel_limit {
            return Err(Disconnect::CHANNEL_LIMIT.into());
        }
        if let Phase::Connecting(connecting) = &mut self.phase {
            connecting.outstanding = channels.len();
        }
        for (channel, (grant, from_token)) in channels {
            let wishes =
                requested.get(channel.as_str()).map(Wishes::of).map_or_else(Wishes::default, |wishes| {
                    Wishes { recover: wishes.recover, delta: wishes.delta, ..Wishes::default() }
                });
            let options = turn.settings.rules.options(channel.as_str())?.clone();
            let sub = self.reserve(channel, options, Origin::Connect, wishes);
            if let Some(subscription) = self.subs.find(sub) {
                subscription.from_token = from_token;
            }
            self.start(turn, sub, grant)?;
        }
        self.complete_connect(turn);
        Ok(())
    }

    /// The channels to subscribe: those of the token, the personal one, and those that the client asks for and could
    /// subscribe by itself without token.
    fn server_side_channels(
        &self,
        turn: &mut Turn<'_>,
        from_token: BTreeMap<Channel, SubscribeGrant>,
        requested: &BTreeMap<String, flywheel_protocol::client::SubscribeRequest>,
        vouched: bool,
    ) -> Result<BTreeMap<Channel, (SubscribeGrant, bool)>, Failure> {
        let settings = turn.settings;
        let rules = &settings.rules;
        let mut channels: BTreeMap<_, _> =
            from_token.into_iter().map(|(channel, grant)| (channel, (grant, true))).collect();
        for channel in channels.keys() {
            rules.options(channel.as_str())?;
        }
        if let Some(personal) = settings.personal_channel_of(self.user.as_str()) {
            channels.entry(Channel::from(personal)).or_default();
        }
        // A backend that says who it is also says which channels it has.
        for channel in requested.keys().filter(|_| !vouched) {
            if channels.contains_key(channel.as_str()) {
                continue;
            }
            let Ok(options) = rules.options(channel) else {
                return Err(turn.refuse(channel, Fault::UnknownNamespace));
            };
            let legal = rules.checked(channel).is_ok() && channel.len() <= rules.max_length;
            if legal && may_subscribe(settings, options, channel, &self.user) == Admission::Allowed {
                channels.insert(Channel::from(channel.as_str()), Default::default());
            }
        }
        Ok(channels)
    }

    /// Bytes that replies which are still to be sent will take, as far as they are known.
    pub(crate) fn collected_bytes(&self) -> usize {
        match &self.phase {
            Phase::Connecting(connecting) => connecting.recovered_bytes,
            _ => 0,
        }
    }

    /// One more server-side subscription is set up.
    pub(crate) fn collect_result(&mut self, channel: &Channel, result: SubscribeResult) {
        if let Phase::Connecting(connecting) = &mut self.phase {
            connecting.recovered_bytes += weight(&result.publications);
            connecting.results.insert(channel.as_str().to_owned(), result);
            connecting.outstanding -= 1;
        }
    }

    /// Replies if nothing is outstanding, and lets everything flow.
    pub(crate) fn complete_connect(&mut self, turn: &mut Turn<'_>) {
        match &self.phase {
            Phase::Connecting(connecting) if connecting.outstanding == 0 => {}
            _ => return,
        }
        let Phase::Connecting(connecting) = std::mem::replace(&mut self.phase, Phase::Connected) else {
            return;
        };
        let Connecting { id, claims, results, early, .. } = *connecting;
        let Ok(data) =
            self.encoding().optional_payload(claims.as_ref().and_then(|claims| claims.data.as_ref()))
        else {
            return self.close(turn, Disconnect::INAPPROPRIATE_PROTOCOL);
        };
        let settings = turn.settings;
        let transport = self.greeting.transport;
        let pings = settings.ping_interval.filter(|_| self.greeting.app_pings);
        let expiry = self.expire_at.filter(|_| !settings.backend.refresh);
        let ttl = expiry.and_then(|moment| ttl(turn, moment));
        let result = ConnectResult {
            client: self.greeting.client.to_string(),
            version: settings.version.clone(),
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            data,
            subs: results,
            ping: pings.map_or(0, |interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX).max(1)),
            pong: pings.is_some() && settings.pong_timeout.is_some() && !transport.is_unidirectional(),
            session: if transport == Transport::WebSocket {
                String::new()
            } else {
                self.session_id().to_string()
            },
            node: if transport.is_emulated() { settings.node.clone() } else { String::new() },
            time: if settings.include_server_time { turn.now.unix_millis } else { 0 },
        };
        turn.send(ServerMessage::Reply(Reply { id, body: ReplyBody::Connect(Box::new(result)) }));
        self.liveness = Liveness::start(turn.now.at, settings, self.greeting.random);
        self.connected_once = true;
        self.release_connect_subscriptions(turn);
        self.claim_sole_connection(turn);
        for command in early {
            self.handle_command(turn, command);
        }
    }

    /// Where a user may have only one connection, the newest, the others go.
    fn claim_sole_connection(&mut self, turn: &mut Turn<'_>) {
        if turn.settings.personal_channel.as_ref().is_some_and(|personal| personal.single_connection)
            && let Some(personal) = turn.settings.personal_channel_of(self.user.as_str())
            && self.subs.of(&personal).is_some_and(Subscription::is_live)
        {
            turn.tell(Tell::SoleConnection(Channel::from(personal), self.info(None)));
        }
    }

    /// Connect fails. An error reply leaves the socket open so that it can be read; the client is expected to go.
    /// A client that listens only is told a disconnect instead.
    pub(crate) fn refuse(&mut self, turn: &mut Turn<'_>, failure: Failure) {
        let Phase::Connecting(connecting) = &self.phase else {
            return;
        };
        let (id, until) = (connecting.id, connecting.until);
        let error = match failure {
            Failure::Error(error) => error,
            Failure::ExpiredToken => ErrorCode::TOKEN_EXPIRED,
            closing => return self.fail(turn, id, closing),
        };
        if self.greeting.transport.is_unidirectional() {
            // There is nobody who could react to an error.
            let disconnect = turn.settings.disconnect_instead_of(&error);
            self.phase = Phase::Closed;
            turn.effects.push(Effect::Reject(error.code, disconnect));
            return self.tear_down(turn);
        }
        self.handle_closed(turn);
        self.phase = Phase::Refused { until };
        turn.send(ServerMessage::Reply(Reply { id, body: error.into() }));
    }
}
