mod healing;

use flywheel_model::{Channel, ChannelEvent, ChannelEventKind, ClientId, Now, SessionId, Timestamp, UserId};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{ServerMessage, Transport};
use flywheel_session::{Deliver, Effect, Session, Settings, SubKey, Turn};
use flywheel_websocket::Deflate;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::frames::{Form, Frames, Look};
use crate::framing::WireForm;
use crate::heals::Heals;
use crate::outbox::Outbox;
use crate::packer::{Packer, Packing};
use crate::routing::{Routing, Subscriber};
use crate::wheel::Wheel;

pub use healing::Healed;

/// Names a connection for ever: the slot is used again, the generation is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// Index of the connection in its shard.
    pub slot: u32,
    /// How many connections had the slot before.
    pub generation: u32,
}

/// The place of a subscription that is not attached.
const NOWHERE: u32 = u32::MAX;

/// An effect of the session in a slot, to be carried out.
pub type Pending = (u32, Effect);

/// How far an event spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Subscribers that got it.
    pub messages: u64,
    /// Bytes of messages, over all of them.
    pub bytes: u64,
    /// Subscribers whose filter left it out.
    pub filtered: u64,
    /// Messages and their bytes by the [index](flywheel_protocol::client::Transport::index) of the transport.
    pub by_transport: [(u64, u64); Transport::ALL.len()],
}

impl Delivered {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            bytes: self.bytes + other.bytes,
            filtered: self.filtered + other.filtered,
            by_transport: std::array::from_fn(|index| {
                let ((messages, bytes), more) = (self.by_transport[index], other.by_transport[index]);
                (messages + more.0, bytes + more.1)
            }),
        }
    }
}

/// How an event comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the engine.
    Live,
    /// Read from history, or held back until that was read.
    Healed,
}

/// A client of this shard.
#[derive(Debug)]
pub struct Client {
    /// Its protocol state.
    pub session: Session,
    /// Names it for ever.
    pub key: ClientKey,
    look: Look,
    registered: bool,
    /// When the earliest timer that is set for it fires.
    timer_at: Timestamp,
    /// By subscription key: the place in the channel's list of subscribers.
    places: SmallVec<[u32; 2]>,
}

impl Client {
    /// How its messages look.
    pub fn form(&self) -> WireForm {
        self.look.wire
    }
}

/// Which clients the server API means.
///
/// Source: server API, sections 2.3 to 2.6: `client` and `session` narrow the choice among the connections of `user`.
#[derive(Debug, Clone, Default)]
pub struct Match {
    /// Whose connections; empty for those without a user.
    pub user: UserId,
    /// Only this one.
    pub client: Option<ClientId>,
    /// Only this one.
    pub session: Option<SessionId>,
}

/// See the crate's page.
#[derive(Debug)]
pub struct Hub {
    clients: Vec<Option<Box<Client>>>,
    client_count: usize,
    users: HashMap<UserId, Vec<u32>>,
    routing: Routing,
    /// What is to be written.
    pub outbox: Outbox,
    /// Whose time is up when.
    pub wheel: Wheel<ClientKey>,
    heals: Heals,
    packer: Packer,
    scratch: Vec<Effect>,
}

impl Hub {
    /// A hub without clients.
    pub fn new(now: Timestamp, queue_bytes_max: usize) -> Self {
        Self {
            clients: Vec::new(),
            client_count: 0,
            users: HashMap::new(),
            routing: Routing::default(),
            outbox: Outbox::new(queue_bytes_max),
            wheel: Wheel::new(now),
            heals: Heals::new(now),
            packer: Packer::default(),
            scratch: Vec::new(),
        }
    }

    /// How messages are compressed from now on, for clients that [take them so](Self::compress).
    pub fn set_packing(&mut self, packing: Packing) {
        self.packer.set(packing);
    }

    /// The client in `slot` takes compressed messages, as was agreed with it.
    pub fn compress(&mut self, slot: u32, deflate: Deflate) {
        if let Some(client) = self.get_mut(slot) {
            client.look.deflate = Some(deflate);
        }
    }

