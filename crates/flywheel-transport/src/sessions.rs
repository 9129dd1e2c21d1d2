mod healing;
mod presence;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::Answer;
use flywheel_hub::{ClientKey, Hub, Outbox, Packing, Pending};
use flywheel_metrics::{ConnectionKind, Method, ShardCounters};
use flywheel_model::{Channel, ChannelEvent, ClientId, ClientInfo, Now, SessionId, Timestamp};
use flywheel_node::{Answering, Mail, Node, Operation, ShardCounts, ShardPost, Undo};
use flywheel_protocol::client::{
    Command, ConnectRequest, EmulatedFrame, PushBody, ReplyBody, Request as CommandRequest, ServerMessage,
    Transport, commands, connect_request,
};
use flywheel_protocol::{Disconnect, ErrorCode, Unsubscribed};
use flywheel_runtime::Random;
use flywheel_session::{Ask, Context, Effect, Greeting, Outcome, Session, Settings, Turn};
use flywheel_websocket::{MessageKind, Request};

use crate::application::{Admission, Application};
use crate::departure::Departure;
use crate::emulation::Emulation;
use crate::labels::{event_labels, frame_type, method, transport_label};
use crate::reactor::Control;
use crate::seat::Seat;
use crate::welcome::{First, Welcome, welcome};
use crate::{Door, Io};

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
    pub(crate) parts: SessionsParts,
    settings: Arc<Settings>,
    pub(crate) hub: Hub,
    /// Those who are inside, by slot.
    pub(crate) seats: Vec<Option<Seat>>,
    emulation: Emulation,
    pub(crate) counters: ShardCounters,
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

struct Stopping {
    disconnect: Disconnect,
    deadline: Timestamp,
    answer: Option<Answering<()>>,
}

