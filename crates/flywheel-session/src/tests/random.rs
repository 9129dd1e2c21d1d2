//! Any order of commands, publications, late and failed answers, lost connections and lost streams: what the client
//! sees has no hole that it was not told of, every command is answered once, and nothing is left behind.

use std::collections::BTreeMap;

use flywheel_model::{ChannelEvent, ChannelEventKind, ClientId, Payload};
use flywheel_protocol::client::{ServerMessage, StreamPosition};
use flywheel_protocol::{Disconnect, ErrorCode, Unsubscribed};
use proptest::prelude::*;

use super::audit::Audit;
use super::observer::{Observer, payload};
use super::world::World;
use crate::{Context, Outcome, ServerSubscribe, Session, Turn};

const CHANNELS: [&str; 5] = ["log:a", "log:b", "snap:c", "hall:d", "lobby"];

#[derive(Debug, Clone)]
enum Step {
    Subscribe {
        channel: usize,
        recovers: bool,
    },
    Unsubscribe(usize),
    PublishByClient(usize),
    Query(usize),
    Publish(usize),
    /// The engine works on a question; its answer is on the way.
    Work(usize),
    /// An answer arrives.
    Arrive(usize),
    Fail(usize),
    Deliver,
    SubscribeByServer {
        channel: usize,
        recovers: bool,
    },
    UnsubscribeByServer(usize),
    Pass(u64),
    Trim(usize),
    LoseStream(usize),
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let channel = || 0..CHANNELS.len();
    prop_oneof![
        8 => (channel(), any::<bool>()).prop_map(|(channel, recovers)| Step::Subscribe { channel, recovers }),
        3 => channel().prop_map(Step::Unsubscribe),
        4 => channel().prop_map(Step::PublishByClient),
        1 => channel().prop_map(Step::Query),
        12 => channel().prop_map(Step::Publish),
        10 => (0usize..4).prop_map(Step::Work),
        10 => (0usize..4).prop_map(Step::Arrive),
        1 => (0usize..4).prop_map(Step::Fail),
        16 => Just(Step::Deliver),
        1 => (channel(), any::<bool>()).prop_map(|(channel, recovers)| Step::SubscribeByServer { channel, recovers }),
        1 => channel().prop_map(Step::UnsubscribeByServer),
        1 => (1u64..30_000).prop_map(Step::Pass),
        1 => channel().prop_map(Step::Trim),
        1 => channel().prop_map(Step::LoseStream),
        1 => Just(Step::Reconnect),
    ]
}

/// A fault that the checker must notice, at the delivery or message that has this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Between broker and session.
    LoseDelivery(usize),
    /// Between session and client.
    LoseMessage(usize),
    RepeatMessage(usize),
    /// A publication of one channel is delivered as one of the next.
    Misroute(usize),
}

struct Run {
    world: World,
    observer: Observer,
    arriving: Vec<(Context, Outcome)>,
    fault: Fault,
    deliveries: usize,
    messages: usize,
    next_id: u32,
    epochs: u32,
    numbers: BTreeMap<String, u64>,
}

impl Run {
    fn new(fault: Fault) -> Self {
        let mut world = World::new();
        for channel in CHANNELS {
            world.engine.stream(channel).epoch = "e0".into();
        }
        world.mail_waits = true;
        let mut run = Self {
            world,
            observer: Observer::default(),
            arriving: Vec::new(),
            fault,
            deliveries: 0,
            messages: 0,
            next_id: 1,
            epochs: 0,
            numbers: BTreeMap::new(),
        };
        run.connect();
        run
    }

