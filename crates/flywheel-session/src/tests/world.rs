use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{
    Channel, ChannelEvent, ChannelEventKind, ChannelRules, ClientId, ConnectClaims, Epoch, Now, Payload,
    Publication, SessionId, StreamPosition, Timestamp, UserId,
};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{DataForm, Encoding, Presence, PushBody, ServerMessage, commands};
use flywheel_stream::{HistoryQuery, delta};

use super::audit::Audit;
use super::engine::{Engine, namespaces};
use crate::{
    Ask, Context, Deliver, Effect, Failure, Greeting, Outcome, Session, Settings, Standing, SubKey, Tell,
    Turn,
};

/// What the wall clock shows when a test begins.
pub(super) const UNIX_START: i64 = 1_700_000_000;
/// The reply to the plain connect command that has id 1.
pub(super) const CONNECTED: &str =
    r#"{"id":1,"connect":{"client":"c1","version":"v","ping":25,"pong":true}}"#;

/// A client, its session, and a scripted server around it.
pub(super) struct World {
    pub settings: Settings,
    pub now: Now,
    pub session: Session,
    pub engine: Engine,
    /// Questions that were not answered at once.
    pub asked: Vec<(Context, Ask)>,
    slow: Vec<&'static str>,
    pub audit: Audit,
    pub effects: Vec<Effect>,
    pending: VecDeque<Effect>,
    pub mailbox: VecDeque<ChannelEvent>,
    /// Whether events wait in the mailbox until they are fetched.
    pub mail_waits: bool,
    fetching: bool,
    /// Bytes that the client's socket has not taken.
    pub(super) queued: usize,
    lines: Vec<String>,
    /// What the operator was told of refused commands.
    pub(super) explained: Vec<crate::Refusal>,
    /// Messages to the client, for who wants more than text.
    pub sent: Vec<ServerMessage>,
}

fn kind(ask: &Ask) -> &'static str {
    match ask {
        Ask::Authenticate { .. } => "authenticate",
        Ask::Connect(_) => "connect",
        Ask::Renew(_) => "renew",
        Ask::RenewSubscription(..) => "renew subscription",
        Ask::Authorize { .. } => "authorize",
        Ask::Rpc { .. } => "rpc",
        Ask::Admit(_) => "admit",
        Ask::Verify(_) => "verify",
        Ask::Subscribe(_) => "subscribe",
        Ask::Publish { .. } => "publish",
        Ask::Presence(_) => "presence",
        Ask::PresenceStats(_) => "presence_stats",
        Ask::History(..) => "history",
    }
}