/// How often a turn looks for more to deliver.
const ROUNDS_PER_TURN: usize = 64;
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

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

    /// Whether the reactor goes on; to be asked after each turn.
    pub fn control(&mut self, io: &Io) -> Control {
        let Some(stopping) = &mut self.stopping else {
            return Control::Run;
        };
        if !io.is_empty() && io.now().at < stopping.deadline {
            return Control::StopAccepting;
        }
        self.counters.flush(self.parts.node.metrics());
        if let Some(answer) = stopping.answer.take() {
            answer.send(()).unwrap_or_default();
        }
        Control::Stop
    }

    /// Lets the session in `slot` do something, and collects what it wants done.
    fn with_session(&mut self, io: &Io, slot: u32, act: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        if let Some(client) = self.hub.get_mut(slot) {
            let mut turn = Turn { now: io.now(), settings: &self.settings, effects: &mut self.scratch };
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
            }
        }
    }

    fn send(&mut self, io: &mut Io, slot: u32, message: &ServerMessage) {
        let client = &self.parts.node.metrics().client;
        match message {
            ServerMessage::Push(push) => {
                if let PushBody::Unsubscribe(push) = &push.body {
                    client.server_unsubscribe(push.code);
                    if push.code == Unsubscribed::INSUFFICIENT_STATE.code {
                        self.counters.gap_found();
                        self.counters.gap_given_up();
                    }
                }
            }
            ServerMessage::Reply(reply) => {
                if let ReplyBody::Error(error) = &reply.body {
                    self.counters.reply_error(self.method, error.code);
                }
                if let ReplyBody::Subscribe(result) = &reply.body
                    && result.was_recovering
                {
                    self.counters.recovery(result.recovered, !result.publications.is_empty());
                }
                if let ReplyBody::Connect(_) = &reply.body {
                    self.counters.connection_opened(self.kind(slot));
                }
            }
            ServerMessage::Ping => {}
        }
        self.begin_late(io, slot);
        match self.hub.send(slot, message) {
            Ok(length) => self.count_sent(slot, message, length),
            Err(disconnect) => self.with_session(io, slot, |session, turn| session.close(turn, disconnect)),
        }
    }

    fn kind(&self, slot: u32) -> ConnectionKind {
        self.hub.get(slot).map_or(UNINTRODUCED, |client| kind(&client.session))
    }

    pub(crate) fn count_sent(&mut self, slot: u32, message: &ServerMessage, length: usize) {
        let transport = transport_label(self.transport(slot));
        self.counters.sent(transport, frame_type(message), 1, length as u64);
    }

    pub(crate) fn transport(&self, slot: u32) -> Transport {
        self.hub.get(slot).map_or(Transport::WebSocket, |client| client.session.transport())
    }

    fn ask(&mut self, io: &mut Io, slot: u32, context: Context, ask: Ask) {
        let Some(key) = self.hub.get(slot).map(|client| client.key) else {
            return;
        };
        let publishes = matches!(ask, Ask::Publish { .. });
        let (refused, undo) = (Outcome::failed(&ask, ErrorCode::TOO_MANY_REQUESTS.into()), Undo::of(&ask));
        match self.parts.node.ask(ask) {
            Answer::Now(outcome) => {
                if publishes && self.pending.is_empty() {
                    // A publication that this shard delivers comes before the reply to its publisher. Not while effects
                    // are still to be carried out, though: a reply or a change of routes among them comes first.
                    self.receive(io);
                }
                self.with_session(io, slot, |session, turn| session.handle_outcome(turn, context, outcome));
            }
            Answer::Later(future) => {
                if let Some(place) = self.parts.post.reserve() {
                    self.parts.node.tasks().spawn(async move {
                        let outcome = future.await;
                        place.send(Mail::Outcome(key, context, outcome, undo));
                    });
                } else {
                    tracing::warn!("a question was refused: too many wait for an answer");
                    self.with_session(io, slot, |session, turn| {
                        session.handle_outcome(turn, context, refused);
                    });
                }
            }
        }
    }

    /// Delivers what has come for this shard's channels. What comes meanwhile is delivered in the same turn, so that a
    /// burst leaves in one write per client; but sockets and timers have their turn however much comes.
    fn receive(&mut self, io: &mut Io) {
        for _ in 0..ROUNDS_PER_TURN {
            let mut events = std::mem::take(&mut self.events);
            self.parts.post.deliveries.drain(&mut events);
            if events.is_empty() {
                self.events = events;
                return;
            }
            let mut weight = 0;
            let mut effects = Vec::new();
            for event in events.drain(..) {
                weight += event.weight();
                let started = self.parts.node.clock().elapsed();
                let delivered = self.hub.deliver(io.now(), &self.settings, &event, &mut effects);
                let (kind, frame) = event_labels(&event.kind);
                for (transport, (messages, bytes)) in Transport::ALL.into_iter().zip(delivered.by_transport) {
                    if messages > 0 {
                        self.counters.sent(transport_label(transport), frame, messages, bytes);
                    }
                }
                self.counters.delivered(delivered.messages);
                self.counters.filtered(delivered.filtered);
                self.counters.broadcast(kind, self.parts.node.clock().elapsed().saturating_sub(started));
                self.parts.node.metrics().node.message_received(kind);
                if self.hub.outbox.is_full() {
                    io.flush(&mut self.hub.outbox);
                }
            }
            self.pending.extend(effects);
            self.parts.post.deliveries.release(weight);
            self.events = events;
        }
    }

    fn open_mail(&mut self, io: &mut Io) {
        let mut mail = Vec::new();
        self.parts.post.mail.drain(&mut mail);
        self.parts.post.mail.release(mail.len());
        for item in mail {
            match item {
                Mail::Outcome(key, context, outcome, undo) => {
                    self.late_outcome(io, key, context, outcome, undo);
                }
                Mail::Operation(operation, answer) => {
                    self.operate(io, &operation);
                    answer.send(()).unwrap_or_default();
                }
                Mail::Channels(pattern, answer) => {
                    let wanted = |name: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
                    answer.send(self.hub.routing().count(wanted)).unwrap_or_default();
                }
                Mail::Frame(session, frame, answer) => self.emulated(io, session, frame, answer),
                Mail::Flush(answer) => answer.send(()).unwrap_or_default(),
                Mail::Depart(disconnect, spread) => {
                    let hub = &self.hub;
                    let keys = hub.slots().into_iter().filter_map(|slot| Some(hub.get(slot)?.key));
                    self.departure = Some(Departure::new(io.now().at, disconnect, spread, keys));
                }
                Mail::Stay => self.departure = None,
                Mail::Healed(channel, heal, history) => self.healed(io, &channel, heal, history.as_ref()),
                Mail::Gap(channel) => self.hub.heal(io.now(), &self.settings, &channel),
                Mail::Settings(settings) => {
                    self.hub.outbox.set_queue_bytes_max(settings.queue_bytes_max);
                    self.settings = settings;
                }
                Mail::Shutdown(disconnect, patience, answer) => {
                    let deadline = io.now().at + patience;
                    for slot in self.hub.slots() {
                        self.with_session(io, slot, |session, turn| session.close(turn, disconnect.clone()));
                    }
                    self.stopping = Some(Stopping { disconnect, deadline, answer: Some(answer) });
                }
            }
            self.carry_out(io);
        }
    }

    /// A frame that came in a request of its own.
    fn emulated(&mut self, io: &mut Io, session: SessionId, frame: EmulatedFrame, answer: Answering<bool>) {
        let Some(slot) = self.emulation.slot(session) else {
            return answer.send(true).unwrap_or_default();
        };
        let encoding = self.hub.get(slot).map(|client| client.session.encoding());
        let Some(frame) = encoding.and_then(|encoding| frame.read(encoding)) else {
            return answer.send(false).unwrap_or_default();
        };
        if self.must_wait(io, slot) {
            self.emulation.wait(slot, (frame, answer));
        } else {
            self.message(io, slot, MessageKind::Text, &frame);
            answer.send(true).unwrap_or_default();
        }
    }

    fn late_outcome(
        &mut self,
        io: &mut Io,
        key: ClientKey,
        context: Context,
        outcome: Outcome,
        undo: Option<Undo>,
    ) {
        if self.hub.is_current(key) {
            self.with_session(io, key.slot, |session, turn| session.handle_outcome(turn, context, outcome));
            self.carry_out(io);
            self.rest(io, key.slot);
            if let Some(Undo::Subscribed(channel, _)) = undo {
                // The session may have ended while the broker subscribed.
                self.parts.node.unsubscribe_unless_routed(&channel);
            }
        } else if let Some(undo) = undo {
            self.parts.node.undo(undo, &outcome);
        }
    }

    /// Does what the server API wants with every client that is meant.
    fn operate(&mut self, io: &mut Io, operation: &Operation) {
        let (Operation::Subscribe(wanted, ..)
        | Operation::Unsubscribe(wanted, _)
        | Operation::Disconnect(wanted, ..)
        | Operation::Refresh(wanted, ..)) = operation;
        for slot in self.hub.find(wanted) {
            self.with_session(io, slot, |session, turn| match operation {
                Operation::Subscribe(_, channel, request) => {
                    session.subscribe_by_server(turn, channel, (**request).clone());
                }
                Operation::Unsubscribe(_, channel) => {
                    session.unsubscribe_by_server(turn, channel.as_str(), Unsubscribed::BY_SERVER);
                }
                Operation::Disconnect(_, disconnect, kept) => {
                    if !kept.contains(&session.client().to_string()) {
                        session.close(turn, disconnect.clone());
                    }
                }
                Operation::Refresh(_, expire_at, info) => {
                    session.refresh_by_server(turn, *expire_at, info.clone());
                }
            });
            self.carry_out(io);
            self.rest(io, slot);
        }
    }

    /// Sends those away whose time has come.
    fn depart(&mut self, io: &mut Io) {
        while let Some(departure) = &mut self.departure
            && let Some(key) = departure.next_due(io.now().at)
        {
            let disconnect = departure.disconnect.clone();
            if self.hub.is_current(key) {
                self.with_session(io, key.slot, |session, turn| session.close(turn, disconnect));
                self.carry_out(io);
            }
        }
    }

    fn timers(&mut self, io: &mut Io) {
        let now = io.now();
        let mut due = Vec::new();
        self.hub.wheel.expire(now.at, |key| due.push(key));
        for key in due {
            if !self.hub.is_current(key) {
                continue;
            }
            self.hub.timer_fired(key);
            self.with_session(io, key.slot, Session::handle_timeout);
            self.carry_out(io);
            self.hub.schedule(key.slot, now, &self.settings);
        }
    }

    /// After a session has worked: its next timer, and whether it wants more to do.
    fn rest(&mut self, io: &mut Io, slot: u32) {
        self.hub.schedule(slot, io.now(), &self.settings);
        let saturated = self.is_saturated(io, slot);
        if !self.transport(slot).is_websocket() {
            // What a stream reads is only whether its client is still there.
            if !saturated && let Some((frame, answer)) = self.emulation.next(slot) {
                self.message(io, slot, MessageKind::Text, &frame);
                answer.send(true).unwrap_or_default();
            }
        } else if saturated {
            io.pause(slot);
        } else {
            io.resume(slot);
        }
    }

    /// Whether a frame that came in a request of its own has to wait.
    fn must_wait(&mut self, io: &Io, slot: u32) -> bool {
        let deaf = self.hub.get(slot).is_some_and(|client| client.session.is_deaf());
        !deaf && (self.is_saturated(io, slot) || self.emulation.is_waiting(slot))
    }

    fn is_saturated(&mut self, io: &Io, slot: u32) -> bool {
        let turn = Turn { now: io.now(), settings: &self.settings, effects: &mut self.scratch };
        self.hub.get(slot).is_some_and(|client| client.session.is_saturated(&turn))
    }

    /// The first message of a client that says nothing else.
    fn only_message(&mut self, io: &mut Io, slot: u32, payload: &[u8]) {
        match connect_request(payload) {
            Ok(request) => self.command(io, slot, connect(Box::new(request))),
            Err(malformed) => {
                tracing::debug!(slot, %malformed, "a client sent what is no connect request");
                if let Some(seat) = self.seats.get_mut(slot as usize).and_then(Option::as_mut) {
                    // Nothing has been said yet: the close frame says it all.
                    seat.farewell.push = false;
                }
                self.with_session(io, slot, Session::handle_malformed);
                self.carry_out(io);
            }
        }
        self.rest(io, slot);
    }

    fn count_pong(&mut self, slot: u32) {
        if let Some(took) = self.hub.get_mut(slot).and_then(|client| client.session.take_pong()) {
            self.counters.pong(transport_label(self.transport(slot)), took);
        }
    }

    fn command(&mut self, io: &mut Io, slot: u32, command: Command) {
        let method = method(&command.request);
        self.method = method;
        let started = self.parts.node.clock().elapsed();
        self.with_session(io, slot, |session, turn| session.handle_command(turn, command));
        self.carry_out(io);
        self.method = Method::Unknown;
        self.count_pong(slot);
        self.counters.command(method, self.parts.node.clock().elapsed().saturating_sub(started));
    }
}

