//! A session and everything around it, for targets that feed it what a client may send.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{
    Channel, ChannelEventKind, ChannelOptions, ChannelRules, ClientId, ClientInfo, ConnectClaims, DataFormat,
    Epoch, Now, Payload, Publication, RecoveryMode, Renewal, SessionId, StreamPosition, SubscribeGrant,
    SubscriptionClaims, Timestamp, UnixSeconds,
};
use flywheel_protocol::client::{Encoding, PresenceStatsResult, ServerMessage, commands};
use flywheel_protocol::{ErrorCode, Unsubscribed};
use flywheel_session::{
    Ask, Context, Deliver, Effect, Failure, Greeting, Outcome, ServerSubscribe, Session, Settings, SubKey,
    Tell, Turn,
};
use flywheel_stream::{Append, Retention, Stream};

const RETENTION: Retention =
    Retention { size: 5, ttl: Duration::from_secs(60), meta_ttl: Duration::from_secs(3600) };
const UNIX_START: i64 = 1_700_000_000;
/// Effects that one call may have: a connect with as many channels as it may bring has the most.
const EFFECTS_MAX: usize = 4000;

/// Feeds a frame to a session that has just been opened, to one that has long been connected, and to one whose
/// questions are answered late. Whatever it is, nothing panics, nothing follows a close, and nothing is left behind.
pub fn drive(encoding: Encoding, frame: &[u8]) {
    let settings = settings();
    for (connected, late) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::new(&settings, encoding);
        if connected {
            world.act(|session, turn| {
                for command in commands(
                    b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"h:a\"}}",
                    Encoding::Json,
                ) {
                    session.handle_command(turn, command.unwrap_or_else(|error| panic!("{error}")));
                }
            });
        }
        world.late = late;
        for command in commands(frame, encoding) {
            match command {
                Ok(command) => world.act(|session, turn| session.handle_command(turn, command)),
                Err(_) => world.act(Session::handle_malformed),
            }
        }
        world.publish(&"h:a".into(), Payload::from("1"), None);
        world.act(|session, turn| {
            session.subscribe_by_server(turn, &"h:a".into(), ServerSubscribe::default())
        });
        world.act(|session, turn| session.unsubscribe_by_server(turn, "h:a", Unsubscribed::BY_SERVER));
        world.answer_all();
        world.pass_time();
        world.end();
    }
}

fn settings() -> Settings {
    let open = ChannelOptions {
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_presence_for_client: true,
        allow_presence_for_anonymous: true,
        allow_history_for_client: true,
        allow_history_for_anonymous: true,
        allow_user_limited_channels: true,
        publication_data_format: DataFormat::Binary,
        ..ChannelOptions::default()
    };
    let full = ChannelOptions {
        presence: true,
        join_leave: true,
        force_push_join_leave: true,
        history_size: RETENTION.size,
        history_ttl: RETENTION.ttl,
        force_recovery: true,
        ..open.clone()
    };
    let cache = ChannelOptions {
        force_recovery_mode: RecoveryMode::Cache,
        auto_cache_recover: true,
        force_push_join_leave: false,
        ..full.clone()
    };
    let namespaces = [("h", full), ("c", cache)].map(|(name, options)| (name.to_owned(), Arc::new(options)));
    let rules = ChannelRules {
        without_namespace: Arc::new(open),
        namespaces: namespaces.into(),
        ..ChannelRules::default()
    };
    Settings { rules: Arc::new(rules), ..Settings::default() }
}

struct World<'s> {
    settings: &'s Settings,
    session: Session,
    now: Now,
    late: bool,
    asked: VecDeque<(Context, Ask)>,
    streams: BTreeMap<Channel, Stream>,
    routes: BTreeMap<SubKey, Channel>,
    closed: bool,
    admitted: u32,
    encoding: Encoding,
}

impl<'s> World<'s> {
    fn new(settings: &'s Settings, encoding: Encoding) -> Self {
        let greeting = Greeting {
            client: ClientId::from_random(1),
            session: SessionId::from_random(2),
            encoding,
            transport: flywheel_protocol::client::Transport::WebSocket,
            headers: None,
            app_pings: true,
            random: 0,
            trusted_user: None,
        };
        let now = Now { at: Timestamp::ZERO, unix_millis: UNIX_START * 1000 };
        let session = Session::new(greeting, &Turn { now, settings, queued: 0, effects: &mut Vec::new() });
        Self {
            settings,
            session,
            now,
            late: false,
            asked: VecDeque::new(),
            streams: BTreeMap::new(),
            routes: BTreeMap::new(),
            closed: false,
            admitted: 0,
            encoding,
        }
    }