    fn connect(&mut self) {
        self.world.fast();
        let id = self.id();
        self.world.send(&format!(r#"{{"id":{id},"connect":{{"token":"t42"}}}}"#));
        for kind in ["subscribe", "publish", "history", "presence"] {
            self.world.slow(kind);
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn run(mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            self.step(step);
            self.look()?;
        }
        self.finish()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Subscribe { channel, recovers } => {
                let channel = CHANNELS[channel];
                let since = self.since(channel, recovers);
                let members = since.as_ref().map_or(String::new(), |StreamPosition { offset, epoch }| {
                    format!(r#","recover":true,"offset":{offset},"epoch":"{epoch}""#)
                });
                let id = self.id();
                self.observer.commands(id, channel, since);
                self.world.send(&format!(r#"{{"id":{id},"subscribe":{{"channel":"{channel}"{members}}}}}"#));
            }
            Step::Unsubscribe(channel) => {
                let (id, channel) = (self.id(), CHANNELS[channel]);
                self.observer.commands(id, channel, None);
                self.world.send(&format!(r#"{{"id":{id},"unsubscribe":{{"channel":"{channel}"}}}}"#));
            }
            Step::PublishByClient(channel) => {
                // The payload is made when the publication is.
                let (id, channel) = (self.id(), CHANNELS[channel]);
                self.world.send(&format!(r#"{{"id":{id},"publish":{{"channel":"{channel}","data":0}}}}"#));
            }
            Step::Query(channel) => {
                let (id, channel) = (self.id(), CHANNELS[channel]);
                let method = if id % 2 == 0 { "history" } else { "presence" };
                self.world.send(&format!(r#"{{"id":{id},"{method}":{{"channel":"{channel}"}}}}"#));
            }
            Step::Publish(channel) => self.publish(CHANNELS[channel]),
            Step::Work(index) => self.work(index),
            Step::Arrive(index) => {
                if index < self.arriving.len() {
                    let arrived = self.arriving.remove(index);
                    self.world.give(arrived);
                }
            }
            Step::Fail(index) => {
                if index < self.world.asked.len() {
                    let (context, ask) = self.world.asked.remove(index);
                    self.world.give((context, Outcome::failed(&ask, ErrorCode::INTERNAL.into())));
                }
            }
            Step::Deliver => self.deliver(),
            Step::SubscribeByServer { channel, recovers } => {
                let channel = CHANNELS[channel];
                let recover_since = self.since(channel, recovers).map(flywheel_model::StreamPosition::from);
                let request = ServerSubscribe { recover_since, ..ServerSubscribe::default() };
                self.world.act(|session, turn| session.subscribe_by_server(turn, &channel.into(), request));
            }
            Step::UnsubscribeByServer(channel) => {
                let why = Unsubscribed::BY_SERVER;
                self.world.act(|session, turn| session.unsubscribe_by_server(turn, CHANNELS[channel], why));
            }
            Step::Pass(millis) => {
                let now = self.world.now.at.as_millis();
                self.world.at(now + millis);
            }
            Step::Trim(channel) => {
                let stream = self.world.engine.stream(CHANNELS[channel]);
                stream.lost = stream.all.len();
            }
            Step::LoseStream(channel) => {
                self.epochs += 1;
                let stream = self.world.engine.stream(CHANNELS[channel]);
                stream.epoch = format!("e{}", self.epochs).as_str().into();
                stream.all.clear();
                stream.lost = 0;
            }
            Step::Reconnect => self.reconnect(),
        }
    }

    fn since(&self, channel: &str, recovers: bool) -> Option<StreamPosition> {
        self.observer.position(channel).filter(|_| recovers)
    }

    /// What the next publication of a channel says.
    fn next_payload(&mut self, channel: &str) -> Payload {
        let has_history = self.world.settings.rules.options(channel).unwrap().has_history();
        let stream = self.world.engine.stream(channel);
        let text = if has_history {
            payload(channel, stream.epoch.as_str(), stream.all.len() as u64 + 1)
        } else {
            let number = self.numbers.entry(channel.to_owned()).or_default();
            *number += 1;
            payload(channel, "", *number)
        };
        Payload::new(text.into())
    }

    fn publish(&mut self, channel: &str) {
        let data = self.next_payload(channel);
        let event = self.world.engine.publish(&self.world.settings, channel, data, None);
        self.world.mailbox.push_back(event);
    }

    fn work(&mut self, index: usize) {
        if index >= self.world.asked.len() {
            return;
        }
        let (context, mut ask) = self.world.asked.remove(index);
        if let crate::Ask::Publish { channel, data, .. } = &mut ask {
            *data = self.next_payload(channel.as_str());
        }
        let (outcome, event) = self.world.engine.answer(&self.world.settings, &ask);
        self.world.mailbox.extend(event);
        self.arriving.push((context, outcome));
    }

    fn deliver(&mut self) {
        let Some(event) = self.world.mailbox.pop_front() else {
            return;
        };
        self.deliveries += 1;
        match self.fault {
            Fault::LoseDelivery(number) if number == self.deliveries => {}
            Fault::Misroute(number) if number == self.deliveries => {
                self.world.deliver(&ChannelEvent { channel: "lobby".into(), ..event });
            }
            _ => self.world.deliver(&event),
        }
    }

    fn reconnect(&mut self) {
        self.world.hang_up();
        for (context, ask) in std::mem::take(&mut self.world.asked) {
            let outcome = Outcome::failed(&ask, Disconnect::INTERNAL.into());
            self.world.give((context, outcome));
        }
        for arrived in std::mem::take(&mut self.arriving) {
            self.world.give(arrived);
        }
        self.world.audit.over();
        self.world.audit = Audit::default();
        // Entries of presence that were made after the end expire.
        self.world.engine.present.clear();
        self.observer.connection_lost();
        self.world.sent.clear();
        let mut greeting = self.world.session.greeting.clone();
        greeting.client = ClientId::from_random(u128::from(self.next_id));
        let turn =
            Turn { now: self.world.now, settings: &self.world.settings, queued: 0, effects: &mut Vec::new() };
        self.world.session = Session::new(greeting, &turn);
        self.connect();
    }

    /// The client reads what has been sent, and answers pings.
    fn look(&mut self) -> Result<(), String> {
        for message in std::mem::take(&mut self.world.sent) {
            self.messages += 1;
            let times = match self.fault {
                Fault::LoseMessage(number) if number == self.messages => 0,
                Fault::RepeatMessage(number) if number == self.messages => 2,
                _ => 1,
            };
            for _ in 0..times {
                self.observer.see(&message)?;
            }
            if message == ServerMessage::Ping {
                self.world.send("{}");
            }
        }
        if self.world.audit.closed {
            self.reconnect();
        }
        Ok(())
    }

    /// Everything on its way arrives: the client stands where the streams end.
    fn finish(mut self) -> Result<(), String> {
        while !(self.world.asked.is_empty() && self.arriving.is_empty() && self.world.mailbox.is_empty()) {
            self.work(0);
            self.step(&Step::Arrive(0));
            self.deliver();
            self.look()?;
        }
        self.look()?;
        self.world.audit.at_rest();
        for (channel, position) in self.observer.subscribed() {
            let top = self.world.engine.streams[channel].top();
            let is_there = (position.offset, position.epoch.as_str()) == (top.offset, top.epoch.as_str());
            // Nobody has noticed yet that a stream was lost into which nothing has been published since.
            if !is_there && top.offset > 0 {
                return Err(format!("{channel} ends at {top}, the client is at {position:?}"));
            }
        }
        // An entry that was made after an unsubscribe expires.
        self.world.engine.present.clear();
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_client_misses_nothing_in_silence(steps in prop::collection::vec(step(), 1..120)) {
        let outcome = Run::new(Fault::None).run(&steps);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

/// Subscribes `log:a`, publishes four times, one of them before the subscription is set up, and delivers everything.
fn plain() -> Vec<Step> {
    let mut steps = vec![Step::Subscribe { channel: 0, recovers: false }, Step::Work(0), Step::Publish(0)];
    steps.extend([Step::Deliver, Step::Arrive(0)]);
    for _ in 0..3 {
        steps.extend([Step::Publish(0), Step::Deliver]);
    }
    steps
}

fn check(fault: Fault, expected: Option<&str>) {
    let mut steps = plain();
    if let Fault::Misroute(_) = fault {
        steps.insert(0, Step::Subscribe { channel: 4, recovers: false });
        steps.insert(1, Step::Work(0));
        steps.insert(2, Step::Arrive(0));
    }
    let outcome = Run::new(fault).run(&steps);
    match expected {
        None => assert_eq!(outcome, Ok(()), "{fault:?}"),
        Some(expected) => {
            let wrong = outcome.unwrap_err();
            assert!(wrong.contains(expected), "{fault:?}: {wrong}");
        }
    }
}

#[test]
fn the_checker_notices_what_is_lost_repeated_or_misrouted() {
    check(Fault::None, None);
    // The last delivery: no successor reveals it. One in the middle is noticed by the session itself.
    check(Fault::LoseDelivery(4), Some("the client is at"));
    check(Fault::LoseDelivery(2), None);
    // 1 is the connect reply, 2 the subscribe reply.
    check(Fault::LoseMessage(2), Some("without a subscription"));
    check(Fault::LoseMessage(3), Some("3 follows 1"));
    check(Fault::LoseMessage(5), Some("the client is at"));
    check(Fault::RepeatMessage(4), Some("3 follows 3"));
    check(Fault::Misroute(1), Some("another publication's payload"));
}

#[test]
fn the_checker_notices_wrong_payloads() {
    let mut observer = Observer::default();
    let kind = |text: &str| {
        let publication = flywheel_model::Publication {
            offset: 1,
            ..flywheel_model::Publication::of(Payload::new(text.to_owned().into()))
        };
        ChannelEventKind::Publication(publication.into(), "e0".into(), None)
    };
    let push = |text: &str| ServerMessage::push("log:a", super::world::body(&kind(text)).unwrap());
    let subscribed = flywheel_protocol::client::SubscribePush { epoch: "e0".into(), ..Default::default() };
    observer
        .see(&ServerMessage::push("log:a", flywheel_protocol::client::PushBody::Subscribe(subscribed)))
        .unwrap();
    assert!(observer.see(&push("\"log:b e0 1\"")).is_err());
}
