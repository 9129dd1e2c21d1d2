use std::time::Duration;

use crate::link::{Endpoint, LinkSettings};

/// Where to begin to look for the servers of one shard.
#[derive(Debug, Clone)]
pub enum Seeds {
    /// One server; a node of a cluster stands for all of it.
    Server(Endpoint),
    /// Some nodes of a cluster.
    Cluster(Vec<Endpoint>),
    /// Some of the Sentinels that know the primary.
    Sentinel {
        /// Where they listen.
        sentinels: Vec<Endpoint>,
        /// The name under which they watch it.
        name: String,
        /// How to talk to them, which has nothing to do with how to talk to the servers.
        settings: Box<LinkSettings>,
    },
}

/// One shard: a place for channels, independent of all others.
#[derive(Debug, Clone)]
pub struct ShardSettings {
    /// Where it is.
    pub seeds: Seeds,
    /// How to talk to its servers.
    pub link: LinkSettings,
    /// Block of the configuration that it comes from, such as `engine.redis`, for messages to the operator.
    pub keys: String,
    /// Its name in reports, such as `redis[0]`.
    pub name: String,
    /// Prefix of every key.
    pub prefix: String,
    /// How often to prove that it can be written to.
    pub probe_interval: Duration,
    /// How often to ask a cluster who owns what when nothing gives reason to.
    pub refresh_interval: Duration,
}

impl ShardSettings {
    /// With everything but the place as is usual.
    pub fn new(seeds: Seeds, link: LinkSettings) -> Self {
        Self {
            seeds,
            link,
            keys: "engine.redis".to_owned(),
            name: "redis[0]".to_owned(),
            prefix: "centrifugo".to_owned(),
            probe_interval: Duration::from_secs(1),
            refresh_interval: Duration::from_secs(5),
        }
    }
}