fn settings() -> Settings {
    let (without_namespace, namespaces) = namespaces();
    let rules = ChannelRules {
        without_namespace: Arc::new(without_namespace),
        namespaces: namespaces
            .into_iter()
            .map(|(name, options)| (name.to_owned(), Arc::new(options)))
            .collect(),
        ..ChannelRules::default()
    };
    Settings { version: "v".into(), rules: Arc::new(rules), recovery_limit: Some(3), ..Settings::default() }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// A world with other settings, or a connection that begins in another way.
    pub(super) fn with(change: impl FnOnce(&mut Settings, &mut Greeting)) -> Self {
        let mut settings = settings();
        let mut greeting = Greeting {
            client: ClientId::from_random(1),
            session: SessionId::from_random(2),
            encoding: Encoding::Json,
            transport: flywheel_protocol::client::Transport::WebSocket,
            headers: None,
            app_pings: true,
            random: 0,
            trusted_user: None,
        };
        change(&mut settings, &mut greeting);
        let now = Now { at: Timestamp::ZERO, unix_millis: UNIX_START * 1000 };
        let mut engine = Engine::default();
        let claims = |user: &str| Ok(ConnectClaims { user: UserId::from(user), ..ConnectClaims::default() });
        engine.tokens.insert(String::new(), claims(""));
        engine.tokens.insert("t42".into(), claims("42"));
        engine.tokens.insert("t43".into(), claims("43"));
        engine.tokens.insert("old".into(), Err(Failure::ExpiredToken));
        let turn = Turn { now, settings: &settings, queued: 0, effects: &mut Vec::new() };
        Self {
            session: Session::new(greeting, &turn),
            settings,
            now,
            engine,
            asked: Vec::new(),
            slow: Vec::new(),
            audit: Audit::default(),
            effects: Vec::new(),
            pending: VecDeque::new(),
            mailbox: VecDeque::new(),
            mail_waits: false,
            fetching: false,
            queued: 0,
            lines: Vec::new(),
            explained: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// A world whose client has connected as user 42.
    pub(super) fn connected() -> Self {
        let mut world = Self::new();
        world.connect();
        world
    }

    pub(super) fn connect(&mut self) {
        self.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
        self.sees(&[CONNECTED]);
    }

    /// From now on questions of this kind are answered when the test says so.
    pub(super) fn slow(&mut self, kind: &'static str) {
        self.slow.push(kind);
    }

    pub(super) fn fast(&mut self) {
        self.slow.clear();
    }

    /// Lets the session do something, and carries out what it wants done.
    pub(super) fn act(&mut self, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let mut effects = std::mem::take(&mut self.effects);
        let (now, queued) = (self.now, self.queued);
        let mut turn = Turn { now, settings: &self.settings, queued, effects: &mut effects };
        act(&mut self.session, &mut turn);
        effects.iter().for_each(|effect| self.audit.effect(effect));
        self.pending.extend(effects.drain(..));
        self.effects = effects;
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.pending.pop_front() {
            self.carry_out_one(effect);
        }
        if !self.mail_waits {
            self.fetch_mail();
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Send(message) => self.sent(message),
            Effect::TransportPing => self.lines.push("transport ping".into()),
            Effect::Close(Disconnect { code, reason }) => self.lines.push(format!("close {code} {reason}")),
            Effect::Reject(error, Disconnect { code, reason }) => {
                self.lines.push(format!("reject {error}: {code} {reason}"));
            }
            Effect::Register(user) => self.lines.push(format!("register {user}")),
            Effect::Attach(_, channel) => self.lines.push(format!("attach {channel}")),
            Effect::Detach(_, channel) => self.lines.push(format!("detach {channel}")),
            Effect::Heal(channel) => {
                self.lines.push(format!("heal {channel}"));
                self.heal(&channel, None);
            }
            Effect::Explain(refusal) => self.explained.push(*refusal),
            Effect::Ask(context, ask) => {
                self.lines.push(format!("ask {}", kind(&ask)));
                if self.slow.contains(&kind(&ask)) {
                    self.asked.push((context, ask));
                } else {
                    let outcome = self.outcome_of(&ask);
                    self.act(|session, turn| session.handle_outcome(turn, context, outcome));
                }
            }
            Effect::Tell(tell) => {
                let line = match &tell {
                    Tell::Join(channel, _) => format!("join {channel}"),
                    Tell::Leave(channel, _) => format!("leave {channel}"),
                    Tell::AddPresence(channel, _) => format!("add presence {channel}"),
                    Tell::RefreshPresence(entries) => {
                        let channels: Vec<_> = entries.iter().map(|(channel, _)| channel.as_str()).collect();
                        format!("refresh presence {}", channels.join(" "))
                    }
                    Tell::SoleConnection(channel, info) => {
                        format!("sole connection {channel} {}", info.user)
                    }
                    Tell::RemovePresence(channel, _) => format!("remove presence {channel}"),
                    Tell::Released(user) => format!("released {user}"),
                };
                self.lines.push(line);
                self.mailbox.extend(self.engine.tell(tell));
            }
        }
    }

    fn outcome_of(&mut self, ask: &Ask) -> Outcome {
        let (outcome, event) = self.engine.answer(&self.settings, ask);
        self.mailbox.extend(event);
        if self.pending.is_empty() && !self.mail_waits {
            self.fetch_mail();
        }
        outcome
    }

    fn sent(&mut self, message: ServerMessage) {
        let mut out = Vec::new();
        message.write(Encoding::Json, &mut out);
        let text = String::from_utf8_lossy(&out).replace("00000000-0000-4000-8000-000000000001", "c1");
        self.lines.push(text);
        self.sent.push(message);
    }

    /// Delivers all events that wait.
    pub(super) fn fetch_mail(&mut self) {
        if std::mem::replace(&mut self.fetching, true) {
            return;
        }
        while let Some(event) = self.mailbox.pop_front() {
            self.deliver(&event);
        }
        self.fetching = false;
    }

    /// Brings an event to the subscriptions that its channel is routed to, as a hub does.
    pub(super) fn deliver(&mut self, event: &ChannelEvent) {
        let routes = self.audit.routes.iter().filter(|(_, channel)| **channel == event.channel);
        let keys: Vec<SubKey> = routes.map(|(key, _)| *key).collect();
        for key in keys {
            let mut verdict = Deliver::No;
            self.act(|session, turn| {
                verdict = match &event.kind {
                    ChannelEventKind::Publication(publication, epoch, base) => {
                        session.handle_publication(turn, key, publication, epoch, base.is_some())
                    }
                    presence => session.handle_presence_event(turn, key, presence),
                };
            });
            if verdict == Deliver::Gap {
                self.heal(&event.channel, Some(event));
            } else {
                self.push(event, verdict);
            }
        }
    }

    fn push(&mut self, event: &ChannelEvent, verdict: Deliver) {
        if !matches!(verdict, Deliver::No | Deliver::Filtered | Deliver::Gap) {
            assert!(!self.audit.closed, "delivered after the close: {event:?}");
            match body_for(verdict, &event.kind) {
                Some(body) => self.sent(ServerMessage::push(event.channel.as_str(), body)),
                None => self.act(|session, turn| session.close(turn, Disconnect::INAPPROPRIATE_PROTOCOL)),
            }
        }
    }

    /// Reads the stream at once and gives each subscription what it lacks, then what was held back; the plainest
    /// stand-in for what a hub does.
    fn heal(&mut self, channel: &Channel, held: Option<&ChannelEvent>) {
        let routes = self.audit.routes.iter().filter(|(_, routed)| *routed == channel);
        let keys: Vec<SubKey> = routes.map(|(key, _)| *key).collect();
        for key in keys {
            let Some(offset) = self.session.position(key) else {
                self.session.handle_gap(key);
                continue;
            };
            let since = Some(StreamPosition { offset, epoch: Epoch::unknown() });
            let query = HistoryQuery { since, ..HistoryQuery::default() };
            let history = self.engine.stream(channel.as_str()).read(&query).unwrap();
            for publication in history.publications {
                let kind = ChannelEventKind::Publication(publication, history.top.epoch.clone(), None);
                self.replay(key, &ChannelEvent { channel: channel.clone(), kind });
            }
            let after = self.now.at + Duration::from_millis(1);
            let complete = self.session.standing(key, &history.top, after) == Some(Standing::Complete);
            let closed_up = held.is_none_or(|held| self.replay(key, held) != Deliver::Gap);
            if !(complete && closed_up) {
                self.act(|session, turn| session.lose_position(turn, key));
            }
        }
    }

    fn replay(&mut self, key: SubKey, event: &ChannelEvent) -> Deliver {
        let mut verdict = Deliver::No;
        if let ChannelEventKind::Publication(publication, epoch, base) = &event.kind {
            self.act(|session, turn| {
                verdict = session.handle_healed(turn, key, publication, epoch, base.is_some());
            });
        }
        self.push(event, verdict);
        verdict
    }

    /// The client sends a frame.
    pub(super) fn send(&mut self, frame: &str) {
        for command in commands(frame.as_bytes(), Encoding::Json) {
            match command {
                Ok(command) => {
                    self.audit.command(&command);
                    self.act(|session, turn| session.handle_command(turn, command));
                }
                Err(_) => self.act(Session::handle_malformed),
            }
        }
    }

    /// Somebody else publishes.
    pub(super) fn publish(&mut self, channel: &str, data: &'static str) {
        let event = self.engine.publish(&self.settings, channel, Payload::from(data), None);
        self.mailbox.push_back(event);
        self.carry_out();
    }

    /// Somebody else publishes with the tag `lang`.
    pub(super) fn publish_in(&mut self, channel: &str, lang: &str, data: &'static str) {
        let tags = [("lang".to_owned(), lang.to_owned())].into();
        let publication = Publication { tags, ..Publication::of(Payload::from(data)) };
        let event = self.engine.publish_one(&self.settings, channel, publication);
        self.mailbox.push_back(event);
        self.carry_out();
    }

    /// Somebody else publishes past the stream.
    pub(super) fn publish_past(&mut self, channel: &str, data: &'static str) {
        let publication = Arc::new(Publication::of(Payload::from(data)));
        let kind = ChannelEventKind::Publication(publication, Epoch::unknown(), None);
        self.mailbox.push_back(ChannelEvent { channel: channel.into(), kind });
        self.carry_out();
    }

    /// What the engine would answer now to the oldest question of this kind; to be given later.
    pub(super) fn prepare(&mut self, wanted: &str) -> (Context, Outcome) {
        let index = self.asked.iter().position(|(_, ask)| kind(ask) == wanted).unwrap();
        let (context, ask) = self.asked.remove(index);
        (context, self.outcome_of(&ask))
    }

    /// Takes the oldest question of this kind out, to be answered by the test.
    pub(super) fn take(&mut self, wanted: &str) -> (Context, Ask) {
        let index = self.asked.iter().position(|(_, ask)| kind(ask) == wanted).unwrap();
        self.asked.remove(index)
    }

    pub(super) fn give(&mut self, (context, outcome): (Context, Outcome)) {
        self.act(|session, turn| session.handle_outcome(turn, context, outcome));
    }

    /// Answers the oldest question of this kind.
    pub(super) fn answer(&mut self, wanted: &str) {
        let prepared = self.prepare(wanted);
        self.give(prepared);
    }

    /// Answers it badly.
    pub(super) fn fail(&mut self, wanted: &str, failure: impl Into<Failure>) {
        let index = self.asked.iter().position(|(_, ask)| kind(ask) == wanted).unwrap();
        let (context, ask) = self.asked.remove(index);
        self.give((context, Outcome::failed(&ask, failure.into())));
    }

    /// Time passes, and the session is called whenever it wants to be.
    pub(super) fn at(&mut self, millis: u64) {
        for _ in 0..1000 {
            let turn =
                Turn { now: self.now, settings: &self.settings, queued: 0, effects: &mut self.effects };
            let due = self.session.poll_timeout(&turn);
            if due > Timestamp::from_millis(millis) {
                self.set_clock(millis);
                return;
            }
            self.set_clock(due.as_millis().max(self.now.at.as_millis()));
            self.act(Session::handle_timeout);
        }
        panic!("the session wants to be called for ever");
    }

    fn set_clock(&mut self, millis: u64) {
        self.now = Now {
            at: Timestamp::from_millis(millis),
            unix_millis: UNIX_START * 1000 + i64::try_from(millis).unwrap(),
        };
    }

    pub(super) fn is_saturated(&mut self) -> bool {
        let turn = Turn { now: self.now, settings: &self.settings, queued: 0, effects: &mut self.effects };
        self.session.is_saturated(&turn)
    }

    /// Everything that has come out since the last look, in order.
    pub(super) fn does(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.lines), expected);
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Forgets what has come out.
    pub(super) fn does_anything(&mut self) {
        self.lines.clear();
    }

    /// The same, but only what the client notices.
    pub(super) fn sees(&mut self, expected: &[&str]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| line.starts_with('{') || line.starts_with("close"));
        assert_eq!(lines, expected);
    }

    /// The transport is gone.
    pub(super) fn hang_up(&mut self) {
        self.act(Session::handle_closed);
        self.audit.closed = true;
    }
}

