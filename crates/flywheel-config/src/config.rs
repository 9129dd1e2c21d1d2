//! The configuration as the server uses it: every supported key, typed and named as in the file.

mod channel;
mod client;
mod endpoints;
mod engine;
mod proxies;
mod redis;
mod server;

use serde_json::Value;

pub use client::{Client, PersonalChannel, TokenConfig};
pub(crate) use proxies::is_http;
pub use proxies::{Proxies, Proxy, StatusMeaning, StatusTransform};

pub use engine::{Carrier, Engine, EngineType};
pub(crate) use redis::shards;
pub use redis::{
    HostPort, RedisAddress, RedisPresence, RedisSentinels, RedisServers, RedisSettings, RedisShard, RedisTls,
    RedisTopology,
};

pub use endpoints::{
    ConnectStatuses, Endpoint, ErrorMode, HttpApi, Rpc, RpcPing, StreamEndpoint, UniWebSocket, WebSocket,
    WebSocketCompression, WebSocketLimits,
};
pub use server::{HttpServer, Log, LogLevel, Node, Readiness, Shutdown};

use crate::schema::{ROOT, default_object};
use crate::tree;
use crate::view::View;

/// A validated configuration. Keys that are not supported yet are in [`raw`](Self::raw) only.
#[derive(Debug, Clone)]
pub struct Config {
    /// Listeners.
    pub http_server: HttpServer,
    /// What is written to the log.
    pub log: Log,
    /// Who this node is.
    pub node: Node,
    /// How it ends.
    pub shutdown: Shutdown,
    /// File to write the process number to.
    pub pid_file: Option<String>,
    /// What carries publications, presence and messages between nodes.
    pub engine: Engine,
    /// Rules for connections.
    pub client: Client,
    /// Rules for channels. `history_meta_ttl` and `publication_data_format` are already in each rule set.
    pub channel: flywheel_model::ChannelRules,
    /// Remote procedure calls.
    pub rpc: Rpc,
    /// What the application's backend is asked.
    pub proxies: Proxies,
    /// The server API over HTTP.
    pub http_api: HttpApi,
    /// The WebSocket transport.
    pub websocket: WebSocket,
    /// Server-sent events.
    pub sse: StreamEndpoint,
    /// Streamed responses.
    pub http_stream: StreamEndpoint,
    /// Where clients of these two send their commands.
    pub emulation: StreamEndpoint,
    /// WebSockets of clients that only listen.
    pub uni_websocket: UniWebSocket,
    /// Server-sent events for clients that only listen.
    pub uni_sse: StreamEndpoint,
    /// Streamed responses for clients that only listen.
    pub uni_http_stream: StreamEndpoint,
    /// Metrics.
    pub prometheus: Endpoint,
    /// The health check.
    pub health: Endpoint,
    /// How it judges.
    pub readiness: Readiness,
    /// The endpoint that does nothing.
    pub init: Endpoint,
    raw: Raw,
}

/// The tree, kept out of `{:?}`: it holds every secret.
#[derive(Clone)]
struct Raw(Value);

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

impl Config {
    /// Every key with its value: what was set, and defaults for the rest. Durations are text such as `1m30s`, items
    /// of lists have all their keys, and references to variables in text maps are replaced. Holds secrets.
    pub fn raw(&self) -> &Value {
        &self.raw.0
    }

    /// The value of a key without list items in its path, such as `engine.redis.address`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        tree::get(&self.raw.0, path)
    }

    /// Reads a validated tree.
    pub(crate) fn from_tree(raw: Value) -> Self {
        let tree = View::whole(&raw);
        Self {
            http_server: HttpServer::read(&tree.section("http_server")),
            log: Log::read(&tree.section("log")),
            node: Node::read(&tree.section("node")),
            shutdown: Shutdown::read(&tree.section("shutdown")),
            pid_file: tree.some_text("pid_file"),
            engine: Engine::read(&tree),
            client: Client::read(&tree.section("client")),
            channel: channel::read(&tree.section("channel")),
            rpc: Rpc::read(&tree.section("rpc")),
            proxies: Proxies::read(&tree),
            http_api: HttpApi::read(&tree.section("http_api")),
            websocket: WebSocket::read(&tree.section("websocket")),
            sse: StreamEndpoint::read(&tree.section("sse")),
            http_stream: StreamEndpoint::read(&tree.section("http_stream")),
            emulation: StreamEndpoint::read(&tree.section("emulation")),
            uni_websocket: UniWebSocket::read(&tree.section("uni_websocket")),
            uni_sse: StreamEndpoint::read(&tree.section("uni_sse")),
            uni_http_stream: StreamEndpoint::read(&tree.section("uni_http_stream")),
            prometheus: Endpoint::read(&tree.section("prometheus")),
            health: Endpoint::read(&tree.section("health")),
            readiness: Readiness::read(&tree.section("health")),
            init: Endpoint::read(&tree.section("init")),
            raw: Raw(raw),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::from_tree(default_object(ROOT))
    }
}
