//! A shard as its thread drives it, without sockets: the hub's and the sessions' own code, and what the transport does
//! with what they want.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flywheel_engine::{Answer, Broker as _};
use flywheel_hub::{ClientKey, Hub, Pending};
use flywheel_model::{
    Channel, ChannelOptions, ChannelRules, ClientId, ConnectClaims, Now, SessionId, SubscribeGrant,
    Timestamp, UserId,
};
use flywheel_protocol::client::{Command, ConnectRequest, Encoding, Request, SubscribeRequest, Transport};
use flywheel_session::{Ask, Context, Effect, Greeting, Outcome, Session, Settings, Tell, Turn};
use serde_json::Value;

use crate::attendance::Attendance;
use crate::far::Far;
use crate::{Mail, ShardPost, Tasks, Undo};

/// What the shard does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// It routes a channel only when the engine has subscribed and read history.
    RoutesLate,
    /// It looks at its mail, and only then gets ready to be woken.
    LooksTooEarly,
    /// What was done for somebody who has gone meanwhile stays.
    KeepsTheGone,
    /// It says who leaves without waiting for what is under way.
    JumpsTheQueue,
}

/// One thread's part, and what its only client has seen: offsets by channel.
pub(crate) struct Shard {
    hub: Hub,
    pub(crate) post: Arc<ShardPost>,
    attendance: Arc<Attendance>,
    far: Far,
    tasks: Tasks,
    flaw: Flaw,
    /// What whoever vouches for the client subscribes it to.
    granted: BTreeMap<Channel, SubscribeGrant>,
    pending: VecDeque<Pending>,
    pub(crate) seen: BTreeMap<String, Vec<u64>>,
}

const SLOT: u32 = 0;
const NOW: Now = Now { at: Timestamp::from_millis(1000), unix_millis: 1_700_000_000_000 };

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let open = ChannelOptions {
            allow_subscribe_for_client: true,
            allow_subscribe_for_anonymous: true,
            ..ChannelOptions::default()
        };
        let log = ChannelOptions {
            history_size: 8,
            history_ttl: Duration::from_mins(1),
            force_recovery: true,
            ..open.clone()
        };
        let room = ChannelOptions { presence: true, join_leave: true, ..open };
        let namespaces = [("log", log), ("room", room)];
        let namespaces = namespaces.into_iter().map(|(name, options)| (name.into(), Arc::new(options)));
        let rules = ChannelRules { namespaces: namespaces.collect(), ..ChannelRules::default() };
        Settings { rules: Arc::new(rules), ping_interval: None, ..Settings::default() }
    })
}

impl Shard {
    pub(crate) fn new(
        post: &Arc<ShardPost>,
        attendance: &Arc<Attendance>,
        far: &Far,
        tasks: &Tasks,
        flaw: Flaw,
    ) -> Self {
        Self {
            hub: Hub::new(NOW.at, 1 << 20),
            post: Arc::clone(post),
            attendance: Arc::clone(attendance),
            far: far.clone(),
            tasks: tasks.clone(),
            flaw,
            granted: BTreeMap::new(),
            pending: VecDeque::new(),
            seen: BTreeMap::new(),
        }
    }

    /// A client comes that is subscribed by the server, and knows nothing of the channels but their epoch.
    pub(crate) fn connect(&mut self, channels: &[&str]) {
        let greeting = Greeting {
            client: ClientId::from_random(1),
            session: SessionId::from_random(2),
            encoding: Encoding::Json,
            // Its messages are lines, which are read without further ado.
            transport: Transport::HttpStream,
            headers: None,
            app_pings: true,
            random: 0,
            trusted_user: None,
        };
        let turn = Turn { now: NOW, settings: settings(), queued: 0, effects: &mut Vec::new() };
        let session = Session::new(greeting, &turn);
        self.hub.outbox.open(SLOT);
        self.hub.insert(ClientKey { slot: SLOT, generation: 1 }, session, false);
        self.granted =
            channels.iter().map(|name| (Channel::from(*name), SubscribeGrant::default())).collect();
        let recover = SubscribeRequest { recover: true, epoch: "e".into(), ..SubscribeRequest::default() };
        let subs = channels.iter().map(|name| ((*name).to_owned(), recover.clone())).collect();
        self.command(1, Request::Connect(Box::new(ConnectRequest { subs, ..ConnectRequest::default() })));
    }

    /// The client subscribes.
    pub(crate) fn subscribe(&mut self, channel: &str) {
        let request = SubscribeRequest { channel: channel.into(), ..SubscribeRequest::default() };
        self.command(2, Request::Subscribe(Box::new(request)));
    }

    fn command(&mut self, id: u32, request: Request) {
        self.with_session(|session, turn| session.handle_command(turn, Command { id, request }));
        self.carry_out();
    }

    /// The client's connection ends.
    pub(crate) fn end(&mut self) {
        self.with_session(Session::handle_closed);
        self.carry_out();
        self.hub.remove(SLOT);
    }

