use std::sync::Arc;

use flywheel_model::{
    Channel, ChannelEvent, ChannelEventKind, ChannelOptions, ChannelRules, ClientId, ConnectClaims, Epoch,
    Now, Payload, Publication, SessionId, StreamPosition, Timestamp,
};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{Encoding, commands};
use flywheel_session::{Ask, Effect, Greeting, Outcome, Session, Settings, Turn};

use flywheel_stream::History;

use crate::{ClientKey, Delivered, Hub, Pending};

/// A hub and everything that a driver adds to it, except for sockets.
pub(super) struct Shard {
    pub hub: Hub,
    pub settings: Settings,
    pub now: Now,
    /// Codes with which connections were closed.
    pub closed: Vec<(u32, u32)>,
}

impl Shard {
    pub(super) fn new(queue_bytes_max: usize) -> Self {
        let open = ChannelOptions {
            allow_subscribe_for_client: true,
            allow_subscribe_for_anonymous: true,
            ..ChannelOptions::default()
        };
        let delta = ChannelOptions { allow_delta: true, ..open.clone() };
        let pick = ChannelOptions { allow_tags_filter: true, ..open.clone() };
        let log = ChannelOptions {
            force_recovery: true,
            history_size: 1000,
            history_ttl: std::time::Duration::from_mins(1),
            ..delta.clone()
        };
        let namespaces = [
            ("log".to_owned(), Arc::new(log)),
            ("diff".to_owned(), Arc::new(delta)),
            ("pick".to_owned(), Arc::new(pick)),
        ]
        .into();
        let rules = ChannelRules { without_namespace: Arc::new(open), namespaces, ..ChannelRules::default() };
        let settings = Settings { version: "v".into(), rules: Arc::new(rules), ..Settings::default() };
        let now = Now::default();
        Self { hub: Hub::new(now.at, queue_bytes_max), settings, now, closed: Vec::new() }
    }

