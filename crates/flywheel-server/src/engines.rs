//! Which engine there is. Nothing else in the program knows.

use std::sync::Arc;

use flywheel_config::{Carrier, Config};
use flywheel_engine::{Broker, Dependencies, MemoryEngine, MemoryLimits, Presence};
use flywheel_node::{Control, Routes};
use flywheel_runtime::{Clock, Random};

/// What carries publications, presence and messages between nodes.
pub(crate) struct Engines {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) presence: Arc<dyn Presence>,
    /// What connects this node with others; `None` alone.
    pub(crate) control: Option<Control>,
    pub(crate) dependencies: Arc<dyn Dependencies>,
    /// The engine in this process, which has to be swept, if it is used.
    pub(crate) memory: Option<Arc<MemoryEngine>>,
}

/// What engines are made of.
pub(crate) struct Surroundings<'a> {
    pub(crate) routes: &'a Arc<Routes>,
    pub(crate) clock: &'a Clock,
    pub(crate) random: &'a Arc<Random>,
}

impl Engines {
    /// Those that the configuration asks for.
    pub(crate) fn start(config: &Config, world: &Surroundings<'_>) -> Self {
        let memory = Arc::new(MemoryEngine::new(
            world.routes.clone(),
            world.clock.clone(),
            Random::seeded(world.random.next_u64()),
            MemoryLimits::default(),
        ));
        let engine = &config.engine;
        let uses_memory =
            [&engine.broker, &engine.presence].iter().any(|carrier| **carrier == Carrier::Memory);
        Self {
            broker: memory.clone(),
            presence: memory.clone(),
            control: None,
            dependencies: Arc::new(()),
            memory: uses_memory.then_some(memory),
        }
    }
}
