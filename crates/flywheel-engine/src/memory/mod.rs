//! The engine without a service: streams, presence and idempotency keys in this process's memory.

mod idempotency;
mod presence;
mod shelf;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flywheel_model::{Channel, ChannelEvent, ChannelEventKind, ClientInfo, Epoch, Publication};
use flywheel_runtime::{Clock, Random, Stripes};
use flywheel_stream::{Append, History, HistoryQuery, Stream};
use parking_lot::Mutex;

use crate::{Answer, Broker, EngineError, Presence, PresenceStats, PublishOptions, Published, Sink};
use shelf::Shelf;

/// Bounds of a memory engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Bytes of publications, streams, presence entries and idempotency keys, by this engine's own count, which leaves
    /// out what the allocator adds. At the bound the streams that were not used for longest are given up, whose
    /// subscribers notice by the epoch, and then the oldest publications of the channel that is published into.
    pub bytes: usize,
    /// How long a presence entry lives without being refreshed.
    pub presence_ttl: Duration,
}

impl Default for MemoryLimits {
    /// One gibibyte; presence as in the reference.
    fn default() -> Self {
        Self { bytes: 1 << 30, presence_ttl: Duration::from_mins(1) }
    }
}

/// What a memory engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// Bytes, as [`MemoryLimits::bytes`] counts them.
    pub bytes: usize,
    /// Streams, empty ones included.
    pub streams: usize,
    /// Presence entries.
    pub present: usize,
}

/// See the module. Shared by reference; every call answers at once.
///
/// Channels are spread over shelves. A shelf's lock guards the channels on it, and is held while an event is handed to
/// the sink, so that every shard sees the order of the stream. Nothing waits under it.
pub struct MemoryEngine {
    shelves: Stripes<Mutex<Shelf>>,
    /// Bytes on all shelves.
    used: AtomicUsize,
    sink: Arc<dyn Sink>,
    clock: Clock,
    random: Random,
    limits: MemoryLimits,
}

/// More than the threads that will ever contend.
const SHELVES: usize = 64;

impl MemoryEngine {
    /// An empty engine that delivers into `sink`.
    pub fn new(sink: Arc<dyn Sink>, clock: Clock, random: Random, limits: MemoryLimits) -> Self {
        Self { shelves: Stripes::new(SHELVES), used: AtomicUsize::new(0), sink, clock, random, limits }
    }

    /// Drops what has expired: publications, forgotten streams, presence entries, idempotency keys. To be called about
    /// every second; what has expired is never shown even if it is not.
    pub fn sweep(&self) {
        let now = self.clock.now().at;
        for shelf in self.shelves.all() {
            let mut shelf = shelf.lock();
            let before = shelf.bytes();
            shelf.sweep(now);
            self.account(before, shelf.bytes());
        }
    }

    /// What it holds.
    pub fn memory_use(&self) -> MemoryUse {
        self.shelves.all().fold(MemoryUse::default(), |sum, shelf| {
            let part = shelf.lock().memory_use();
            MemoryUse {
                bytes: sum.bytes + part.bytes,
                streams: sum.streams + part.streams,
                present: sum.present + part.present,
            }
        })
    }

    fn new_epoch(&self) -> Epoch {
        Epoch::from_random(self.random.next_u64())
    }

    fn emit(&self, channel: &Channel, kind: ChannelEventKind) {
        self.sink.deliver(ChannelEvent { channel: channel.clone(), kind });
    }

    /// Works on the shelf of `channel` and keeps the count of bytes over all shelves.
    fn on_shelf<T>(&self, channel: &Channel, work: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut shelf = self.shelves.of(channel).lock();
        let before = shelf.bytes();
        let result = work(&mut shelf);
        self.account(before, shelf.bytes());
        result
    }