/// The connect request of a client that says nothing else, as a command.
fn connect(request: Box<ConnectRequest>) -> Command {
    Command { id: 1, request: CommandRequest::Connect(request) }
}

/// How metrics label a connection.
fn kind(session: &Session) -> ConnectionKind {
    let (has_name, has_version) = session.introduced();
    ConnectionKind { transport: transport_label(session.transport()), has_name, has_version }
}

const UNINTRODUCED: ConnectionKind =
    ConnectionKind { transport: transport_label(Transport::WebSocket), has_name: false, has_version: false };

impl Application for Sessions {
    type Context = Welcome;

    fn admit(&mut self, request: &Request<'_>, rest: &[u8]) -> Admission<Welcome> {
        welcome(&self.parts.door, &self.parts.node, request, rest)
    }

    fn opened(&mut self, io: &mut Io, key: ClientKey, context: Welcome) {
        let random = &self.parts.random;
        let shard = u8::try_from(self.parts.shard).unwrap_or(u8::MAX);
        let greeting = Greeting {
            client: ClientId::from_random(random.next_u128()),
            session: SessionId::from_random_in(random.next_u128(), shard),
            encoding: context.encoding,
            transport: context.transport,
            headers: context.headers,
            app_pings: context.app_pings,
            random: random.next_u64(),
            trusted_user: context.trusted_user,
        };
        let turn = Turn { now: io.now(), settings: &self.settings, effects: &mut self.scratch };
        let session = Session::new(greeting, &turn);
        if context.transport.is_emulated() {
            self.emulation.opened(session.session_id(), key.slot);
        }
        let chunked = context.response.as_ref().is_some_and(|response| response.chunked);
        self.hub.insert(key, session, chunked);
        if let Some(deflate) = context.deflate {
            self.hub.compress(key.slot, deflate);
        }
        self.take_seat(io, key.slot, context.pass, context.farewell, context.response);
        let departing = self.departure.as_ref().filter(|_| self.parts.node.refuses_clients());
        let departing = departing.map(|departure| departure.disconnect.clone());
        let stopping = self.stopping.as_ref().map(|stopping| stopping.disconnect.clone());
        if let Some(disconnect) = stopping.or(departing) {
            self.with_session(io, key.slot, |session, turn| session.close(turn, disconnect));
            self.carry_out(io);
        }
        match context.first {
            First::Nothing => self.hub.schedule(key.slot, io.now(), &self.settings),
            First::Frame(frame) => self.message(io, key.slot, MessageKind::Text, &frame),
            First::Connect(request) => {
                self.command(io, key.slot, connect(request));
                self.rest(io, key.slot);
            }
        }
    }