    /// What a shard does each time that it is woken.
    pub(crate) fn turn(&mut self) {
        let mut mail = Vec::new();
        self.post.mail.drain(&mut mail);
        self.post.mail.release(mail.len());
        for item in mail {
            let Mail::Outcome(key, context, outcome, undo) = item else { panic!("nobody sent {item:?}") };
            self.late(key, context, outcome, undo);
            self.carry_out();
        }
        let mut events = Vec::new();
        self.post.deliveries.drain(&mut events);
        for event in events {
            let mut effects = Vec::new();
            self.hub.deliver(NOW, settings(), &event, &mut effects);
            self.pending.extend(effects);
            self.post.deliveries.release(event.weight());
        }
        self.carry_out();
        self.read();
    }

    fn with_session(&mut self, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let mut effects = Vec::new();
        let mut turn = Turn { now: NOW, settings: settings(), queued: 0, effects: &mut effects };
        if let Some(client) = self.hub.get_mut(SLOT) {
            act(&mut client.session, &mut turn);
        }
        self.pending.extend(effects.into_iter().map(|effect| (SLOT, effect)));
    }

    fn carry_out(&mut self) {
        while let Some((slot, effect)) = self.pending.pop_front() {
            match effect {
                Effect::Send(message) => drop(self.hub.send(slot, &message)),
                Effect::Register(user) => self.hub.register(slot, user),
                Effect::Attach(sub, channel) => {
                    if self.hub.attach(slot, sub, &channel) && self.flaw != Flaw::RoutesLate {
                        self.attendance.route(&channel, 0);
                    }
                }
                Effect::Detach(sub, channel) => {
                    if self.hub.detach(slot, sub, &channel) {
                        self.attendance.unroute(&channel, 0);
                    }
                }
                Effect::Ask(context, ask) => self.ask(context, ask),
                Effect::Tell(tell) => self.tell(tell),
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn ask(&mut self, context: Context, ask: Ask) {
        let Some(key) = self.hub.get(SLOT).map(|client| client.key) else { return };
        let undo = Undo::of(&ask);
        let outcome = match ask {
            Ask::Authenticate { .. } => {
                let (user, subs) = (UserId::from("42"), std::mem::take(&mut self.granted));
                Outcome::Connected(Ok(Box::new(ConnectClaims { user, subs, ..ConnectClaims::default() })))
            }
            Ask::Admit(_) => Outcome::Admitted(Ok(())),
            Ask::Subscribe(plan) => match self.attendance.subscribe(*plan, Duration::ZERO) {
                Answer::Now(outcome) => Outcome::Subscribed(outcome),
                Answer::Later(future) => {
                    let place = self.post.reserve().unwrap();
                    return self.tasks.spawn(async move {
                        let outcome = Outcome::Subscribed(future.await);
                        place.send(Mail::Outcome(key, context, outcome, undo));
                    });
                }
            },
            other => panic!("nobody answers {other:?}"),
        };
        self.with_session(|session, turn| session.handle_outcome(turn, context, outcome));
    }

    fn late(&mut self, key: ClientKey, context: Context, outcome: Outcome, undo: Option<Undo>) {
        let Some(Undo::Subscribed(channel, client)) = undo else { panic!("nothing else was asked") };
        if self.hub.is_current(key) {
            if self.flaw == Flaw::RoutesLate {
                self.attendance.route(&channel, 0);
            }
            self.with_session(|session, turn| session.handle_outcome(turn, context, outcome));
            self.carry_out();
            self.attendance.unsubscribe_unless_routed(&channel);
        } else if self.flaw != Flaw::KeepsTheGone {
            self.attendance.undo(&channel, client);
        }
    }

    fn tell(&self, tell: Tell) {
        match tell {
            Tell::Join(channel, info) => self.attendance.join(channel, info),
            Tell::Leave(channel, info) if self.flaw == Flaw::JumpsTheQueue => {
                let left = self.far.publish_leave(&channel, *info);
                self.tasks.spawn(async move { left.wait().await.unwrap() });
            }
            Tell::Leave(channel, info) => self.attendance.leave(channel, info),
            Tell::RemovePresence(channel, client) => self.attendance.remove_presence(channel, client),
            Tell::Released(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// The client reads what it was sent.
    fn read(&mut self) {
        let dirty = self.hub.outbox.take_dirty();
        let mut bytes = Vec::new();
        for slot in &dirty {
            let flushed = self.hub.outbox.flush(*slot, |slices| {
                slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
                Ok(slices.iter().map(|slice| slice.len()).sum())
            });
            flushed.unwrap();
        }
        self.hub.outbox.end_tick(dirty);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.see(&serde_json::from_slice(line).unwrap());
        }
    }

    fn see(&mut self, message: &Value) {
        let mut note = |channel: &str, publication: &Value| {
            let offset = publication["offset"].as_u64().unwrap();
            self.seen.entry(channel.to_owned()).or_default().push(offset);
        };
        for (channel, result) in message["connect"]["subs"].as_object().into_iter().flatten() {
            assert_eq!(result["recovered"], true, "{result}");
            result["publications"].as_array().into_iter().flatten().for_each(|one| note(channel, one));
        }
        if let Some(publication) = message["push"].get("pub") {
            note(message["push"]["channel"].as_str().unwrap(), publication);
        }
        assert_eq!(message["push"].get("disconnect"), None, "{message}");
    }
}
