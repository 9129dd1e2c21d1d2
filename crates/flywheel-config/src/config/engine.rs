use std::sync::Arc;

use super::redis::RedisSettings;
use crate::view::View;

/// What carries publications, presence and messages between nodes. Config sections `engine`, `broker` and
/// `presence_manager`, resolved: a section that is enabled stands in for the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Which one was asked for in `engine.type`.
    pub r#type: EngineType,
    /// Carries publications and keeps histories.
    pub broker: Carrier,
    /// Keeps presence.
    pub presence: Carrier,
    /// Carries messages between nodes: with the publications where these are in Redis, else as the engine does.
    pub controller: Carrier,
}

/// The kinds of engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineType {
    /// This process, alone.
    #[default]
    Memory,
    /// Redis, shared with other nodes.
    Redis,
}

/// One of them with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// This process, alone.
    Memory,
    /// Redis. Those that share their settings are the same allocation.
    Redis(Arc<RedisSettings>),
}

impl Carrier {
    /// The settings, if it is Redis.
    pub fn redis(&self) -> Option<&Arc<RedisSettings>> {
        match self {
            Self::Memory => None,
            Self::Redis(settings) => Some(settings),
        }
    }
}

impl Engine {
    pub(super) fn read(tree: &View<'_>) -> Self {
        let carrier = |section: &View<'_>| match section.text("type") {
            "redis" => Carrier::Redis(Arc::new(RedisSettings::read(&section.section("redis")))),
            _ => Carrier::Memory,
        };
        let engine = carrier(&tree.section("engine"));
        let own = |name: &str| {
            let section = tree.section(name);
            section.is("enabled").then(|| carrier(&section))
        };
        let broker = own("broker").unwrap_or_else(|| engine.clone());
        Self {
            r#type: if engine.redis().is_some() { EngineType::Redis } else { EngineType::Memory },
            presence: own("presence_manager").unwrap_or_else(|| engine.clone()),
            controller: if broker.redis().is_some() { broker.clone() } else { engine },
            broker,
        }
    }

    /// The different Redis settings in use, broker's first.
    pub fn redis(&self) -> Vec<&Arc<RedisSettings>> {
        let mut all: Vec<&Arc<RedisSettings>> = Vec::new();
        for settings in
            [&self.broker, &self.presence, &self.controller].into_iter().filter_map(Carrier::redis)
        {
            if !all.iter().any(|known| known.key == settings.key) {
                all.push(settings);
            }
        }
        all
    }
}
