use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flywheel_engine::EngineError;
use flywheel_model::Channel;
use hashbrown::HashSet;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::shard::Shard;
use crate::envelope;
use crate::keys::{SLOTS, SlotTag};
use crate::link::Endpoint;
use crate::resp::Value;

/// Channels that are begun with together, and the time from one such batch to the next: at most fifty thousand a second.
/// What a batch takes is part of the time, so that a hundred thousand take little more than two seconds.
const TOGETHER: usize = 256;
const PACE: Duration = Duration::from_millis(5);
/// Channels that are looked at at the same time: no more are begun with than Redis answers. Those of a server that does not
/// answer hold the others up only when they are as many.
const UNDER_WAY_MAX: usize = 1024;
/// Pause before a stream is looked at again that could not be looked at.
const AGAIN: Duration = Duration::from_millis(100);
/// For how long changes of the servers are collected.
const COLLECT: Duration = Duration::from_millis(200);

/// Channels that may have missed something, each at most once. Bounded by how many are subscribed to.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    waiting: Mutex<(VecDeque<Channel>, HashSet<Channel>)>,
    filled: Notify,
}

impl Gaps {
    pub(super) fn push(&self, channel: Channel) {
        let mut waiting = self.waiting.lock();
        if waiting.1.insert(channel.clone()) {
            waiting.0.push_back(channel);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    fn take(&self) -> Vec<Channel> {
        let mut waiting = self.waiting.lock();
        let count = waiting.0.len().min(TOGETHER);
        let taken: Vec<_> = waiting.0.drain(..count).collect();
        for channel in &taken {
            waiting.1.remove(channel);
        }
        taken
    }
}

/// Proves for every channel that was resumed that its stream is still the one that was delivered, and tells of the gap.
/// Ends when the shard is dropped.
pub(super) async fn run(weak: Weak<Shard>) {
    let mut pace = interval(PACE);
    // After a pause, or a batch that took long, the next ones come no faster for that.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looking = JoinSet::new();
    loop {
        while looking.try_join_next().is_some() {}
        if looking.len() + TOGETHER > UNDER_WAY_MAX {
            looking.join_next().await;
            continue;
        }
        let Some(shard) = weak.upgrade() else { return };
        let taken = shard.ears.gaps.take();
        if taken.is_empty() {
            let ears = Arc::clone(&shard.ears);
            drop(shard);
            // Looks now and then whether the shard is still there.
            drop(tokio::time::timeout(Duration::from_secs(1), ears.gaps.filled.notified()).await);
            continue;
        }
        for channel in taken {
            // Nothing was delivered that could be missing.
            if shard.ears.delivered(&channel).is_none() {
                shard.ears.tell_gap(&channel);
                continue;
            }
            let shard = Arc::clone(&shard);
            looking.spawn(async move {
                match shard.prove(&channel).await {
                    Ok(()) => shard.ears.tell_gap(&channel),
                    // Positions in a stream that may be another one are worth nothing: it is looked at until that is known.
                    Err(error) => {
                        tracing::debug!(%channel, %error, "cannot look whether a stream is still the same");
                        sleep(AGAIN).await;
                        shard.ears.gaps.push(channel);
                    }
                }
            });
        }
        drop(shard);
        pace.tick().await;
    }
}

/// Doubts the streams whose server is another one than before: it may lack what the other one had acknowledged. Ends when
/// the shard is dropped.
pub(super) async fn watch_owners(weak: Weak<Shard>) {
    let Some(shard) = weak.upgrade() else { return };
    let mut changes = shard.router.changes();
    drop(shard);
    let mut before: Vec<Option<Endpoint>> = Vec::new();
    while changes.changed().await.is_ok() {
        sleep(COLLECT).await;
        changes.borrow_and_update();
        let Some(shard) = weak.upgrade() else { return };
        let now: Vec<_> = (0..SLOTS).map(|slot| shard.router.owner(slot)).collect();
        let is_moved = |slot: u16| {
            let slot = usize::from(slot);
            before.get(slot).is_some_and(|owner| owner.is_some() && *owner != now[slot])
        };
        if let Some(keys) = shard.keys.get()
            && (0..SLOTS).any(is_moved)
        {
            shard.ears.doubt(|channel| is_moved(keys.of_channel(channel).slot()));
        }
        before = now;
    }
}

impl Shard {
    /// Looks whether what was delivered last is still in the stream. A server that took over may lack it, or have given its
    /// offset to something else: then the stream gets a new epoch, so that nobody mistakes the one for the other.
    async fn prove(&self, channel: &Channel) -> Result<(), EngineError> {
        let Some(delivered) = self.ears.delivered(channel) else { return Ok(()) };
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_channel(channel);
        let (top, epoch, stored) = self.stored_at(channel, &tag, delivered.offset, deadline).await?;
        if epoch != delivered.epoch.as_str() {
            self.ears.handle_proof(channel, &delivered);
            return Ok(());
        }
        let is_other = stored.is_some_and(|stored| envelope::content_hash(&stored) != delivered.hash);
        if top >= delivered.offset && !is_other {
            self.ears.handle_proof(channel, &delivered);
            return Ok(());
        }
        let new = self.new_epoch();
        let meta = if self.options.history_lists { tag.list_meta() } else { tag.stream_meta() };
        let arguments = [delivered.epoch.as_str().as_bytes(), new.as_str().as_bytes()];
        let script = self.scripts.replace_epoch.call(&[&meta], &arguments);
        let call = super::Call { is_repeatable: true, ..Self::call_of(&tag, deadline) };
        self.script(call, &script).await.map_err(super::shard::unavailable)?;
        self.ears.handle_proof(channel, &delivered);
        self.ears.handle_fork();
        tracing::warn!(%channel, top, delivered = delivered.offset, "a stream lost publications that were delivered; it has a new epoch");
        Ok(())
    }

    /// Top and epoch of a stream, and what is stored at an offset.
    async fn stored_at(
        &self,
        channel: &Channel,
        tag: &SlotTag<'_>,
        offset: u64,
        deadline: flywheel_model::Timestamp,
    ) -> Result<(u64, String, Option<bytes::Bytes>), EngineError> {
        let at = flywheel_model::StreamPosition { offset: offset.saturating_sub(1), epoch: "".into() };
        let query = flywheel_stream::HistoryQuery::after(at, 1);
        let (top, epoch, entries) = self.read_entries(channel, tag, &query, Duration::ZERO, deadline).await?;
        let stored = entries.into_iter().find(|(found, _)| *found == offset).map(|(_, stored)| stored);
        Ok((top, epoch, stored))
    }
}

/// Text of an answer's element.
pub(super) fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::text).unwrap_or_default()
}