    /// Lets the session act and carries out what it wants, until it wants nothing more.
    fn act(&mut self, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let mut effects = Vec::new();
        act(
            &mut self.session,
            &mut Turn { now: self.now, settings: self.settings, queued: 0, effects: &mut effects },
        );
        assert!(effects.len() < EFFECTS_MAX, "{} effects", effects.len());
        let mut pending = VecDeque::from(effects);
        while let Some(effect) = pending.pop_front() {
            self.check(&effect);
            match effect {
                Effect::Ask(context, ask) if self.late => self.asked.push_back((context, ask)),
                Effect::Ask(context, ask) => {
                    let outcome = self.outcome(&ask);
                    let mut more = Vec::new();
                    let mut turn =
                        Turn { now: self.now, settings: self.settings, queued: 0, effects: &mut more };
                    self.session.handle_outcome(&mut turn, context, outcome);
                    assert!(more.len() < EFFECTS_MAX, "{} effects", more.len());
                    pending.extend(more);
                }
                _ => {}
            }
        }
    }

    fn check(&mut self, effect: &Effect) {
        let cleans_up = matches!(
            effect,
            Effect::Detach(..) | Effect::Tell(Tell::Leave(..) | Tell::RemovePresence(..) | Tell::Released(_))
        );
        assert!(!self.closed || cleans_up, "after the close: {effect:?}");
        match effect {
            Effect::Send(message) => self.check_message(message),
            Effect::Close(_) => self.closed = true,
            Effect::Attach(key, channel) => {
                assert!(self.routes.insert(*key, channel.clone()).is_none(), "attached twice: {key:?}");
            }
            Effect::Detach(key, channel) => {
                assert_eq!(self.routes.remove(key).as_ref(), Some(channel), "detached from elsewhere");
            }
            Effect::Tell(Tell::Released(_)) => self.admitted -= 1,
            _ => {}
        }
    }

    /// What is sent to a JSON client is JSON on one line.
    fn check_message(&self, message: &ServerMessage) {
        let mut out = Vec::new();
        message.write(self.encoding, &mut out);
        if self.encoding == Encoding::Json {
            assert!(!out.contains(&b'\n'), "a line feed in {message:?}");
            // Unlike a tree of values, a raw one may be nested as deep as a payload is.
            let read = serde_json::from_slice::<&serde_json::value::RawValue>(&out);
            assert!(read.is_ok(), "{message:?}");
        }
    }

    fn outcome(&mut self, ask: &Ask) -> Outcome {
        match ask {
            Ask::Authenticate { token, .. } => Outcome::Connected(match token.len() % 5 {
                0 | 1 => {
                    Ok(Box::new(ConnectClaims { user: token.as_str().into(), ..ConnectClaims::default() }))
                }
                2 => Ok(Box::new(ConnectClaims {
                    subs: [(Channel::from(token.as_str()), SubscribeGrant::default())].into(),
                    expire_at: Some(UnixSeconds(UNIX_START + 10)),
                    ..ConnectClaims::default()
                })),
                3 => Err(Failure::ExpiredToken),
                _ => Err(Failure::InvalidToken),
            }),
            Ask::Connect(_) => Outcome::Vouched(Ok(None)),
            Ask::Renew(_) | Ask::RenewSubscription(..) => Outcome::Renewed(Ok(Renewal::Expired)),
            Ask::Authorize { .. } => Outcome::Authorized(Ok(Box::default())),
            Ask::Rpc { data, .. } => Outcome::Rpc(Ok(data.clone())),
            Ask::Admit(_) => {
                self.admitted += 1;
                Outcome::Admitted(Ok(()))
            }
            // The token names its channel.
            Ask::Verify(token) => {
                let expire_at = Some(UnixSeconds(UNIX_START + 5));
                Outcome::Verified(Ok(Box::new(SubscriptionClaims {
                    user: self.session.user().clone(),
                    channel: token.as_str().into(),
                    client: None,
                    grant: SubscribeGrant { expire_at, ..SubscribeGrant::default() },
                })))
            }
            Ask::Subscribe(plan) => {
                let now = self.now.at;
                let read = plan.history.as_ref().map(|query| self.stream(&plan.channel).read(now, query));
                Outcome::Subscribed(read.transpose().map_err(|_| ErrorCode::UNRECOVERABLE_POSITION.into()))
            }
            Ask::Publish { channel, data, info, .. } => {
                self.publish(channel, data.clone(), Some(info.clone()));
                Outcome::Done(Ok(StreamPosition::default()))
            }
            Ask::Presence(_) => Outcome::Presence(Ok(Vec::new())),
            Ask::PresenceStats(_) => Outcome::PresenceStats(Ok(PresenceStatsResult::default())),
            Ask::History(channel, query) => {
                let now = self.now.at;
                let read = self.stream(channel).read(now, query);
                Outcome::History(read.map_err(|_| ErrorCode::UNRECOVERABLE_POSITION.into()))
            }
        }
    }

