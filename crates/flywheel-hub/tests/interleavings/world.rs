use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flywheel_hub::{ClientKey, HealRead, Hub, Pending};
use flywheel_model::{
    Channel, ChannelEvent, ChannelEventKind, ChannelOptions, ChannelRules, ClientId, ConnectClaims, Epoch,
    Now, Payload, Publication, SessionId, Timestamp, UserId,
};
use flywheel_protocol::client::Encoding;
use flywheel_session::{Ask, Context, Effect, Greeting, Outcome, Session, Settings, Turn};
use flywheel_stream::{Append, History, Retention, Stream};
use serde_json::Value;

use crate::observer::{Observer, payload};

pub(crate) const CHANNELS: [&str; 4] = ["log:a", "diff:d", "pick:p", "ask:x"];
pub(crate) const CLIENTS: usize = 2;
const KEEP: Retention =
    Retention { size: 6, ttl: Duration::from_mins(1), meta_ttl: Duration::from_hours(24) };

/// A fault of the server that the reference must notice, planted in this world around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// A push gets lost between shard and client.
    SkipOne,
    /// One is sent twice.
    RepeatOne,
    /// What came in while history was read is not delivered with it.
    DropHeldBack,
    /// A new life of a stream goes by the name of the old one.
    WrongEpoch,
    /// Nobody reads what is missing, nor is told.
    ForgetHealing,
}

pub(crate) struct Client {
    pub generation: u32,
    pub closed: bool,
    pub observer: Observer,
}

/// One shard, its clients, an engine on which nothing is in time, and the reference.
pub(crate) struct World {
    pub hub: Hub,
    pub now: Now,
    pub streams: Vec<Stream>,
    /// Real names of the streams' lives.
    epochs: Vec<u32>,
    pub mailbox: VecDeque<ChannelEvent>,
    pub asked: Vec<(ClientKey, Context, Ask)>,
    pub answered: Vec<(ClientKey, Context, Outcome)>,
    pub reads: Vec<HealRead>,
    pub read: Vec<(HealRead, Option<History>)>,
    pub clients: Vec<Client>,
    pub bug: Bug,
    pushes: usize,
    /// Whether questions are answered at once.
    prompt: bool,
    pub wrong: Option<String>,
    /// Where the stream ended that a subscription was set up with.
    tops: Vec<(ClientKey, Channel, u64)>,
}

pub(crate) fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let log = ChannelOptions {
            allow_subscribe_for_client: true,
            allow_subscribe_for_anonymous: true,
            history_size: KEEP.size,
            history_ttl: KEEP.ttl,
            force_recovery: true,
            ..ChannelOptions::default()
        };
        let namespaces = [
            ("diff", ChannelOptions { allow_delta: true, delta_publish: true, ..log.clone() }),
            ("pick", ChannelOptions { allow_tags_filter: true, ..log.clone() }),
            ("ask", ChannelOptions { subscribe_proxy_enabled: true, ..log.clone() }),
            ("log", log),
        ];
        let rules = ChannelRules {
            namespaces: namespaces
                .into_iter()
                .map(|(name, options)| (name.into(), Arc::new(options)))
                .collect(),
            ..ChannelRules::default()
        };
        Settings {
            rules: Arc::new(rules),
            ping_interval: None,
            recovery_limit: Some(4),
            ..Settings::default()
        }
    })
}

impl World {
    pub(crate) fn new(bug: Bug) -> Self {
        let now = Now { at: Timestamp::from_millis(1000), unix_millis: 1_700_000_000_000 };
        let client = |_| Client { generation: 0, closed: true, observer: Observer::default() };
        let mut world = Self {
            hub: Hub::new(now.at, 1 << 20),
            now,
            streams: CHANNELS.iter().map(|_| Stream::new(Epoch::from("e0"), now.at, KEEP.meta_ttl)).collect(),
            epochs: vec![0; CHANNELS.len()],
            mailbox: VecDeque::new(),
            asked: Vec::new(),
            answered: Vec::new(),
            reads: Vec::new(),
            read: Vec::new(),
            clients: (0..CLIENTS).map(client).collect(),
            bug,
            pushes: 0,
            prompt: false,
            wrong: None,
            tops: Vec::new(),
        };
        (0..CLIENTS).for_each(|client| world.connect(client));
        world
    }

