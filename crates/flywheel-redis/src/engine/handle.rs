use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use flywheel_engine::{
    Answer, ControlSink, Controller, Dependencies, Dependency, EngineError, Recipient, Sink,
};
use flywheel_metrics::RedisReading;
use flywheel_model::{Channel, Timestamp};
use flywheel_runtime::{Clock, Random, Tasks};

use super::ears::Ears;
use super::hearing::{Hearing, Parts};
use super::probe::{self, Found};
use super::route::Router;
use super::shard::{Shard, unavailable};
use super::{RedisOptions, gaps};
use crate::link::LinkSettings;
use crate::placement::{fnv1a, jump};
use crate::resp::Command;
use crate::scripts::Scripts;
use crate::subscriber::Topic;

/// What an engine is made of.
pub struct EngineParts {
    /// Names this node.
    pub uid: String,
    /// The places that share all channels, in an order that is the same on every node, each with how its connections are
    /// made. At least one.
    pub shards: Vec<(Arc<dyn Router>, LinkSettings)>,
    /// How they are used.
    pub options: RedisOptions,
    /// Where what happens in channels goes.
    pub sink: Arc<dyn Sink>,
    /// Where messages of nodes go; `None` listens to none.
    pub control: Option<Arc<dyn ControlSink>>,
    /// Where time comes from.
    pub clock: Clock,
    /// Where chance comes from.
    pub random: Arc<Random>,
    /// Where tasks run.
    pub tasks: Tasks,
}

/// Streams, presence and messages between nodes on Redis. Its connections end when it is dropped.
pub struct RedisEngine {
    shards: Vec<Place>,
    /// Whose turn it is to carry a message between nodes.
    turn: AtomicUsize,
}

struct Place {
    shard: Arc<Shard>,
    write: Arc<Found>,
}

impl std::fmt::Debug for RedisEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisEngine").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl RedisEngine {
    /// Begins to connect. Calls wait for connections within their deadlines.
    pub fn start(mut parts: EngineParts) -> Self {
        let shards = std::mem::take(&mut parts.shards);
        let numbered = shards.iter().enumerate();
        let shards =
            numbered.map(|(number, (router, link))| Place::start(&parts, number, router, link)).collect();
        Self { shards, turn: AtomicUsize::new(0) }
    }

    /// The place of a channel.
    pub(super) fn shard(&self, channel: &Channel) -> Option<Arc<Shard>> {
        let count = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        let index = if count > 1 { jump(fnv1a(channel.as_str().as_bytes()), count) } else { 0 };
        self.shards.get(usize::try_from(index).unwrap_or_default()).map(|place| Arc::clone(&place.shard))
    }
}

impl Place {
    fn start(parts: &EngineParts, number: usize, router: &Arc<dyn Router>, link: &LinkSettings) -> Self {
        let EngineParts { clock, random, tasks, options, .. } = parts;
        let ears = Arc::new(Ears::new(Arc::clone(&parts.sink), parts.control.clone(), Arc::clone(router)));
        let hearing = Hearing::new(Parts {
            link: link.clone(),
            router: Arc::clone(router),
            ears: Arc::clone(&ears),
            clock: clock.clone(),
            random: Arc::clone(random),
            tasks: tasks.clone(),
            options: options.clone(),
        });
        let shard = Arc::new(Shard {
            name: format!("redis[{number}]"),
            router: Arc::clone(router),
            hearing,
            uid: parts.uid.clone(),
            tasks: tasks.clone(),
            ears,
            options: options.clone(),
            scripts: Scripts::new(),
            clock: clock.clone(),
            random: Arc::clone(random),
            keys: OnceLock::new(),
        });
        let write = Arc::new(Found::new("write", options, clock.now().at));
        let weak = Arc::downgrade(&shard);
        tasks.spawn_background(gaps::run(weak.clone()));
        tasks.spawn_background(gaps::watch_owners(weak.clone()));
        tasks.spawn_background(probe::write(weak.clone(), Arc::clone(&write)));
        tasks.spawn_background(probe::hear(weak.clone(), Arc::clone(shard.hearing.all())));
        if parts.control.is_some() {
            let uid = parts.uid.clone();
            tasks.spawn_background(async move {
                // Waits for as long as it takes until a server has said how names are made.
                while let Some(shard) = weak.upgrade() {
                    let deadline = shard.clock.now().at + shard.options.probe_interval;
                    if let Ok(keys) = shard.keys(deadline).await {
                        for name in [keys.control(), keys.node(&uid)] {
                            if let Err(error) = shard.hearing.all().subscriber.want(name, Topic::Control) {
                                tracing::error!(%error, "cannot listen to other nodes");
                            }
                        }
                        return;
                    }
                    let pause = shard.options.probe_interval;
                    drop(shard);
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { shard, write }
    }
}

impl RedisEngine {
    /// What every shard has counted, in their order. Times of probes are in it once.
    pub fn readings(&self) -> Vec<RedisReading> {
        let readings = self.shards.iter().map(|Place { shard, write }| {
            let hearers = shard.hearing.hearers();
            let listens = hearers.iter().map(|hearer| hearer.subscriber.states().borrow().generation);
            let mut reading = RedisReading {
                shard: shard.name.clone(),
                listens: listens.sum(),
                write_probes: write.take_times(),
                delivery_probes: hearers.iter().flat_map(|hearer| hearer.found.take_times()).collect(),
                ..RedisReading::default()
            };
            shard.ears.read(&mut reading);
            shard.router.read(&mut reading);
            reading
        });
        readings.collect()
    }
}

impl Controller for RedisEngine {
    fn send(&self, to: Recipient<'_>, message: Vec<u8>) -> Answer<Result<(), EngineError>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.shards.len().max(1);
        let Some(place) = self.shards.get(turn) else {
            return Answer::Now(Err(unavailable("there is no Redis")));
        };
        let shard = Arc::clone(&place.shard);
        let node = match to {
            Recipient::All => None,
            Recipient::Node(uid) => Some(uid.to_owned()),
        };
        Answer::later(async move {
            let deadline: Timestamp = shard.deadline();
            let keys = shard.keys(deadline).await?;
            let name = node.map_or_else(|| keys.control(), |uid| keys.node(&uid));
            // Any server carries it; the slot of the name spreads messages over them.
            let slot = crate::keys::key_slot(name.as_bytes());
            let call = super::Call { slot, deadline, writes: true, is_repeatable: false };
            shard.command(call, Command::new("PUBLISH").arg(name).arg(message)).await.map(drop)
        })
    }
}

impl Dependencies for RedisEngine {
    fn dependencies(&self) -> Vec<Dependency> {
        let reports = self.shards.iter().flat_map(|place| {
            let (name, now) = (&place.shard.name, place.shard.clock.now().at);
            let mut heard: Vec<_> =
                place.shard.hearing.hearers().iter().map(|hearer| hearer.found.report(name, now)).collect();
            // One that does not hear stands for all.
            let worst = heard.iter().position(|one| !one.ok).unwrap_or_default();
            [place.write.report(name, now), heard.swap_remove(worst)]
        });
        reports.collect()
    }
}
