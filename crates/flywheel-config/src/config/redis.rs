//! How to reach Redis, from the section `redis` of `engine`, `broker` or `presence_manager`.

mod address;
mod query;
mod read;
mod url;

use std::fmt;
use std::time::Duration;

pub use address::{HostPort, RedisAddress};
pub(crate) use read::shards;

/// One or several sets of Redis servers between which keys are divided, and what is kept there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// The section that this was read from, such as `engine.redis`.
    pub key: String,
    /// First part of every key and of every PUB/SUB channel; never empty.
    pub prefix: String,
    /// At least one. Channels are divided between them by consistent hashing, in this order.
    pub shards: Vec<RedisShard>,
    /// What to do when the servers are something else than what was configured. A key of Flywheel's own.
    pub topology: RedisTopology,
    /// Pause between proofs that writing and PUB/SUB work; not zero. A key of Flywheel's own.
    pub probe_interval: Duration,
    /// Pause between looks at the topology while nothing happens; not zero. A key of Flywheel's own.
    pub topology_refresh_interval: Duration,
    /// PUB/SUB channels are spread over so many slots of a cluster, at most 4096; 0 uses PUB/SUB that reaches all its
    /// nodes.
    pub sharded_pub_sub_partitions: u16,
    /// Keep histories in lists instead of in streams.
    pub history_use_lists: bool,
    /// How presence is kept; means nothing in the settings of `broker`.
    pub presence: RedisPresence,
}

/// See [`RedisSettings::topology`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RedisTopology {
    /// Ask the servers what they are, and go by that where it can work.
    #[default]
    Auto,
    /// Refuse servers that are something else.
    Strict,
}

/// How presence is kept in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisPresence {
    /// How long an entry lives unless it is refreshed; not zero, whole seconds.
    pub ttl: Duration,
    /// Let each field of a hash expire by itself; needs Redis 7.4.
    pub hash_field_ttl: bool,
    /// Count connections for each user too.
    pub user_mapping: bool,
}

/// One set of servers: a single Redis, a primary watched by Sentinel, or a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisShard {
    /// The key that its addresses were read from, such as `engine.redis.address`; with its place, counted from 0, where
    /// there are several.
    pub key: String,
    /// Where it is.
    pub servers: RedisServers,
    /// Number of the logical database; 0 for a cluster.
    pub db: u32,
    /// ACL user.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// What connections call themselves.
    pub client_name: Option<String>,
    /// Speak TLS; `None` speaks plain.
    pub tls: Option<RedisTls>,
    /// Longest time to open a connection; not zero.
    pub connect_timeout: Duration,
    /// Longest time of one request; not zero.
    pub io_timeout: Duration,
    /// Never offer RESP3.
    pub force_resp2: bool,
}

/// Where a set of servers is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisServers {
    /// A server that is asked what it is.
    Plain(RedisAddress),
    /// At least one node of a cluster.
    Cluster(Vec<HostPort>),
    /// Sentinels that know the primary.
    Sentinel(RedisSentinels),
}

/// Sentinels, and what to ask them.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSentinels {
    /// At least one.
    pub addresses: Vec<HostPort>,
    /// Name under which they watch the primary; never empty.
    pub master_name: String,
    /// ACL user on Sentinel.
    pub user: Option<String>,
    /// Password on Sentinel.
    pub password: Option<String>,
    /// What connections to Sentinel call themselves.
    pub client_name: Option<String>,
    /// Speak TLS with Sentinel; `None` speaks plain.
    pub tls: Option<RedisTls>,
}

/// TLS as a client. Certificates and keys are PEM, base64 of PEM, or the path of a file, as written.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RedisTls {
    /// Certificate shown to the server.
    pub cert_pem: Option<String>,
    /// Private key of it.
    pub key_pem: Option<String>,
    /// Authority that must have signed the server's certificate; `None` trusts those of the system.
    pub server_ca_pem: Option<String>,
    /// Accept whatever certificate comes.
    pub insecure_skip_verify: bool,
    /// Name to ask for and to verify; `None` takes the host's.
    pub server_name: Option<String>,
}

impl fmt::Debug for RedisShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisShard")
            .field("key", &self.key)
            .field("servers", &self.servers)
            .field("db", &self.db)
            .field("user", &self.user)
            .field("password", &hidden(self.password.as_ref()))
            .field("client_name", &self.client_name)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("io_timeout", &self.io_timeout)
            .field("force_resp2", &self.force_resp2)
            .finish()
    }
}

impl fmt::Debug for RedisSentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSentinels")
            .field("addresses", &self.addresses)
            .field("master_name", &self.master_name)
            .field("user", &self.user)
            .field("password", &hidden(self.password.as_ref()))
            .field("client_name", &self.client_name)
            .field("tls", &self.tls)
            .finish()
    }
}

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTls")
            .field("cert_pem", &hidden(self.cert_pem.as_ref()))
            .field("key_pem", &hidden(self.key_pem.as_ref()))
            .field("server_ca_pem", &hidden(self.server_ca_pem.as_ref()))
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .field("server_name", &self.server_name)
            .finish()
    }
}

/// Secrets must not reach a log by way of `{:?}`.
fn hidden(secret: Option<&String>) -> Option<&'static str> {
    secret.map(|_| "..")
}

impl RedisServers {
    /// Whether it was configured as a cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}