    /// Opens a connection whose ids are made of its slot and generation, and connects it as `user`.
    pub(super) fn open(&mut self, slot: u32, generation: u32, encoding: Encoding, user: &str) {
        let random = u128::from(slot) << 32 | u128::from(generation);
        let greeting = Greeting {
            client: ClientId::from_random(random),
            session: SessionId::from_random(!random),
            encoding,
            transport: flywheel_protocol::client::Transport::WebSocket,
            headers: None,
            app_pings: true,
            random: 0,
            trusted_user: None,
        };
        let turn = Turn { now: self.now, settings: &self.settings, queued: 0, effects: &mut Vec::new() };
        let session = Session::new(greeting, &turn);
        self.hub.outbox.open(slot);
        self.hub.insert(ClientKey { slot, generation }, session, false);
        self.send(slot, &format!(r#"{{"id":1,"connect":{{"token":"{user}"}}}}"#));
        self.read(slot);
    }

    pub(super) fn subscribe(&mut self, slot: u32, channel: &str) {
        self.subscribe_with(slot, channel, "");
    }

    /// `members` stand behind the channel in the request.
    pub(super) fn subscribe_with(&mut self, slot: u32, channel: &str, members: &str) {
        self.send(slot, &format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{members}}}}}"#));
        self.read(slot);
    }

    pub(super) fn unsubscribe(&mut self, slot: u32, channel: &str) {
        self.send(slot, &format!(r#"{{"id":3,"unsubscribe":{{"channel":"{channel}"}}}}"#));
        self.read(slot);
    }

    fn send(&mut self, slot: u32, frame: &str) {
        for command in commands(frame.as_bytes(), Encoding::Json) {
            self.act(slot, |session, turn| session.handle_command(turn, command.unwrap()));
        }
    }

    pub(super) fn act(&mut self, slot: u32, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let mut effects = Vec::new();
        let mut turn = Turn { now: self.now, settings: &self.settings, queued: 0, effects: &mut effects };
        act(&mut self.hub.get_mut(slot).unwrap().session, &mut turn);
        self.carry_out(effects.into_iter().map(|effect| (slot, effect)).collect());
    }

    pub(super) fn carry_out(&mut self, effects: Vec<Pending>) {
        for (slot, effect) in effects {
            match effect {
                Effect::Send(message) => {
                    if let Err(disconnect) = self.hub.send(slot, &message) {
                        self.act(slot, |session, turn| session.close(turn, disconnect));
                    }
                }
                Effect::Close(disconnect) | Effect::Reject(_, disconnect) => {
                    if disconnect == Disconnect::SLOW {
                        self.hub.outbox.discard(slot);
                    }
                    self.closed.push((slot, disconnect.code));
                }
                Effect::Register(user) => self.hub.register(slot, user),
                Effect::Attach(sub, channel) => {
                    self.hub.attach(slot, sub, &channel);
                }
                Effect::Detach(sub, channel) => {
                    self.hub.detach(slot, sub, &channel);
                }
                Effect::Ask(context, ask) => {
                    let outcome = match ask {
                        Ask::Authenticate { token, .. } => {
                            let claims = ConnectClaims { user: token.into(), ..ConnectClaims::default() };
                            Outcome::Connected(Ok(Box::new(claims)))
                        }
                        Ask::Admit(_) => Outcome::Admitted(Ok(())),
                        Ask::Subscribe(plan) => {
                            let top = StreamPosition { offset: 0, epoch: Epoch::from("e") };
                            Outcome::Subscribed(Ok(plan
                                .history
                                .map(|_| History { top, publications: vec![] })))
                        }
                        other => panic!("nobody answers {other:?}"),
                    };
                    self.act(slot, |session, turn| session.handle_outcome(turn, context, outcome));
                }
                Effect::Heal(channel) => self.hub.heal(self.now, &self.settings, &channel),
                Effect::Tell(_) | Effect::TransportPing | Effect::Explain(_) => {}
            }
        }
    }

    pub(super) fn publish(&mut self, channel: &str, data: &'static str) -> Delivered {
        self.publish_one(channel, Publication::of(Payload::from(data)), None)
    }

    /// `base` is the publication before it, if it is known.
    pub(super) fn publish_one(
        &mut self,
        channel: &str,
        publication: Publication,
        base: Option<Publication>,
    ) -> Delivered {
        let epoch = if publication.offset > 0 { Epoch::from("e") } else { Epoch::unknown() };
        let kind = ChannelEventKind::Publication(Arc::new(publication), epoch, base.map(Arc::new));
        let event = ChannelEvent { channel: Channel::from(channel), kind };
        let mut effects = Vec::new();
        let delivered = self.hub.deliver(self.now, &self.settings, &event, &mut effects);
        self.carry_out(effects);
        delivered
    }

    /// Takes what stands in the queue of a client, as the bytes of its frames.
    pub(super) fn read(&mut self, slot: u32) -> Vec<u8> {
        let mut read = Vec::new();
        let flushed = self.hub.outbox.flush(slot, |slices| {
            slices.iter().for_each(|slice| read.extend_from_slice(slice));
            Ok(slices.iter().map(|slice| slice.len()).sum())
        });
        flushed.unwrap();
        read
    }

    /// The client's socket takes nothing more.
    pub(super) fn block(&mut self, slot: u32) {
        let full = || Err(std::io::ErrorKind::WouldBlock.into());
        self.hub.outbox.flush(slot, |_| full()).unwrap();
    }

    pub(super) fn at(&mut self, millis: u64) {
        self.now.at = Timestamp::from_millis(millis);
    }
}

/// A WebSocket frame of a server with a short payload.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, u8::try_from(payload.len()).unwrap()];
    assert!(payload.len() < 126);
    frame.extend_from_slice(payload);
    frame
}

pub(super) fn text(payload: &str) -> Vec<u8> {
    frame(1, payload.as_bytes())
}