    /// Adds the client in a slot that has none. Its queue in the [`outbox`](Self::outbox) is open already: the answer to
    /// its handshake may be in it. `chunked`: see [`WireForm`].
    pub fn insert(&mut self, key: ClientKey, session: Session, chunked: bool) {
        let index = key.slot as usize;
        if self.clients.len() <= index {
            self.clients.resize_with(index + 1, || None);
        }
        let look = Look {
            wire: WireForm { encoding: session.encoding(), transport: session.transport(), chunked },
            deflate: None,
        };
        let client = Client {
            session,
            key,
            look,
            registered: false,
            timer_at: Timestamp::NEVER,
            places: SmallVec::new(),
        };
        self.client_count += usize::from(self.clients[index].replace(Box::new(client)).is_none());
    }

    /// Removes the client in `slot`, whose session has been closed and its effects carried out.
    pub fn remove(&mut self, slot: u32) -> Option<Box<Client>> {
        let client = self.clients.get_mut(slot as usize)?.take()?;
        self.client_count -= 1;
        if client.registered {
            self.unregister(client.session.user(), slot);
        }
        self.outbox.close(slot);
        Some(client)
    }

    /// The client in `slot`.
    pub fn get(&self, slot: u32) -> Option<&Client> {
        self.clients.get(slot as usize)?.as_deref()
    }

