use std::sync::Arc;

use flywheel_model::{
    Channel, ChannelEventKind, ChannelOptions, Epoch, OptionOverrides, Payload, StreamPosition,
    SubscribeGrant, Timestamp, UnixSeconds,
};
use flywheel_protocol::Unsubscribed;
use flywheel_protocol::client::{FilterNode, Request, SubscribeRequest};
use flywheel_stream::RecoveryRequest;

use crate::intake::Intake;
use crate::server::ServerSubscribe;

/// Names a subscription within its session, as long as it is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubKey(pub u32);

/// Names a subscription for ever: the key may be used again, the serial number is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubRef {
    pub(crate) key: SubKey,
    pub(crate) serial: u32,
}

/// What the client or the server asked of a subscription. Source: client protocol, section 5.2.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes, each a member of the request")]
pub(crate) struct Wishes {
    pub recover: Option<StreamPosition>,
    pub positioned: bool,
    pub recoverable: bool,
    pub join_leave: bool,
    /// Refuse rather than subscribe unrecovered.
    pub reject_unrecovered: bool,
    /// Only publications with certain tags.
    pub filter: Option<Box<FilterNode>>,
    /// Patches instead of whole payloads.
    pub delta: bool,
}

impl Wishes {
    pub(crate) fn of(request: &SubscribeRequest) -> Self {
        let since = StreamPosition { offset: request.offset, epoch: Epoch::from(request.epoch.as_str()) };
        Self {
            recover: request.recover.then_some(since),
            positioned: request.positioned,
            recoverable: request.recoverable,
            join_leave: request.join_leave,
            reject_unrecovered: request.flag & 2 != 0,
            filter: request.tf.clone(),
            delta: request.delta == "fossil",
        }
    }
}

/// What is on for a subscription, after options, overrides and wishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties, each named in the protocol")]
pub(crate) struct Terms {
    pub presence: bool,
    pub emit_join_leave: bool,
    pub push_join_leave: bool,
    pub positioned: bool,
    pub recoverable: bool,
}

impl Terms {
    /// `may_read_*`: whether the client could read history and presence as a subscriber.
    pub(crate) fn new(
        options: &ChannelOptions,
        overrides: OptionOverrides,
        wishes: &Wishes,
        may_read_history: bool,
        may_read_presence: bool,
    ) -> Self {
        let emit_join_leave = overrides.join_leave.unwrap_or(options.join_leave);
        let force_push = overrides.force_push_join_leave.unwrap_or(options.force_push_join_leave);
        let force_positioning = overrides.force_positioning.unwrap_or(options.force_positioning);
        let force_recovery = overrides.force_recovery.unwrap_or(options.force_recovery);
        let has_history = options.has_history();
        let recoverable = has_history
            && (force_recovery || wishes.recoverable && (options.allow_recovery || may_read_history));
        let positioned = has_history
            && (force_positioning || wishes.positioned && (options.allow_positioning || may_read_history));
        Self {
            presence: overrides.presence.unwrap_or(options.presence),
            emit_join_leave,
            push_join_leave: force_push || wishes.join_leave && emit_join_leave && may_read_presence,
            positioned: positioned || recoverable,
            recoverable,
        }
    }
}

/// Who asked for a subscription and how they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A `subscribe` command with this id.
    Command(u32),
    /// The connect command: part of its result.
    Connect,
    /// The server API: a `subscribe` push.
    Server,
}

/// A subscription that is being set up.
#[derive(Debug)]
pub(crate) struct Pending {
    pub origin: Origin,
    pub wishes: Wishes,
    pub grant: SubscribeGrant,
    pub recovery: Option<RecoveryRequest>,
    /// Whether the channel is routed here yet.
    pub attached: bool,
    /// Where to continue once the connect reply, which this waits for, is out.
    pub parked: Option<StreamPosition>,
    /// Events that came in meanwhile, and their weight in bytes.
    pub held_back: Vec<ChannelEventKind>,
    pub held_bytes: usize,
    /// Whether events may have been lost since the channel was routed here.
    pub gapped: bool,
    /// What else was wanted of this channel meanwhile, to be done when it is set up.
    pub queued: Vec<Queued>,
}

/// Something that waits until a subscription is set up or has failed.
#[derive(Debug)]
pub(crate) enum Queued {
    /// A command, by its id.
    Command(u32, Request),
    /// The server API subscribes.
    Subscribe(Box<ServerSubscribe>),
    /// The server API unsubscribes.
    Unsubscribe(Unsubscribed),
}

impl Queued {
    /// Whether the connection has the channel after it; `None` when it changes nothing.
    pub(crate) fn leaves_subscribed(&self) -> Option<bool> {
        match self {
            Self::Command(_, Request::Subscribe(_)) | Self::Subscribe(_) => Some(true),
            Self::Command(_, Request::Unsubscribe(_)) | Self::Unsubscribe(_) => Some(false),
            Self::Command(..) => None,
        }
    }
}

