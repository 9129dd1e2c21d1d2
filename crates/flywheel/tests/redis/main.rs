//! Nodes that share Redis, as the real program.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]

mod answers;
mod faults;
mod metrics;
mod relay;
mod shapes;
mod two_nodes;

use std::time::Duration;

use flywheel_testkit::{JsonClient, RedisServer, Server, fixture, set, wait_until};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_flywheel");
const PATIENCE: Duration = Duration::from_secs(20);

/// The configuration of the transcripts on a Redis that is reached like this.
fn on_redis(redis: &Value) -> Value {
    let mut config = fixture();
    set(&mut config, "engine.type", json!("redis"));
    set(&mut config, "engine.redis", redis.clone());
    config
}

fn at(redis: &RedisServer) -> Value {
    json!({"address": format!("redis://{}", redis.address())})
}

/// Starts a node and waits until it is ready.
fn node(redis: &Value) -> Server {
    node_of(&on_redis(redis))
}

fn node_of(config: &Value) -> Server {
    let server = Server::start(BINARY, config.clone());
    assert!(wait_until(PATIENCE, || is_ready(&server)), "not ready: {}", readiness(&server));
    server
}

fn readiness(server: &Server) -> Value {
    server.request("GET", "/health/ready", &[], b"").json()
}

fn is_ready(server: &Server) -> bool {
    server.request("GET", "/health/ready", &[], b"").status == 200
}

/// Two nodes that know each other.
fn two(redis: &Value) -> (Server, Server) {
    two_of(&on_redis(redis))
}

fn two_of(config: &Value) -> (Server, Server) {
    let nodes = (node_of(config), node_of(config));
    for server in [&nodes.0, &nodes.1] {
        let known = || server.api_result("info", &json!({}))["nodes"].as_array().map(Vec::len);
        assert!(wait_until(PATIENCE, || known() == Some(2)), "{:?} nodes are known", known());
    }
    nodes
}

/// The next publication in a channel, skipping joins and leaves.
fn publication(client: &mut JsonClient) -> Value {
    loop {
        let push = client.push();
        if push["pub"].is_object() {
            return push["pub"].clone();
        }
    }
}
