mod certificates;
mod client;
mod cluster;
mod daemon;
mod haproxy;
mod proxy;
mod release;
mod reply;
mod sentinels;
mod server;
#[cfg(test)]
mod tests;

pub use certificates::Certificates;
pub use client::RedisClient;
pub use cluster::RedisCluster;
pub use haproxy::HaProxy;
pub use proxy::{FaultProxy, OnReply, SeenReply};
pub use release::RedisRelease;
pub use reply::RedisReply;
pub use sentinels::{MASTER_NAME, SentinelOptions, SentinelSet};
pub use server::{RedisOptions, RedisServer};