    /// Opens a connection for a client that has none.
    pub(crate) fn connect(&mut self, client: usize) {
        let slot = u32::try_from(client).unwrap();
        let generation = self.clients[client].generation + 1;
        self.clients[client].generation = generation;
        self.clients[client].closed = false;
        let random = u128::from(generation) << 32 | u128::from(slot);
        let greeting = Greeting {
            client: ClientId::from_random(random),
            session: SessionId::from_random(!random),
            encoding: Encoding::Json,
            transport: flywheel_protocol::client::Transport::WebSocket,
            headers: None,
            app_pings: true,
            random: 0,
            trusted_user: None,
        };
        let turn = Turn { now: self.now, settings: settings(), queued: 0, effects: &mut Vec::new() };
        let session = Session::new(greeting, &turn);
        self.hub.outbox.open(slot);
        self.hub.insert(ClientKey { slot, generation }, session, false);
        self.prompt = true;
        let request = flywheel_protocol::client::Request::Connect(Box::default());
        self.act(client, |session, turn| {
            session.handle_command(turn, flywheel_protocol::client::Command { id: 1, request });
        });
        self.prompt = false;
    }

    pub(crate) fn act(&mut self, client: usize, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let slot = u32::try_from(client).unwrap();
        let mut effects = Vec::new();
        let mut turn = Turn { now: self.now, settings: settings(), queued: 0, effects: &mut effects };
        if let Some(client) = self.hub.get_mut(slot) {
            act(&mut client.session, &mut turn);
        }
        self.carry_out(effects.into_iter().map(|effect| (slot, effect)).collect());
    }

    pub(crate) fn carry_out(&mut self, effects: Vec<Pending>) {
        for (slot, effect) in effects {
            match effect {
                Effect::Send(message) => drop(self.hub.send(slot, &message)),
                Effect::Close(_) | Effect::Reject(..) => self.clients[slot as usize].closed = true,
                Effect::Register(user) => self.hub.register(slot, user),
                Effect::Attach(sub, channel) => drop(self.hub.attach(slot, sub, &channel)),
                Effect::Detach(sub, channel) => drop(self.hub.detach(slot, sub, &channel)),
                Effect::Heal(channel) => self.hub.heal(self.now, settings(), &channel),
                Effect::Ask(context, ask) => {
                    let key = self.hub.get(slot).unwrap().key;
                    if self.prompt || matches!(context, Context::Check(_)) {
                        let outcome = self.outcome(key, &ask);
                        self.act(slot as usize, |session, turn| {
                            session.handle_outcome(turn, context, outcome);
                        });
                    } else {
                        self.asked.push((key, context, ask));
                    }
                }
                Effect::Tell(_) | Effect::TransportPing | Effect::Explain(_) => {}
            }
        }
    }

    /// What the engine answers now.
    pub(crate) fn outcome(&mut self, key: ClientKey, ask: &Ask) -> Outcome {
        match ask {
            Ask::Authenticate { .. } => {
                let user = UserId::from("42");
                Outcome::Connected(Ok(Box::new(ConnectClaims { user, ..ConnectClaims::default() })))
            }
            Ask::Admit(_) => Outcome::Admitted(Ok(())),
            Ask::Authorize { .. } => Outcome::Authorized(Ok(Box::default())),
            Ask::Subscribe(plan) => {
                let history = plan
                    .history
                    .as_ref()
                    .map(|query| self.stream(&plan.channel).read(Timestamp::ZERO, query).unwrap());
                if let Some(history) = &history {
                    self.tops.retain(|(known, channel, _)| *known != key || *channel != plan.channel);
                    self.tops.push((key, plan.channel.clone(), history.top.offset));
                }
                Outcome::Subscribed(Ok(history))
            }
            Ask::History(channel, query) => {
                Outcome::History(Ok(self.stream(channel).read(Timestamp::ZERO, query).unwrap()))
            }
            other => panic!("nobody answers {other:?}"),
        }
    }

    fn stream(&mut self, channel: &Channel) -> &mut Stream {
        let now = self.now.at;
        let index = CHANNELS.iter().position(|name| *name == channel.as_str()).unwrap();
        self.streams[index].expire(now);
        &mut self.streams[index]
    }

    pub(crate) fn answer_read(&mut self, read: &HealRead) -> History {
        let channel = read.channel.clone();
        self.stream(&channel).read(Timestamp::ZERO, &read.query).unwrap()
    }

    pub(crate) fn publish(&mut self, index: usize) {
        let (name, now) = (CHANNELS[index], self.now.at);
        let stream = &mut self.streams[index];
        stream.expire(now);
        let base = stream.newest().filter(|_| name.starts_with("diff:")).cloned();
        let offset = stream.position().offset + 1;
        let data = payload(name, &format!("e{}", self.epochs[index]), offset);
        let mut publication = Publication::of(Payload::new(data.into()));
        if offset % 2 == 1 {
            publication.tags.insert("kind".into(), "odd".into());
        }
        let Append::Appended(publication) = stream.append(now, publication, None, KEEP) else {
            return;
        };
        let kind = ChannelEventKind::Publication(publication, stream.position().epoch, base);
        self.mailbox.push_back(ChannelEvent { channel: name.into(), kind });
    }

