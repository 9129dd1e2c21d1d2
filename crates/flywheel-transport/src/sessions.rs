//! The messaging server as an application of the reactor. What its parts do stands in the files below; here is what they
//! share, and how the effects of sessions are carried out.

mod arrival;
mod commands;
mod delivery;
mod departure;
mod emulation;
mod farewell;
mod healing;
mod mail;
mod operations;
mod presence;
mod questions;
mod refusals;
mod seat;
mod sending;
mod stopping;
mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flywheel_hub::{ClientKey, Hub, Outbox, Packing, Pending};
use flywheel_metrics::{Method, ShardCounters};
use flywheel_model::{Channel, ChannelEvent, ClientInfo, Now, Timestamp};
use flywheel_node::{Node, ShardPost};
use flywheel_runtime::Random;
use flywheel_session::{Effect, Session, Settings, Turn};
use flywheel_websocket::{MessageKind, Request};

use self::departure::Departure;
use self::emulation::Emulation;
use self::seat::Seat;
use self::stopping::Stopping;
use crate::application::{Admission, Application};
use crate::welcome::{Welcome, welcome};
use crate::{ConnectionLimits, Door, Io};

/// What the sessions of a shard need.
pub struct SessionsParts {
    /// The rest of the server.
    pub node: Arc<Node>,
    /// Which shard it is.
    pub shard: usize,
    /// Its mailboxes.
    pub post: Arc<ShardPost>,
    /// Who may come in.
    pub door: Arc<Door>,
    /// Makes ids.
    pub random: Arc<Random>,
    /// Bytes that may be queued for one client.
    pub queue_bytes_max: usize,
    /// How messages are compressed for clients that want it.
    pub packing: Packing,
}

/// The messaging server as an [`Application`]: drives the sessions of one shard.
pub struct Sessions {
    parts: SessionsParts,
    settings: Arc<Settings>,
    hub: Hub,
    /// Those who are inside, by slot.
    seats: Vec<Option<Seat>>,
    emulation: Emulation,
    counters: ShardCounters,
    counters_flushed: Timestamp,
    /// Of the command that is being handled, for its errors; an answer that comes later has none.
    method: Method,
    /// Effects of sessions that are still to be carried out, in order.
    pending: VecDeque<Pending>,
    scratch: Vec<Effect>,
    events: Vec<ChannelEvent>,
    /// Clients that are being sent elsewhere.
    departure: Option<Departure>,
    /// Presence entries to refresh, of as many clients as may be in one call.
    refreshes: Vec<(Channel, Box<ClientInfo>)>,
    stopping: Option<Stopping>,
}

impl Sessions {
    /// A shard without clients.
    pub fn new(parts: SessionsParts) -> Self {
        let settings = parts.node.settings();
        let now = parts.node.clock().now().at;
        let mut hub = Hub::new(now, parts.queue_bytes_max);
        hub.set_packing(parts.packing);
        Self {
            hub,
            seats: Vec::new(),
            emulation: Emulation::default(),
            counters: ShardCounters::new(parts.node.metrics()),
            counters_flushed: now,
            method: Method::Unknown,
            settings,
            pending: VecDeque::new(),
            scratch: Vec::new(),
            events: Vec::new(),
            departure: None,
            refreshes: Vec::new(),
            stopping: None,
            parts,
        }
    }

    /// Lets the session in `slot` do something, and collects what it wants done.
    fn with_session(&mut self, io: &Io, slot: u32, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let queued = self.hub.outbox.queued(slot);
        if let Some(client) = self.hub.get_mut(slot) {
            let mut turn =
                Turn { now: io.now(), settings: &self.settings, queued, effects: &mut self.scratch };
            act(&mut client.session, &mut turn);
            self.pending.extend(self.scratch.drain(..).map(|effect| (slot, effect)));
        }
    }

