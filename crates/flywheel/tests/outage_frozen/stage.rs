use std::time::Duration;

use flywheel_testkit::drill::{Fleet, Plan, judge};
use flywheel_testkit::{FaultProxy, RedisServer, sign};
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::churn::Churn;

/// One Redis, nodes that reach it each through a proxy of its own, and clients with server-side subscriptions.
pub(crate) struct Stage {
    pub(crate) churn: Churn,
    pub(crate) fleet: Fleet,
    pub(crate) proxies: Vec<FaultProxy>,
    pub(crate) redis: RedisServer,
    /// Bytes that each node held when everything was well.
    resident: Vec<u64>,
}

const SECRET: &str = "drill-secret";
const CHANNELS: usize = 20;
/// No call may take longer, from the outside: the deadline of the engine, twice, and a busy machine.
const CALL_WITHIN: Duration = Duration::from_secs(8);
/// Memory that a node may hold more after a fault, in bytes: far less than what piles up when something waits for ever.
const MEMORY: u64 = 64 << 20;

impl Stage {
    pub(crate) fn start(nodes: usize) -> Self {
        let redis = RedisServer::start();
        let proxies: Vec<_> = (0..nodes).map(|_| FaultProxy::start(redis.port())).collect();
        let channels: Vec<_> = (0..CHANNELS).map(|number| format!("drill{number}")).collect();
        let token = sign(SECRET, &json!({"sub": "drill", "channels": channels}).to_string());
        let plan = Plan {
            nodes: proxies.iter().map(|proxy| config(&proxy.address())).collect(),
            clients: 12,
            channels: CHANNELS,
            pause: Duration::from_millis(10),
            token: Some(token.clone()),
        };
        let fleet = Fleet::start(env!("CARGO_BIN_EXE_flywheel"), &plan);
        let addresses = fleet.nodes().map(|node| fleet.node(node).address()).collect();
        let churn = Churn::start(addresses, &token);
        let resident = fleet.nodes().map(|node| fleet.node(node).resident_bytes()).collect();
        Self { churn, fleet, proxies, redis, resident }
    }

    /// Nothing was left without an answer, memory is flat, and everybody has everything or was told.
    pub(crate) fn finish(&mut self) {
        self.churn.stop();
        self.fleet.stop_publishing();
        let arrived = self.fleet.wait_for_subscribers(&self.redis, PATIENCE);
        let broken = judge(&[], &self.fleet.witnesses(), &self.fleet.kept(&self.redis), |_| true);
        assert!(broken.is_empty(), "{} promises broken:\n{}", broken.len(), broken.join("\n"));
        assert!(arrived, "not every subscriber stands where the streams end");
        let stuck = self.churn.stuck();
        assert!(stuck.is_empty(), "connects without an answer: {stuck:?}");
        for subscriber in self.fleet.subscribers() {
            let silent = subscriber.closes().into_iter().find(|(_, _, reason)| reason == "no reply");
            assert!(silent.is_none(), "a command got no reply");
        }
        for node in self.fleet.nodes() {
            let longest = self.fleet.publisher(node).longest_call();
            assert!(longest < CALL_WITHIN, "a publish took {longest:?}");
            let grown = self.fleet.node(node).resident_bytes().saturating_sub(self.resident[node]);
            assert!(grown < MEMORY, "node {node} grew by {grown} bytes");
        }
    }
}

fn config(redis: &str) -> Value {
    json!({
        "engine": {"type": "redis", "redis": {"address": redis}},
        "client": {"token": {"hmac_secret_key": SECRET}, "allow_anonymous_connect_without_token": true},
        "http_api": {"key": Plan::KEY},
        "channel": {"without_namespace": {
            "history_size": 50_000,
            "history_ttl": "1h",
            "force_recovery": true,
        }},
    })
}