pub(super) fn body(event: &ChannelEventKind) -> Option<PushBody> {
    body_for(Deliver::Yes, event)
}

/// What a hub queues for a verdict.
fn body_for(verdict: Deliver, event: &ChannelEventKind) -> Option<PushBody> {
    let encoding = Encoding::Json;
    let presence = |info| Presence { info: encoding.client_info(info).ok() };
    Some(match event {
        ChannelEventKind::Publication(publication, epoch, base) => {
            let base = base.as_ref().filter(|_| verdict == Deliver::Patch);
            let patch = base.and_then(|base| delta::shorter(base.data.bytes(), publication.data.bytes()));
            let patch = patch.map(bytes::Bytes::from);
            let form = match (verdict, &patch) {
                (Deliver::Yes, _) => DataForm::Plain,
                (_, Some(patch)) => DataForm::Patch(patch),
                (_, None) => DataForm::Whole,
            };
            PushBody::Publication(Box::new(encoding.publication_in(form, publication, Some(epoch)).ok()?))
        }
        ChannelEventKind::Join(info) => PushBody::Join(presence(info)),
        ChannelEventKind::Leave(info) => PushBody::Leave(presence(info)),
    })
}

/// Every test ends with the end of its connection, after which nothing may be left of it.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if self.asked.is_empty() && !self.mail_waits {
            self.audit.at_rest();
        }
        self.hang_up();
        for (context, ask) in std::mem::take(&mut self.asked) {
            let failure = Failure::Disconnect(Disconnect::INTERNAL);
            self.give((context, Outcome::failed(&ask, failure)));
        }
        self.audit.over();
        assert_eq!(self.engine.admitted, 0, "still counted");
        assert!(
            self.engine.present.values().all(std::collections::BTreeSet::is_empty),
            "{:?}",
            self.engine.present
        );
    }
}