    fn stream(&mut self, channel: &Channel) -> &mut Stream {
        let now = self.now.at;
        let new = || {
            let mut stream = Stream::new(Epoch::from("e"), now, RETENTION.meta_ttl);
            for _ in 0..3 {
                stream.append(now, Publication::of(Payload::from("1")), None, RETENTION);
            }
            stream
        };
        self.streams.entry(channel.clone()).or_insert_with(new)
    }

    /// Publishes and delivers, as a hub does; what the session wants done because of it is carried out.
    fn publish(&mut self, channel: &Channel, data: Payload, info: Option<Box<ClientInfo>>) {
        let mut publication = Arc::new(Publication { info, ..Publication::of(data) });
        let mut epoch = Epoch::unknown();
        if self.settings.rules.options(channel.as_str()).is_ok_and(|options| options.has_history()) {
            let now = self.now.at;
            let stream = self.stream(channel);
            epoch = stream.position().epoch;
            if let Append::Appended(one) =
                stream.append(now, Publication::clone(&publication), None, RETENTION)
            {
                publication = one;
            }
        }
        let routes = self.routes.iter().filter(|(_, routed)| *routed == channel);
        let keys: Vec<SubKey> = routes.map(|(key, _)| *key).collect();
        for key in keys {
            let mut deliver = Deliver::No;
            self.act(|session, turn| {
                deliver = session.handle_publication(turn, key, &publication, &epoch, true)
            });
            assert!(deliver == Deliver::No || !self.closed, "delivered after the close");
            if deliver == Deliver::Yes && self.encoding.publication(&publication, Some(&epoch)).is_err() {
                self.act(|session, turn| {
                    session.close(turn, flywheel_protocol::Disconnect::INAPPROPRIATE_PROTOCOL)
                });
            }
            let leave = ClientInfo { user: "".into(), client: "c2".into(), conn_info: None, chan_info: None };
            let leave = ChannelEventKind::Leave(Arc::new(leave));
            self.act(|session, turn| deliver = session.handle_presence_event(turn, key, &leave));
        }
    }

    fn answer_all(&mut self) {
        while let Some((context, ask)) = self.asked.pop_front() {
            let outcome = self.outcome(&ask);
            self.act(|session, turn| session.handle_outcome(turn, context, outcome));
        }
    }

    /// The session is called whenever it wants to be, for a while.
    fn pass_time(&mut self) {
        for _ in 0..20 {
            let due = self.session.poll_timeout(&Turn {
                now: self.now,
                settings: self.settings,
                queued: 0,
                effects: &mut Vec::new(),
            });
            if due == Timestamp::NEVER {
                return;
            }
            let elapsed = i64::try_from(due.since(self.now.at).as_millis()).unwrap_or_default();
            self.now = Now { at: due.max(self.now.at), unix_millis: self.now.unix_millis + elapsed };
            self.act(Session::handle_timeout);
            self.answer_all();
        }
    }

    fn end(mut self) {
        self.act(Session::handle_closed);
        assert!(self.routes.is_empty(), "still attached: {:?}", self.routes);
        assert_eq!(self.admitted, 0, "still counted");
    }
}