    /// The client in `slot`.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Client> {
        self.clients.get_mut(slot as usize)?.as_deref_mut()
    }

    /// Whether the client that `key` names is still here.
    pub fn is_current(&self, key: ClientKey) -> bool {
        self.get(key.slot).is_some_and(|client| client.key == key)
    }

    /// Number of clients.
    pub fn len(&self) -> usize {
        self.client_count
    }

    /// Whether there are no clients.
    pub fn is_empty(&self) -> bool {
        self.client_count == 0
    }

    /// Slots of all clients.
    pub fn slots(&self) -> Vec<u32> {
        self.clients.iter().flatten().map(|client| client.key.slot).collect()
    }

    /// Who is subscribed to what.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// From now on the client is found by its user.
    pub fn register(&mut self, slot: u32, user: UserId) {
        if let Some(client) = self.get_mut(slot)
            && !std::mem::replace(&mut client.registered, true)
        {
            self.users.entry(user).or_default().push(slot);
        }
    }

    fn unregister(&mut self, user: &UserId, slot: u32) {
        if let Some(slots) = self.users.get_mut(user) {
            if let Some(index) = slots.iter().position(|candidate| *candidate == slot) {
                slots.swap_remove(index);
            }
            if slots.is_empty() {
                self.users.remove(user);
            }
        }
    }

    /// The slots of connected clients that `wanted` means.
    pub fn find(&self, wanted: &Match) -> Vec<u32> {
        let slots = self.users.get(&wanted.user).map_or(&[][..], Vec::as_slice);
        let meant = |slot: &&u32| {
            self.get(**slot).is_some_and(|client| {
                wanted.client.is_none_or(|id| id == client.session.client())
                    && wanted.session.is_none_or(|id| id == client.session.session_id())
            })
        };
        slots.iter().filter(meant).copied().collect()
    }

    /// Routes a channel to a subscription. Answers whether it is the first of the shard.
    pub fn attach(&mut self, slot: u32, sub: SubKey, channel: &Channel) -> bool {
        let (place, first) = self.routing.add(channel, Subscriber { slot, sub });
        self.set_place(slot, sub, place);
        first
    }

    /// Takes the route away. Answers whether it was the last of the shard.
    pub fn detach(&mut self, slot: u32, sub: SubKey, channel: &Channel) -> bool {
        let Some(place) = self.get_mut(slot).and_then(|client| client.places.get_mut(sub.0 as usize)) else {
            return false;
        };
        let place = std::mem::replace(place, NOWHERE);
        let (moved, last) = self.routing.remove(channel, place);
        if let Some(moved) = moved {
            self.set_place(moved.slot, moved.sub, place);
        }
        last
    }

    fn set_place(&mut self, slot: u32, sub: SubKey, place: u32) {
        if let Some(client) = self.get_mut(slot) {
            let index = sub.0 as usize;
            if client.places.len() <= index {
                client.places.resize(index + 1, NOWHERE);
            }
            client.places[index] = place;
        }
    }

    /// Makes sure that a timer fires when the session wants one.
    pub fn schedule(&mut self, slot: u32, now: Now, settings: &Settings) {
        let Some(client) = self.clients.get_mut(slot as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        let turn = Turn { now, settings, queued: 0, effects: &mut self.scratch };
        let wanted = client.session.poll_timeout(&turn);
        if wanted < client.timer_at {
            client.timer_at = wanted;
            self.wheel.set(wanted, client.key);
        }
    }

    /// A timer of the client fired; the next one must be set with [`schedule`](Self::schedule).
    pub fn timer_fired(&mut self, key: ClientKey) {
        if let Some(client) = self.get_mut(key.slot) {
            client.timer_at = Timestamp::NEVER;
        }
    }

    /// Queues a message for one client; answers its length in bytes.
    ///
    /// # Errors
    /// The message does not fit: why the connection must end.
    pub fn send(&mut self, slot: u32, message: &ServerMessage) -> Result<usize, Disconnect> {
        let Some(Look { wire, deflate }) = self.get(slot).map(|client| client.look) else {
            return Ok(0);
        };
        let (mut length, packer) = (0, &mut self.packer);
        let span = self.outbox.append(|arena| {
            length = match deflate {
                Some(deflate) => packer.write(deflate, wire, message, arena).0,
                None => wire.write(message, arena),
            };
        });
        self.outbox.push(slot, span).map_err(|_| Disconnect::SLOW)?;
        Ok(length)
    }

    /// Brings an event of a channel to every subscriber of it in this shard, and tells how many that were. What the
    /// sessions want done because of it is added to `effects`. Where something is missing before it, healing begins.
    pub fn deliver(
        &mut self,
        now: Now,
        settings: &Settings,
        event: &ChannelEvent,
        effects: &mut Vec<Pending>,
    ) -> Delivered {
        let (delivered, gap) = self.spread(now, settings, event, Way::Live, effects);
        if gap {
            self.hold_back(now, settings, event, effects);
        }
        delivered
    }

    /// The same. Answers also whether somebody lacks what comes before the event.
    fn spread(
        &mut self,
        now: Now,
        settings: &Settings,
        event: &ChannelEvent,
        way: Way,
        effects: &mut Vec<Pending>,
    ) -> (Delivered, bool) {
        let Self { clients, routing, outbox, packer, scratch, .. } = self;
        let mut frames = Frames::new(event);
        let mut filtered = 0;
        let mut gap = false;
        for subscriber in routing.subscribers(&event.channel) {
            let Some(client) = clients.get_mut(subscriber.slot as usize).and_then(Option::as_deref_mut)
            else {
                continue;
            };
            let mut turn = Turn { now, settings, queued: 0, effects: scratch };
            let session = &mut client.session;
            let deliver = match &event.kind {
                ChannelEventKind::Publication(publication, epoch, base) => {
                    let (sub, patchable) = (subscriber.sub, base.is_some());
                    match way {
                        Way::Live => {
                            session.handle_publication(&mut turn, sub, publication, epoch, patchable)
                        }
                        Way::Healed => session.handle_healed(&mut turn, sub, publication, epoch, patchable),
                    }
                }
                presence => session.handle_presence_event(&mut turn, subscriber.sub, presence),
            };
            let form = match deliver {
                Deliver::Yes => Some(Form::Plain),
                Deliver::Whole => Some(Form::Whole),
                Deliver::Patch => Some(Form::Patch),
                Deliver::Filtered => {
                    filtered += 1;
                    None
                }
                Deliver::Gap => {
                    gap = true;
                    None
                }
                Deliver::No => None,
            };
            if let Some(form) = form
                && let Err(disconnect) = frames.queue(subscriber.slot, client.look, form, outbox, packer)
            {
                session.close(&mut turn, disconnect);
            }
            if !turn.effects.is_empty() {
                effects.extend(turn.effects.drain(..).map(|effect| (subscriber.slot, effect)));
            }
        }
        (Delivered { filtered, ..frames.delivered() }, gap)
    }
}
