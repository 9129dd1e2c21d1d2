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
    /// Partitions of what is published in a cluster, each in a slot of its own; 0 publishes to all nodes.
    pub partitions: u16,
    /// How often to ask a cluster who owns what when nothing gives reason to.
    pub refresh_interval: Duration,
    /// Refuse what is not what the seeds say, where else it would be adapted to.
    pub is_strict: bool,
}

impl ShardSettings {
    /// With everything but the place as is usual.
    pub fn new(seeds: Seeds, link: LinkSettings) -> Self {
        Self {
            seeds,
            link,
            keys: "engine.redis".to_owned(),
            name: "redis[0]".to_owned(),
            partitions: 0,
            refresh_interval: Duration::from_secs(5),
            is_strict: false,
        }
    }
}