impl Pending {
    pub(crate) fn new(origin: Origin, wishes: Wishes) -> Box<Self> {
        Box::new(Self {
            origin,
            wishes,
            grant: SubscribeGrant::default(),
            recovery: None,
            attached: false,
            parked: None,
            held_back: Vec::new(),
            held_bytes: 0,
            gapped: false,
            queued: Vec::new(),
        })
    }

    /// Whether what waits leaves the channel unsubscribed.
    pub(crate) fn ends_unsubscribed(&self) -> bool {
        self.queued.iter().rev().find_map(Queued::leaves_subscribed) == Some(false)
    }
}

#[derive(Debug)]
pub(crate) enum State {
    Subscribing(Box<Pending>),
    Live {
        /// `None` when positions are not tracked.
        position: Option<StreamPosition>,
    },
}

/// One client on one channel.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, none of which follows from another")]
pub(crate) struct Subscription {
    pub channel: Channel,
    pub options: Arc<ChannelOptions>,
    pub serial: u32,
    pub terms: Terms,
    pub intake: Intake,
    pub server_side: bool,
    /// Whether the connection token named it.
    pub from_token: bool,
    /// Whether the client must refresh it.
    pub expire_at: Option<UnixSeconds>,
    /// Whether the backend is being asked if it goes on.
    pub renewing: bool,
    pub chan_info: Option<Box<Payload>>,
    /// When the position was last known to be right.
    pub checked_at: Timestamp,
    /// Whether a join event was published, so that a leave event will be.
    pub announced: bool,
    pub state: State,
}

impl Subscription {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }

    pub(crate) fn pending(&mut self) -> Option<&mut Pending> {
        match &mut self.state {
            State::Subscribing(pending) => Some(pending),
            State::Live { .. } => None,
        }
    }
}

/// The subscriptions of one session, by key and by channel.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    slots: Vec<Option<Box<Subscription>>>,
    /// Keys in the order of their channels' names.
    by_channel: Vec<SubKey>,
    next_serial: u32,
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        self.by_channel.len()
    }

    pub(crate) fn get(&self, key: SubKey) -> Option<&Subscription> {
        self.slots.get(key.0 as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, key: SubKey) -> Option<&mut Subscription> {
        self.slots.get_mut(key.0 as usize)?.as_deref_mut()
    }

    /// The subscription that `sub` names, unless it is gone.
    pub(crate) fn find(&mut self, sub: SubRef) -> Option<&mut Subscription> {
        self.get_mut(sub.key).filter(|subscription| subscription.serial == sub.serial)
    }

    pub(crate) fn key_of(&self, channel: &str) -> Option<SubKey> {
        self.search(channel).ok().map(|index| self.by_channel[index])
    }

    pub(crate) fn of(&self, channel: &str) -> Option<&Subscription> {
        self.get(self.key_of(channel)?)
    }

    pub(crate) fn reference(&self, key: SubKey) -> SubRef {
        SubRef { key, serial: self.get(key).map_or(0, |subscription| subscription.serial) }
    }

    /// Adds a subscription to a channel that has none, still to be set up.
    pub(crate) fn insert(
        &mut self,
        channel: Channel,
        options: Arc<ChannelOptions>,
        pending: Box<Pending>,
    ) -> SubRef {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let key = SubKey(u32::try_from(free).unwrap_or(u32::MAX));
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        if let Err(index) = self.search(channel.as_str()) {
            self.by_channel.insert(index, key);
        }
        let subscription = Box::new(Subscription {
            channel,
            options,
            serial,
            terms: Terms::default(),
            intake: Intake::Plain,
            server_side: !matches!(pending.origin, Origin::Command(_)),
            from_token: false,
            expire_at: None,
            renewing: false,
            chan_info: None,
            checked_at: Timestamp::ZERO,
            announced: false,
            state: State::Subscribing(pending),
        });
        match self.slots.get_mut(free) {
            Some(slot) => *slot = Some(subscription),
            None => self.slots.push(Some(subscription)),
        }
        SubRef { key, serial }
    }

    pub(crate) fn remove(&mut self, key: SubKey) -> Option<Box<Subscription>> {
        let removed = self.slots.get_mut(key.0 as usize)?.take()?;
        self.by_channel.retain(|candidate| *candidate != key);
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        Some(removed)
    }

    /// Every key, in the order of channels.
    pub(crate) fn keys(&self) -> Vec<SubKey> {
        self.by_channel.clone()
    }

    /// Every subscription, in the order of channels.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.by_channel.iter().filter_map(|key| self.get(*key))
    }

    fn search(&self, channel: &str) -> Result<usize, usize> {
        self.by_channel.binary_search_by(|key| {
            self.get(*key).map_or("", |subscription| subscription.channel.as_str()).cmp(channel)
        })
    }
}
