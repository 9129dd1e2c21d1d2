//! Which engine there is. Nothing else in the program knows.

use std::sync::Arc;
use std::time::Duration;

use flywheel_config::{Carrier, Config, RedisSettings};
use flywheel_engine::{Broker, ControlSink, Dependencies, Dependency, MemoryEngine, MemoryLimits, Presence};
use flywheel_metrics::RedisReading;
use flywheel_node::{Control, ControlInbox, Routes, Timing};
use flywheel_redis::engine::{EngineParts, RedisEngine};
use flywheel_redis::topology::Context;
use flywheel_runtime::{Clock, Random, Tasks};

use crate::redis;

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What carries publications, presence and messages between nodes.
pub(crate) struct Engines {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) presence: Arc<dyn Presence>,
    /// What connects this node with others; `None` alone.
    pub(crate) control: Option<Control>,
    pub(crate) dependencies: Arc<dyn Dependencies>,
    /// What there is to count.
    pub(crate) redis: Arc<All>,
    /// The engine in this process, which has to be swept, if it is used.
    pub(crate) memory: Option<Arc<MemoryEngine>>,
}

/// What engines are made of.
pub(crate) struct Surroundings<'a> {
    /// Names this node.
    pub(crate) uid: &'a str,
    pub(crate) routes: &'a Arc<Routes>,
    pub(crate) clock: &'a Clock,
    pub(crate) random: &'a Arc<Random>,
    pub(crate) tasks: &'a Tasks,
}

/// One engine for each section of settings.
struct Running {
    key: String,
    engine: Arc<RedisEngine>,
}

impl Engines {
    /// Those that the configuration asks for. They begin to connect; calls wait for them within their deadlines.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub(crate) fn start(config: &Config, world: &Surroundings<'_>) -> anyhow::Result<Self> {
        let wanted = &config.engine;
        let inbox = ControlInbox::new();
        let mut running = Vec::new();
        for settings in wanted.redis() {
            let listens = wanted.controller.redis().is_some_and(|controller| controller.key == settings.key);
            let control = listens.then(|| Arc::clone(&inbox) as Arc<dyn ControlSink>);
            let engine = Arc::new(start_redis(settings, control, world)?);
            running.push(Running { key: settings.key.clone(), engine });
        }
        let redis = |carrier: &Carrier| {
            let key = &carrier.redis()?.key;
            running.iter().find(|running| running.key == *key).map(|running| Arc::clone(&running.engine))
        };
        let memory = || {
            Arc::new(MemoryEngine::new(
                world.routes.clone(),
                world.clock.clone(),
                Random::seeded(world.random.next_u64()),
                MemoryLimits::default(),
            ))
        };
        let mut shared_memory = None;
        let broker: Arc<dyn Broker> = match redis(&wanted.broker) {
            Some(engine) => engine,
            None => shared_memory.get_or_insert_with(memory).clone(),
        };
        let presence: Arc<dyn Presence> = match redis(&wanted.presence) {
            Some(engine) => engine,
            None => shared_memory.get_or_insert_with(memory).clone(),
        };
        let control = redis(&wanted.controller).map(|controller| Control {
            controller,
            inbox,
            timing: Timing::REFERENCE,
        });
        let redis = Arc::new(All(running));
        Ok(Self {
            broker,
            presence,
            control,
            dependencies: Arc::clone(&redis) as _,
            redis,
            memory: shared_memory,
        })
    }
}

fn start_redis(
    settings: &RedisSettings,
    control: Option<Arc<dyn ControlSink>>,
    world: &Surroundings<'_>,
) -> anyhow::Result<RedisEngine> {
    let context =
        Context { clock: world.clock.clone(), random: Arc::clone(world.random), tasks: world.tasks.clone() };
    Ok(RedisEngine::start(EngineParts {
        uid: world.uid.to_owned(),
        shards: redis::shards(settings, &context)?,
        options: redis::options(settings),
        sink: Arc::clone(world.routes) as _,
        control,
        clock: world.clock.clone(),
        random: Arc::clone(world.random),
        tasks: world.tasks.clone(),
    }))
}

/// Waits until everything serves, at most for this long. A node that starts to serve before that would be ready for a
/// moment, since a short fault does not count, and turn its first clients away.
pub(crate) async fn settled(dependencies: &dyn Dependencies, within: Duration) {
    let all_serve = async {
        while dependencies.dependencies().iter().any(|dependency| !dependency.ok) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // Who waits in vain starts all the same, and says why it is not ready.
    tokio::time::timeout(within, all_serve).await.unwrap_or_default();
}

/// What all engines report, each entry named after its section unless that is the engine's own.
pub(crate) struct All(Vec<Running>);

impl All {
    /// What all shards of all engines have counted, named as in the readiness report.
    pub(crate) fn readings(&self) -> Vec<RedisReading> {
        let all = self.0.iter().flat_map(|running| {
            let named = |reading: RedisReading| {
                let shard = running.named(&reading.shard);
                RedisReading { shard, ..reading }
            };
            running.engine.readings().into_iter().map(named)
        });
        all.collect()
    }
}

impl Running {
    /// A name of the engine's after its section.
    fn named(&self, name: &str) -> String {
        let section = self.key.strip_suffix("redis").filter(|section| *section != "engine.").unwrap_or("");
        format!("{section}{name}")
    }
}

impl Dependencies for All {
    fn dependencies(&self) -> Vec<Dependency> {
        let all = self.0.iter().flat_map(|running| {
            let named = |entry: Dependency| Dependency { name: running.named(&entry.name), ..entry };
            running.engine.dependencies().into_iter().map(named)
        });
        all.collect()
    }
}
