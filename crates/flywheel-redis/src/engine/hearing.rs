use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use flywheel_runtime::{Clock, Random, Tasks};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::RedisOptions;
use super::ears::Ears;
use super::probe::Found;
use super::route::Router;
use crate::keys::SlotTag;
use crate::link::{Endpoint, LinkSettings};
use crate::subscriber::{Listener, Subscriber, SubscriberSettings, Topic};

/// One connection that hears, and what its probes have found.
pub(super) struct Hearer {
    pub(super) subscriber: Subscriber,
    /// The slot that it hears; `None` hears what is published to everybody.
    pub(super) slot: Option<u16>,
    pub(super) found: Arc<Found>,
    /// Where it listens.
    pub(super) at: watch::Receiver<Option<Endpoint>>,
    /// The last probe that was heard.
    probe: watch::Receiver<u64>,
}

impl Hearer {
    /// Probes as they are heard.
    pub(super) fn probes(&self) -> watch::Receiver<u64> {
        self.probe.clone()
    }
}

/// Everything that a shard hears with: one connection, and one for each partition in use.
///
/// The lock guards the map of the latter; nothing is taken under it.
pub(super) struct Hearing {
    all: Arc<Hearer>,
    partitions: Mutex<BTreeMap<u16, Arc<Hearer>>>,
    parts: Parts,
}

/// What a connection is made of.
pub(super) struct Parts {
    pub(super) link: LinkSettings,
    pub(super) router: Arc<dyn Router>,
    pub(super) ears: Arc<Ears>,
    pub(super) clock: Clock,
    pub(super) random: Arc<Random>,
    pub(super) tasks: Tasks,
    pub(super) options: RedisOptions,
}

impl Hearing {
    pub(super) fn new(parts: Parts) -> Self {
        Self { all: parts.hearer(None), partitions: Mutex::default(), parts }
    }

    /// What hears what is published to everybody.
    pub(super) fn all(&self) -> &Arc<Hearer> {
        &self.all
    }

    /// What hears the messages of `tag`; and whether it is new.
    pub(super) fn of(&self, tag: &SlotTag<'_>) -> (Arc<Hearer>, bool) {
        if !tag.is_sharded() {
            return (Arc::clone(&self.all), false);
        }
        let mut partitions = self.partitions.lock();
        if let Some(known) = partitions.get(&tag.slot()) {
            return (Arc::clone(known), false);
        }
        let hearer = self.parts.hearer(Some(tag.slot()));
        partitions.insert(tag.slot(), Arc::clone(&hearer));
        (hearer, true)
    }

    /// All of them, the one for everybody first.
    pub(super) fn hearers(&self) -> Vec<Arc<Hearer>> {
        let mut all = vec![Arc::clone(&self.all)];
        all.extend(self.partitions.lock().values().cloned());
        all
    }
}

impl Parts {
    fn hearer(&self, slot: Option<u16>) -> Arc<Hearer> {
        let (sender, probe) = watch::channel(0);
        let listener = Arc::new(WithProbe { ears: Arc::clone(&self.ears), probe: sender });
        let settings =
            SubscriberSettings { is_sharded: slot.is_some(), ..SubscriberSettings::new(self.link.clone()) };
        let at = self.router.ear(slot);
        let subscriber =
            Subscriber::start(settings, at.clone(), listener, &self.clock, &self.random, &self.tasks);
        let found = Arc::new(Found::new("delivery", &self.options, self.clock.now().at));
        Arc::new(Hearer { subscriber, slot, found, at, probe })
    }
}

/// Keeps the probes of one connection apart from those of others.
struct WithProbe {
    ears: Arc<Ears>,
    probe: watch::Sender<u64>,
}

impl Listener for WithProbe {
    fn message(&self, topic: &Topic, payload: &Bytes) {
        if *topic != Topic::Probe {
            return self.ears.message(topic, payload);
        }
        let text = std::str::from_utf8(payload).ok();
        if let Some(nonce) = text.and_then(|text| u64::from_str_radix(text, 16).ok()) {
            self.probe.send_replace(nonce);
        }
    }

    fn resumed(&self, topic: &Topic) {
        self.ears.resumed(topic);
    }

    fn evicted(&self, topic: &Topic) {
        self.ears.evicted(topic);
    }

    fn is_wanted(&self, topic: &Topic) -> bool {
        self.ears.is_wanted(topic)
    }
}
