use std::collections::VecDeque;
use std::time::Duration;

use flywheel_model::{Channel, ChannelEvent, Epoch, StreamPosition, Timestamp};
use flywheel_stream::HistoryQuery;
use hashbrown::{HashMap, HashSet};

use crate::routing::Subscriber;
use crate::wheel::Wheel;

/// Time from the first sign of a gap until it is closed or given up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(12);
/// Reads that may fail or bring nothing new.
const TRIES: u32 = 4;
/// Pause after the first of them; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);
/// Reads of one shard that may be on their way. The others wait in the order of their discovery.
const READS_MAX: usize = 32;
/// Publications of one read.
pub(crate) const PAGE: usize = 128;
/// Bytes that may be held back in one shard, over all channels.
const HELD_BYTES_MAX: usize = 64 << 20;

/// A question about a stream, that answers what the subscribers of a channel lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealRead {
    /// Names the healing that asks.
    pub heal: HealId,
    /// Whose stream.
    pub channel: Channel,
    /// What to read.
    pub query: HistoryQuery,
}

/// Names the healing of a channel for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits until fewer reads are on their way.
    Queued,
    /// A read of what follows the offset `since` is on its way since `at`.
    Asked { since: u64, at: Timestamp },
    /// Waits before it asks again.
    Resting,
}

/// The healing of one channel.
#[derive(Debug)]
pub(crate) struct Heal {
    pub id: HealId,
    pub stage: Stage,
    deadline: Timestamp,
    tries: u32,
    /// Whether a subscriber is known to lack something.
    pub proven: bool,
    /// Whether there was another sign since the last question.
    pub again: bool,
    /// Events that some subscriber could not take, in order.
    pub held: VecDeque<ChannelEvent>,
    held_bytes: usize,
    /// Where the stream ended when it was last read, and when it was asked for.
    pub read: Option<(StreamPosition, Timestamp)>,
    /// Subscribers that lacked something and have not lost their position over it.
    pub lacking: HashSet<Subscriber>,
}

/// Which channels of a shard are being healed, and how far that is.
#[derive(Debug)]
pub(crate) struct Heals {
    by_channel: HashMap<Channel, Heal>,
    queue: VecDeque<Channel>,
    wheel: Wheel<(Channel, HealId)>,
    asked: usize,
    held_bytes: usize,
    next: u64,
}