    /// The stream is lost with everything in it, and begins anew.
    pub(crate) fn lose_stream(&mut self, index: usize) {
        self.epochs[index] += 1;
        let shown = if self.bug == Bug::WrongEpoch { 0 } else { self.epochs[index] };
        self.streams[index] =
            Stream::new(Epoch::from(format!("e{shown}").as_str()), self.now.at, KEEP.meta_ttl);
    }

    pub(crate) fn deliver(&mut self) {
        if let Some(event) = self.mailbox.pop_front() {
            let mut effects = Vec::new();
            self.hub.deliver(self.now, settings(), &event, &mut effects);
            self.carry_out(effects);
        }
    }

    pub(crate) fn arrive(&mut self, index: usize) {
        if index < self.answered.len() {
            let (key, context, outcome) = self.answered.remove(index);
            if self.hub.is_current(key) {
                self.act(key.slot as usize, |session, turn| session.handle_outcome(turn, context, outcome));
            }
        }
    }

    pub(crate) fn heal(&mut self, index: usize) {
        if index < self.read.len() {
            let (read, history) = self.read.remove(index);
            let mut effects = Vec::new();
            let (now, channel) = (self.now, &read.channel);
            self.hub.healed(now, settings(), channel, read.heal, history.as_ref(), &mut effects);
            self.carry_out(effects);
        }
    }

    pub(crate) fn poll_heals(&mut self) {
        while let Some(read) = self.hub.poll_heal(self.now) {
            if self.bug != Bug::ForgetHealing {
                self.reads.push(read);
            }
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.at = self.now.at + Duration::from_millis(millis);
        self.now.unix_millis += i64::try_from(millis).unwrap();
        if self.bug != Bug::ForgetHealing {
            let mut effects = Vec::new();
            self.hub.expire_heals(self.now, settings(), &mut effects);
            self.carry_out(effects);
        }
        (0..CLIENTS).for_each(|client| self.act(client, Session::handle_timeout));
    }

    /// The client reads what was sent; one whose connection has ended comes back.
    pub(crate) fn look(&mut self) {
        let dirty = self.hub.outbox.take_dirty();
        for slot in &dirty {
            let mut bytes = Vec::new();
            let flushed = self.hub.outbox.flush(*slot, |slices| {
                slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
                Ok(slices.iter().map(|slice| slice.len()).sum())
            });
            flushed.unwrap();
            self.read_frames(*slot as usize, &bytes);
        }
        self.hub.outbox.end_tick(dirty);
        for client in 0..CLIENTS {
            if self.clients[client].closed {
                self.reconnect(client);
            }
        }
    }

    pub(crate) fn reconnect(&mut self, client: usize) {
        self.act(client, Session::handle_closed);
        self.hub.remove(u32::try_from(client).unwrap());
        self.clients[client].observer.connection_lost();
        self.connect(client);
    }

    fn read_frames(&mut self, client: usize, mut bytes: &[u8]) {
        while let [_, length, rest @ ..] = bytes {
            let (length, rest) = match (*length, rest) {
                (126, [high, low, rest @ ..]) => (usize::from(*high) << 8 | usize::from(*low), rest),
                (length, rest) => (usize::from(length), rest),
            };
            assert!(length <= rest.len(), "a frame of {length} bytes in {}", rest.len());
            let (payload, rest) = rest.split_at(length);
            for line in payload.split(|byte| *byte == b'\n') {
                self.see(client, serde_json::from_slice(line).unwrap());
            }
            bytes = rest;
        }
    }

    fn see(&mut self, client: usize, mut message: Value) {
        let mut times = 1;
        if message["push"].get("pub").is_some() {
            self.pushes += 1;
            times = match self.bug {
                Bug::SkipOne if self.pushes == 3 => 0,
                Bug::RepeatOne if self.pushes == 3 => 2,
                _ => 1,
            };
        }
        if self.bug == Bug::DropHeldBack {
            self.drop_held_back(client, &mut message);
        }
        let client = &mut self.clients[client];
        for _ in 0..times {
            if let Err(wrong) = client.observer.see(&message, &CHANNELS) {
                self.wrong.get_or_insert(format!("{wrong}: {message}"));
            }
        }
    }

    /// Takes out of a subscribe reply what history did not have when it was read.
    fn drop_held_back(&self, client: usize, message: &mut Value) {
        let commands = &self.clients[client].observer.commands;
        let channel = message["id"].as_u64().and_then(|id| commands.get(&id)).map(|about| about.0);
        let slot = u32::try_from(client).unwrap();
        let top = self
            .tops
            .iter()
            .rev()
            .find(|(key, known, _)| key.slot == slot && Some(known.as_str()) == channel);
        if let (Some((_, _, top)), Some(publications)) =
            (top, message["subscribe"].get_mut("publications").and_then(Value::as_array_mut))
        {
            publications.retain(|publication| publication["offset"].as_u64() <= Some(*top));
        }
    }
}
