//! Nodes that share Redis, as the real program.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support fails the test by panicking"
)]

mod answers;
mod faults;
mod locked;
mod metrics;
mod mixed;
mod relay;
mod shapes;
mod two_nodes;

use std::time::Duration;

use flywheel_testkit::{Certificates, RedisServer, Server, fixture_on_redis, wait_until};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_flywheel");
const PATIENCE: Duration = Duration::from_secs(20);

fn at(redis: &RedisServer) -> Value {
    json!({"address": format!("redis://{}", redis.address())})
}

/// The section `tls` of a client whom a server with these certificates believes.
fn identity(certificates: &Certificates) -> Value {
    let (cert, key) = certificates.client();
    json!({"server_ca_pem": certificates.authority(), "cert_pem": cert, "key_pem": key})
}

fn publish(server: &Server, channel: &str, data: &Value) -> Value {
    server.api_result("publish", &json!({"channel": channel, "data": data}))
}

/// Starts a node and waits until it is ready.
fn node(redis: &Value) -> Server {
    node_of(&fixture_on_redis(redis))
}

fn node_of(config: &Value) -> Server {
    let server = Server::start(BINARY, config.clone());
    assert!(wait_until(PATIENCE, || server.is_ready()), "not ready: {}", server.readiness().text());
    server
}

/// Two nodes that know each other.
fn two(redis: &Value) -> (Server, Server) {
    two_of(&fixture_on_redis(redis))
}

fn two_of(config: &Value) -> (Server, Server) {
    let nodes = (node_of(config), node_of(config));
    for server in [&nodes.0, &nodes.1] {
        let known = || server.api_result("info", &json!({}))["nodes"].as_array().map(Vec::len);
        assert!(wait_until(PATIENCE, || known() == Some(2)), "{:?} nodes are known", known());
    }
    nodes
}