impl Heals {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            by_channel: HashMap::new(),
            queue: VecDeque::new(),
            wheel: Wheel::new(now),
            asked: 0,
            held_bytes: 0,
            next: 0,
        }
    }

    pub(crate) fn get(&self, channel: &Channel) -> Option<&Heal> {
        self.by_channel.get(channel)
    }

    pub(crate) fn get_mut(&mut self, channel: &Channel) -> Option<&mut Heal> {
        self.by_channel.get_mut(channel)
    }

    /// The healing of a channel, which begins now unless it is under way.
    pub(crate) fn begin(&mut self, now: Timestamp, channel: &Channel) -> &mut Heal {
        let Self { by_channel, queue, wheel, next, .. } = self;
        by_channel.entry_ref(channel).or_insert_with(|| {
            let id = HealId(*next);
            *next += 1;
            let deadline = now + DEADLINE;
            queue.push_back(channel.clone());
            wheel.set(deadline, (channel.clone(), id));
            Heal {
                id,
                stage: Stage::Queued,
                deadline,
                tries: 0,
                proven: false,
                again: false,
                held: VecDeque::new(),
                held_bytes: 0,
                read: None,
                lacking: HashSet::new(),
            }
        })
    }

    /// Keeps an event until what comes before it has been read. Answers whether there was room for it, in a channel that
    /// may keep `bytes_max`; it is kept all the same.
    pub(crate) fn hold(&mut self, now: Timestamp, event: &ChannelEvent, bytes_max: usize) -> bool {
        let weight = event.weight();
        let heal = self.begin(now, &event.channel);
        heal.proven = true;
        heal.held.push_back(event.clone());
        heal.held_bytes += weight;
        let fits = heal.held_bytes <= bytes_max;
        self.held_bytes += weight;
        fits && self.held_bytes <= HELD_BYTES_MAX
    }

    /// Takes the held-back events out, for another attempt to deliver them.
    pub(crate) fn take_held(&mut self, channel: &Channel) -> VecDeque<ChannelEvent> {
        let Some(heal) = self.by_channel.get_mut(channel) else {
            return VecDeque::new();
        };
        self.held_bytes -= std::mem::take(&mut heal.held_bytes);
        std::mem::take(&mut heal.held)
    }

    /// Puts events back that still could not be delivered to everybody.
    pub(crate) fn put_back(&mut self, channel: &Channel, held: VecDeque<ChannelEvent>) {
        if let Some(heal) = self.by_channel.get_mut(channel) {
            heal.held_bytes = held.iter().map(ChannelEvent::weight).sum();
            heal.held = held;
            self.held_bytes += heal.held_bytes;
        }
    }

    /// The next channel to ask about, if another read may be on its way.
    pub(crate) fn next_queued(&mut self) -> Option<Channel> {
        while self.asked < READS_MAX {
            let channel = self.queue.pop_front()?;
            if self.by_channel.get(&channel).is_some_and(|heal| heal.stage == Stage::Queued) {
                return Some(channel);
            }
        }
        None
    }

    /// Asks for what follows the offset `since`.
    pub(crate) fn ask(&mut self, now: Timestamp, channel: &Channel, since: u64) -> Option<HealRead> {
        let heal = self.by_channel.get_mut(channel)?;
        heal.stage = Stage::Asked { since, at: now };
        heal.again = false;
        self.asked += 1;
        // The epoch is judged for each subscriber when the answer is there.
        let since = StreamPosition { offset: since, epoch: Epoch::unknown() };
        Some(HealRead { heal: heal.id, channel: channel.clone(), query: HistoryQuery::after(since, PAGE) })
    }

    /// The answer to a read is there. Answers what was asked and when, unless nobody waits for it any more.
    pub(crate) fn answered(&mut self, channel: &Channel, id: HealId) -> Option<(u64, Timestamp)> {
        let heal = self.by_channel.get_mut(channel).filter(|heal| heal.id == id)?;
        let Stage::Asked { since, at } = heal.stage else {
            return None;
        };
        heal.stage = Stage::Resting;
        self.asked -= 1;
        Some((since, at))
    }

    /// Asks once more: at once if the last answer brought something, after a pause otherwise. Answers whether it may.
    pub(crate) fn ask_again(&mut self, now: Timestamp, channel: &Channel, progress: bool) -> bool {
        let Some(heal) = self.by_channel.get_mut(channel) else {
            return false;
        };
        if progress {
            heal.stage = Stage::Queued;
            self.queue.push_back(channel.clone());
            return true;
        }
        heal.tries += 1;
        if heal.tries >= TRIES {
            return false;
        }
        heal.stage = Stage::Resting;
        // Channels that failed together do not come back together.
        let spread = Duration::from_millis(heal.id.0 % 8 * 10);
        let at = now + PAUSE * (1 << (heal.tries - 1)) + spread;
        self.wheel.set(at.min(heal.deadline), (channel.clone(), heal.id));
        true
    }

    /// Forgets a channel, healed or not.
    pub(crate) fn end(&mut self, channel: &Channel) -> Option<Heal> {
        let heal = self.by_channel.remove(channel)?;
        self.held_bytes -= heal.held_bytes;
        self.asked -= usize::from(matches!(heal.stage, Stage::Asked { .. }));
        Some(heal)
    }

    /// Lets those ask again that have rested, and answers which channels have taken too long.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Channel> {
        let Self { by_channel, queue, wheel, .. } = self;
        let mut late = Vec::new();
        wheel.expire(now, |(channel, id)| {
            let Some(heal) = by_channel.get_mut(&channel).filter(|heal| heal.id == id) else {
                return;
            };
            if heal.deadline <= now {
                late.push(channel);
            } else if heal.stage == Stage::Resting {
                heal.stage = Stage::Queued;
                queue.push_back(channel);
            }
        });
        late
    }

    /// How long nothing is due, at most; `None` if there is nothing to wait for.
    pub(crate) fn idle(&self, now: Timestamp) -> Option<Duration> {
        if !self.queue.is_empty() && self.asked < READS_MAX {
            return Some(Duration::ZERO);
        }
        if self.by_channel.is_empty() { None } else { self.wheel.idle(now) }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_channel.len()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}
