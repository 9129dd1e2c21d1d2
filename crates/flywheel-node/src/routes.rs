use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flywheel_engine::Sink;
use flywheel_model::{Channel, ChannelEvent};
use flywheel_runtime::Stripes;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::ShardPost;

/// Which shards have subscribers of which channel, and so where a delivery goes: one message per shard.
///
/// Channels are spread over stripes. A stripe's lock guards its map and is held while events are put into mailboxes,
/// which never block; nothing else is taken under it.
#[derive(Debug)]
pub struct Routes {
    stripes: Stripes<Mutex<HashMap<Channel, Shards>>>,
    posts: Vec<Arc<ShardPost>>,
    /// Channels in all stripes, for those who must not wait for one.
    count: AtomicUsize,
}

/// A set of shards, by index.
type Shards = u64;

const STRIPES: usize = 64;

impl Routes {
    /// Most shards there can be.
    pub const SHARDS_MAX: usize = Shards::BITS as usize;

    /// No channel is routed anywhere yet.
    ///
    /// # Panics
    /// There are more posts than [`SHARDS_MAX`](Self::SHARDS_MAX).
    pub fn new(posts: Vec<Arc<ShardPost>>) -> Arc<Self> {
        assert!(posts.len() <= Self::SHARDS_MAX, "a set of shards has {} members at most", Self::SHARDS_MAX);
        Arc::new(Self { stripes: Stripes::new(STRIPES), posts, count: AtomicUsize::new(0) })
    }

    /// The shards' mailboxes.
    pub fn posts(&self) -> &[Arc<ShardPost>] {
        &self.posts
    }

    /// Routes a channel to a shard. Answers whether it went nowhere before, so that the broker must be asked.
    pub fn add(&self, channel: &Channel, shard: usize) -> bool {
        let mut stripe = self.stripes.of(channel).lock();
        let shards = stripe.entry_ref(channel).or_default();
        let first = *shards == 0;
        *shards |= 1 << shard;
        if first {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        first
    }

    /// Takes the route away. Answers whether the channel goes nowhere now, so that the broker can be told.
    pub fn remove(&self, channel: &Channel, shard: usize) -> bool {
        let mut stripe = self.stripes.of(channel).lock();
        let Some(shards) = stripe.get_mut(channel) else {
            return false;
        };
        *shards &= !(1 << shard);
        let last = *shards == 0;
        if last {
            stripe.remove(channel);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        last
    }

    /// Number of channels that go anywhere. Takes no lock.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether no channel goes anywhere.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a shard is so far behind that publishers should wait.
    pub fn is_crowded(&self) -> bool {
        self.posts.iter().any(|post| post.deliveries.is_crowded())
    }
}

impl Sink for Routes {
    fn deliver(&self, event: ChannelEvent) {
        let stripe = self.stripes.of(&event.channel).lock();
        let Some(shards) = stripe.get(&event.channel) else {
            return;
        };
        for (index, post) in self.posts.iter().enumerate() {
            if shards & (1 << index) != 0 {
                post.deliver(event.clone());
            }
        }
    }

    fn gap(&self, channel: &Channel) {
        let stripe = self.stripes.of(channel).lock();
        let Some(shards) = stripe.get(channel) else {
            return;
        };
        for (index, post) in self.posts.iter().enumerate() {
            if shards & (1 << index) != 0 {
                post.gap(channel);
            }
        }
    }

    fn has_subscribers(&self, channel: &Channel) -> bool {
        self.stripes.of(channel).lock().contains_key(channel)
    }
}
