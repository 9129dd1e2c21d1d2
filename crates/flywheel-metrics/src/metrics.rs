use std::fmt;

use prometheus::{Registry, TextEncoder};

use crate::api::ApiMetrics;
use crate::client::ClientMetrics;
use crate::cluster::ClusterMetrics;
use crate::declare::{Declaration, Declare};
use crate::node::NodeMetrics;
use crate::own::OwnMetrics;
use crate::process::ProcessMetrics;
use crate::proxy::ProxyMetrics;
use crate::redis::RedisMetrics;
use crate::transport::TransportMetrics;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of one server, with a registry of their own. Share it by [`Arc`](std::sync::Arc).
pub struct Metrics {
    /// Of the node as a whole.
    pub node: NodeMetrics,
    /// Of clients and what they ask for.
    pub client: ClientMetrics,
    /// Of the wire.
    pub transport: TransportMetrics,
    /// Of the server API.
    pub api: ApiMetrics,
    /// Of calls to backends.
    pub proxy: ProxyMetrics,
    /// Of our own making.
    pub own: OwnMetrics,
    /// Of the node among others.
    pub cluster: ClusterMetrics,
    /// Of the Redis engine.
    pub redis: RedisMetrics,
    /// Of the process.
    pub process: ProcessMetrics,
    registry: Registry,
    pub(crate) declarations: Vec<Declaration>,
}

impl Metrics {
    /// Metrics that have counted nothing yet. `version` is the server's.
    pub fn new(version: &str) -> Self {
        let mut declare = Declare::default();
        Self {
            node: NodeMetrics::new(&mut declare, version),
            client: ClientMetrics::new(&mut declare),
            transport: TransportMetrics::new(&mut declare),
            api: ApiMetrics::new(&mut declare),
            proxy: ProxyMetrics::new(&mut declare),
            own: OwnMetrics::new(&mut declare),
            cluster: ClusterMetrics::new(&mut declare),
            redis: RedisMetrics::new(&mut declare),
            process: ProcessMetrics::new(&mut declare),
            registry: declare.registry,
            declarations: declare.list,
        }
    }

    pub(crate) fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }

    /// Every series in the Prometheus text format 0.0.4, sorted by name. Counts that shards have not flushed yet are
    /// missing.
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            // A comment is the only place in the format where a failure can be told.
            .unwrap_or_else(|error| format!("# {error}\n"))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests;
