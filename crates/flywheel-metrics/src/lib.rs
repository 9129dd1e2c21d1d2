//! Every metric of the server, declared once, as a typed handle.
//!
//! [`Metrics`] holds the registry and is shared by [`Arc`](std::sync::Arc). What happens once per connection or per
//! call is counted on it directly; what happens once per delivery is counted in [`ShardCounters`], plain integers that
//! belong to one shard's thread and are added to the registry about once a second. Handles of labelled series are
//! looked up by enum, never by text.
//!
//! Names and labels are those of Centrifugo where the meaning is the same, so that its dashboards work; the rest
//! starts with `flywheel_`. Nothing here opens a file, a socket or reads a clock: numbers come from the caller.
//!
//! Source: server API, section 12.

#![forbid(unsafe_code)]

mod api;
mod cells;
mod client;
mod cluster;
mod declare;
mod labels;
mod local;
mod metrics;
mod node;
mod own;
mod process;
mod proxy;
mod redis;
mod reference;
mod shard;
mod transport;
mod window;

pub use api::{ApiFailure, ApiMetrics};
pub use client::{ClientMetrics, ConnectionKind};
pub use cluster::{ClusterMetrics, Ignored};
pub use labels::{
    Action, ApiMethod, ApiProtocol, FrameType, MessageType, Method, ProxyEvent, ProxyProtocol, ReloadOutcome,
    SuppressReason, Transport,
};
pub use metrics::{CONTENT_TYPE, Metrics};
pub use node::NodeMetrics;
pub use own::OwnMetrics;
pub use process::{ProcessMetrics, ProcessReading};
pub use proxy::{ProxyCalls, ProxyMetrics};
pub use redis::{LinkReading, RedisMetrics, RedisReading};
pub use reference::reference_markdown;
pub use shard::ShardCounters;
pub use transport::TransportMetrics;
pub use window::Window;