    fn message(&mut self, io: &mut Io, slot: u32, _kind: MessageKind, payload: &[u8]) {
        let Some(client) = self.hub.get(slot) else {
            return;
        };
        let encoding = client.session.encoding();
        if client.session.transport() == Transport::UniWebSocket {
            if client.session.awaits_connect() {
                self.only_message(io, slot, payload);
            }
            return;
        }
        for command in commands(payload, encoding) {
            match command {
                Ok(command) => {
                    let transport = transport_label(self.transport(slot));
                    self.counters.received(transport, method(&command.request).into(), 0);
                    self.command(io, slot, command);
                }
                Err(malformed) => {
                    tracing::debug!(slot, %malformed, "a client sent what is no command");
                    self.with_session(io, slot, Session::handle_malformed);
                    self.carry_out(io);
                }
            }
        }
        self.rest(io, slot);
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
                    self.counters.connection_closed(kind(&client.session));
                }
            }
            None => self.hub.outbox.close(slot),
        }
    }

    fn turn(&mut self, io: &mut Io) {
        self.parts.post.pulse.beat(io.now().at);
        self.open_mail(io);
        self.depart(io);
        self.timers(io);
        self.receive(io);
        self.carry_out(io);
        self.heal(io);
        self.refresh_presence();
        if self.stopping.is_some() {
            // Also those that came while the listener was being closed.
            io.drop_unopened();
        }
        self.parts.post.set_counts(ShardCounts {
            clients: self.hub.len(),
            subscriptions: self.hub.routing().subscriptions(),
        });
        if io.now().at.since(self.counters_flushed) >= COUNTERS_EVERY {
            self.counters_flushed = io.now().at;
            self.counters.written(io.take_written());
            let metrics = self.parts.node.metrics();
            self.counters.flush(metrics);
            metrics.own.publications_dropped(self.parts.post.take_dropped());
            metrics.own.set_mailbox_bytes(self.parts.shard, self.parts.post.deliveries.bytes());
        }
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
