//! Where a run takes place: one server that keeps everything itself, or two that share Redis behind a balancer.

use std::net::SocketAddr;
use std::time::Duration;

use flywheel_testkit::{HaProxy, RedisServer, Server, free_port, set, wait_until};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_flywheel");
const PATIENCE: Duration = Duration::from_secs(20);

/// What has to run for as long as somebody uses the address; held, and ended in this order.
pub(crate) struct Site {
    address: SocketAddr,
    _balancer: Option<HaProxy>,
    servers: Vec<Server>,
    _redis: Option<RedisServer>,
}

impl Site {
    /// One server with this configuration.
    pub(crate) fn alone(config: Value) -> Self {
        let server = Server::start(BINARY, config);
        Self { address: server.address(), _balancer: None, servers: vec![server], _redis: None }
    }

    /// Two nodes on one Redis. Connections go to the one and the other in turn, and so do calls of the server API.
    pub(crate) fn two_on_redis(mut config: Value) -> Self {
        let redis = RedisServer::start();
        set(&mut config, "engine.type", json!("redis"));
        set(&mut config, "engine.redis.address", json!(redis.address()));
        let servers = [(); 2].map(|()| Server::start(BINARY, config.clone()));
        for server in &servers {
            let known = || server.api_result("info", &json!({}))["nodes"].as_array().map(Vec::len);
            assert!(wait_until(PATIENCE, || server.is_ready() && known() == Some(2)), "{}", server.log());
        }
        let port = free_port();
        let nodes = servers.each_ref().map(Server::address);
        let balancer = HaProxy::start(&balance(port, nodes), &[port]);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { address, _balancer: Some(balancer), servers: servers.into(), _redis: Some(redis) }
    }

    /// Subscriptions that were found to lack something and got it from the stream, on all nodes. Nothing lacks unless it was
    /// lost on the way: this shows a mistake that healing would hide.
    pub(crate) fn gaps_found(&self) -> u64 {
        let found = |server: &Server| -> u64 {
            let metrics = server.request("GET", "/metrics", &[], b"").text();
            let line = metrics.lines().find_map(|line| line.strip_prefix("flywheel_gaps_found_total "));
            line.unwrap().parse().unwrap()
        };
        self.servers.iter().map(found).sum()
    }

    /// Whether a node lost a connection to Redis, as happens when the machine holds Redis up for a second: then something
    /// may have been lost on the way.
    pub(crate) fn was_disturbed(&self) -> bool {
        self.servers.iter().any(|server| server.log().contains("connection to Redis ended"))
    }

    /// Where clients and the server API are.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn balance(port: u16, [one, other]: [SocketAddr; 2]) -> String {
    format!(
        "defaults\n mode tcp\n timeout connect 1s\n timeout client 1h\n timeout server 1h\n\
         listen front\n bind 127.0.0.1:{port}\n balance roundrobin\n server one {one}\n server other {other}\n"
    )
}