    fn account(&self, before: usize, after: usize) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    fn publish_now(
        &self,
        shelf: &mut Shelf,
        channel: &Channel,
        publication: Publication,
        options: PublishOptions,
    ) -> Result<Published, EngineError> {
        let now = self.clock.now().at;
        if let Some(key) = &options.idempotency_key
            && let Some(made) = shelf.made_before(now, channel, key)
        {
            return Ok(Published::Repeated(made.position));
        }
        let published = match options.history {
            None => {
                let event = ChannelEventKind::Publication(Arc::new(publication), Epoch::unknown(), None);
                self.emit(channel, event);
                Published::Made(None)
            }
            Some(retention) => {
                self.make_room(shelf, channel, publication.weight())?;
                let (previous, appended, top) = shelf.with_stream(
                    channel,
                    || Stream::new(self.new_epoch(), now, retention.meta_ttl),
                    |stream| {
                        stream.expire(now);
                        let previous = stream.newest().filter(|_| options.delta).cloned();
                        let appended = stream.append(now, publication, options.version, retention);
                        (previous, appended, stream.position())
                    },
                );
                match appended {
                    Append::Superseded => return Ok(Published::Superseded(top)),
                    Append::Appended(publication) => {
                        let event = ChannelEventKind::Publication(publication, top.epoch.clone(), previous);
                        self.emit(channel, event);
                        Published::Made(Some(top))
                    }
                }
            }
        };
        if let Some(key) = options.idempotency_key {
            shelf.remember(now, channel, &key, published.position().cloned());
        }
        Ok(published)
    }

    /// Frees bytes on this shelf if the engine is full: other channels' history first, then this one's.
    fn make_room(&self, shelf: &mut Shelf, channel: &Channel, bytes: usize) -> Result<(), EngineError> {
        let used = self.used.load(Ordering::Relaxed);
        let excess = used.saturating_add(bytes).saturating_sub(self.limits.bytes);
        if excess > 0 && shelf.free(excess, channel) < excess {
            return Err(EngineError::NoRoom { used, limit: self.limits.bytes });
        }
        Ok(())
    }
}

impl std::fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryEngine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Broker for MemoryEngine {
    fn publish(
        &self,
        channel: &Channel,
        publication: Publication,
        options: PublishOptions,
    ) -> Answer<Result<Published, EngineError>> {
        Answer::Now(self.on_shelf(channel, |shelf| self.publish_now(shelf, channel, publication, options)))
    }

    fn publish_join(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let _order = self.shelves.of(channel).lock();
        self.emit(channel, ChannelEventKind::Join(Arc::new(info)));
        Answer::Now(Ok(()))
    }

    fn publish_leave(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let _order = self.shelves.of(channel).lock();
        self.emit(channel, ChannelEventKind::Leave(Arc::new(info)));
        Answer::Now(Ok(()))
    }

    fn subscribe(&self, _channel: &Channel) -> Answer<Result<(), EngineError>> {
        Answer::Now(Ok(()))
    }

    fn unsubscribe(&self, _channel: &Channel) -> Answer<Result<(), EngineError>> {
        Answer::Now(Ok(()))
    }

    fn history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
        meta_ttl: Duration,
    ) -> Answer<Result<History, EngineError>> {
        let now = self.clock.now().at;
        let begin = || Stream::new(self.new_epoch(), now, meta_ttl);
        let history = self.on_shelf(channel, |shelf| {
            shelf.with_stream(channel, begin, |stream| {
                stream.touch(now, meta_ttl);
                stream.read(now, &query)
            })
        });
        Answer::Now(history.map_err(|_| EngineError::Unrecoverable))
    }

    fn remove_history(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        self.on_shelf(channel, |shelf| shelf.clear_stream(channel));
        Answer::Now(Ok(()))
    }
}

impl Presence for MemoryEngine {
    fn add(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let now = self.clock.now().at;
        let expires = now + self.limits.presence_ttl;
        self.on_shelf(channel, |shelf| shelf.add_present(expires, channel, info));
        Answer::Now(Ok(()))
    }

    fn remove(&self, channel: &Channel, client: &str) -> Answer<Result<(), EngineError>> {
        self.on_shelf(channel, |shelf| shelf.remove_present(channel, client));
        Answer::Now(Ok(()))
    }

    fn clients(&self, channel: &Channel) -> Answer<Result<Vec<Arc<ClientInfo>>, EngineError>> {
        let now = self.clock.now().at;
        Answer::Now(Ok(self.shelves.of(channel).lock().present(channel, now)))
    }

    fn stats(&self, channel: &Channel) -> Answer<Result<PresenceStats, EngineError>> {
        let now = self.clock.now().at;
        Answer::Now(Ok(self.shelves.of(channel).lock().presence_stats(channel, now)))
    }
}