    /// Carries out everything that sessions want done, and what comes of it.
    fn carry_out(&mut self, io: &mut Io) {
        while let Some((slot, effect)) = self.pending.pop_front() {
            match effect {
                Effect::Send(message) => self.send(io, slot, &message),
                Effect::TransportPing => io.ping(&mut self.hub.outbox, slot),
                Effect::Close(disconnect) => self.close(io, slot, &disconnect, None),
                Effect::Reject(code, disconnect) => self.close(io, slot, &disconnect, Some(code)),
                Effect::Register(user) => {
                    self.hub.register(slot, user);
                }
                Effect::Attach(sub, channel) => {
                    self.counters.subscription_opened(self.kind(slot).has_name);
                    if self.hub.attach(slot, sub, &channel) {
                        self.parts.node.route(&channel, self.parts.shard);
                    }
                }
                Effect::Detach(sub, channel) => {
                    self.counters.subscription_closed(self.kind(slot).has_name);
                    if self.hub.detach(slot, sub, &channel) {
                        self.parts.node.unroute(&channel, self.parts.shard);
                    }
                }
                Effect::Heal(channel) => self.hub.heal(io.now(), &self.settings, &channel),
                Effect::Tell(tell) => self.tell(tell),
                Effect::Ask(context, ask) => self.ask(io, slot, context, ask),
                Effect::Explain(refusal) => self.explain(slot, &refusal),
            }
        }
    }

    /// After a session has worked: its next timer, and whether it wants more to do.
    fn rest(&mut self, io: &mut Io, slot: u32) {
        self.hub.schedule(slot, io.now(), &self.settings);
        let saturated = self.is_saturated(io, slot);
        if !self.transport(slot).is_websocket() {
            // What a stream reads is only whether its client is still there.
            if !saturated && let Some((frame, answer)) = self.emulation.next(slot) {
                self.heard(io, slot, &frame);
                answer.send(true).unwrap_or_default();
            }
        } else if saturated {
            io.pause(slot);
        } else {
            io.resume(slot);
        }
    }

    fn is_saturated(&mut self, io: &Io, slot: u32) -> bool {
        let turn = Turn { now: io.now(), settings: &self.settings, queued: 0, effects: &mut self.scratch };
        self.hub.get(slot).is_some_and(|client| client.session.is_saturated(&turn))
    }
}

impl Application for Sessions {
    type Context = Welcome;

    fn admit(&mut self, request: &Request<'_>, rest: &[u8]) -> Admission<Welcome> {
        welcome(&self.parts.door, &self.parts.node, request, rest)
    }

    fn limits(&self, context: &Welcome) -> Option<Arc<ConnectionLimits>> {
        Some(Arc::clone(&context.limits))
    }

    fn opened(&mut self, io: &mut Io, key: ClientKey, context: Welcome) {
        self.let_in(io, key, context);
    }

    fn message(&mut self, io: &mut Io, slot: u32, _kind: MessageKind, payload: &[u8]) {
        self.heard(io, slot, payload);
    }

    fn pong(&mut self, io: &mut Io, slot: u32) {
        self.with_session(io, slot, Session::handle_transport_pong);
        self.count_pong(slot);
        self.carry_out(io);
        self.rest(io, slot);
    }

    fn ended(&mut self, io: &mut Io, slot: u32) {
        self.with_session(io, slot, Session::handle_closed);
        self.carry_out(io);
    }

    fn gone(&mut self, slot: u32) {
        match self.hub.remove(slot) {
            Some(client) => {
                self.seats[slot as usize] = None;
                if client.session.transport().is_emulated() {
                    self.emulation.gone(client.session.session_id(), slot);
                }
                if client.session.was_connected() {
                    self.counters.connection_closed(sending::kind(&client.session));
                }
            }
            None => self.hub.outbox.close(slot),
        }
    }

    fn turn(&mut self, io: &mut Io) {
        self.take_turn(io);
    }

    fn idle(&self, now: Now) -> Option<Duration> {
        if !self.parts.post.is_idle() {
            return Some(Duration::ZERO);
        }
        let departure = self.departure.as_ref().and_then(|departure| departure.idle(now.at));
        [self.hub.idle(now.at), departure].into_iter().flatten().min()
    }

    fn outbox(&mut self) -> &mut Outbox {
        &mut self.hub.outbox
    }
}
