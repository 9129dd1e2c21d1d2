use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use flywheel_model::{Channel, ClientInfo, StreamPosition, Timestamp};
use flywheel_stream::Stream;
use hashbrown::HashMap;

use super::MemoryUse;
use super::idempotency::{Idempotency, MadeBefore};
use super::presence::Present;
use crate::PresenceStats;

/// What a stream weighs without its publications: map entry, name, epoch.
const STREAM_WEIGHT: usize = 256;

#[derive(Debug)]
struct Kept {
    stream: Stream,
    /// Grows with each use; tells which mention in `by_use` is the last one.
    uses: u64,
}

/// A part of the channels, with everything that is kept about them.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    streams: HashMap<Channel, Kept>,
    /// Channels from the longest unused one; a channel may be mentioned more than once, only its last use counts.
    by_use: VecDeque<(Channel, u64)>,
    present: BTreeMap<Channel, Present>,
    idempotency: Idempotency,
    /// Weight of streams and presence entries.
    weight: usize,
}

impl Shelf {
    /// Works on a stream that is created when it does not exist, and keeps the books.
    pub(super) fn with_stream<T>(
        &mut self,
        channel: &Channel,
        create: impl FnOnce() -> Stream,
        work: impl FnOnce(&mut Stream) -> T,
    ) -> T {
        let weight = &mut self.weight;
        let kept = self.streams.entry_ref(channel).or_insert_with(|| {
            *weight += STREAM_WEIGHT;
            Kept { stream: create(), uses: 0 }
        });
        let before = kept.stream.weight();
        let result = work(&mut kept.stream);
        *weight = *weight + kept.stream.weight() - before;
        kept.uses += 1;
        self.by_use.push_back((channel.clone(), kept.uses));
        if self.by_use.len() > 2 * self.streams.len() + 16 {
            let streams = &self.streams;
            self.by_use.retain(|(channel, use_)| streams.get(channel).is_some_and(|kept| kept.uses == *use_));
        }
        result
    }

    pub(super) fn clear_stream(&mut self, channel: &Channel) {
        if let Some(kept) = self.streams.get_mut(channel) {
            self.weight -= kept.stream.weight();
            kept.stream.clear();
        }
    }

    pub(super) fn made_before(&mut self, now: Timestamp, channel: &Channel, key: &str) -> Option<MadeBefore> {
        self.idempotency.find(now, channel, key)
    }

    pub(super) fn remember(
        &mut self,
        now: Timestamp,
        channel: &Channel,
        key: &str,
        position: Option<StreamPosition>,
    ) {
        self.idempotency.remember(now, channel, key, position);
    }

    /// Frees at least `bytes` if it can: gives up the longest unused streams, then the oldest idempotency keys, then the
    /// oldest publications of `spared`. Answers how many it freed.
    pub(super) fn free(&mut self, bytes: usize, spared: &Channel) -> usize {
        let before = self.bytes();
        let goal = before.saturating_sub(bytes);
        let mut mentions = self.by_use.len();
        while self.bytes() > goal && mentions > 0 {
            mentions -= 1;
            let Some((channel, use_)) = self.by_use.pop_front() else {
                break;
            };
            if channel == *spared {
                self.by_use.push_back((channel, use_));
            } else if self.streams.get(&channel).is_some_and(|kept| kept.uses == use_) {
                self.forget(&channel);
            }
        }
        while self.bytes() > goal && self.idempotency.forget_oldest() {}
        let excess = self.bytes().saturating_sub(goal);
        if let Some(kept) = self.streams.get_mut(spared) {
            let held = kept.stream.weight();
            kept.stream.shrink_to(held.saturating_sub(excess));
            self.weight -= held - kept.stream.weight();
        }
        before - self.bytes()
    }

    pub(super) fn add_present(&mut self, expires: Timestamp, channel: &Channel, info: ClientInfo) {
        let (gained, lost) = match self.present.get_mut(channel) {
            Some(present) => present.add(info, expires),
            None => self.present.entry(channel.clone()).or_default().add(info, expires),
        };
        self.weight = self.weight + gained - lost;
    }

    pub(super) fn remove_present(&mut self, channel: &Channel, client: &str) {
        if let Some(present) = self.present.get_mut(channel) {
            self.weight -= present.remove(client);
            if present.len() == 0 {
                self.present.remove(channel);
            }
        }
    }

    pub(super) fn present(&self, channel: &Channel, now: Timestamp) -> Vec<Arc<ClientInfo>> {
        self.present.get(channel).map_or_else(Vec::new, |present| present.clients(now))
    }

    pub(super) fn presence_stats(&self, channel: &Channel, now: Timestamp) -> PresenceStats {
        self.present.get(channel).map_or_else(PresenceStats::default, |present| present.stats(now))
    }

    /// Drops what has expired.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let weight = &mut self.weight;
        self.streams.retain(|_, kept| {
            let before = kept.stream.weight();
            kept.stream.expire(now);
            *weight -= before - kept.stream.weight();
            let stays = kept.stream.forgotten_at() > now;
            if !stays {
                *weight -= kept.stream.weight() + STREAM_WEIGHT;
            }
            stays
        });
        let streams = &self.streams;
        self.by_use.retain(|(channel, use_)| streams.get(channel).is_some_and(|kept| kept.uses == *use_));
        self.present.retain(|_, present| {
            *weight -= present.expire(now);
            present.len() > 0
        });
        self.idempotency.expire(now);
    }

    pub(super) fn memory_use(&self) -> MemoryUse {
        MemoryUse {
            bytes: self.bytes(),
            streams: self.streams.len(),
            present: self.present.values().map(Present::len).sum(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.weight + self.idempotency.weight()
    }

    fn forget(&mut self, channel: &Channel) {
        if let Some(kept) = self.streams.remove(channel) {
            self.weight -= kept.stream.weight() + STREAM_WEIGHT;
        }
    }
}
