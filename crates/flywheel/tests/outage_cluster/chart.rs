//! The values of a chart as they were written for an old version, on a cluster of six.

use flywheel_testkit::{JsonClient, RedisCluster, Server, fixture, wait_until};
use serde_json::{Value, json};

use crate::{BINARY, PATIENCE, assert_unharmed, cluster, examined, wait_ready};

/// As an operator of the old version has it, with the addresses of this cluster.
fn values(cluster: &RedisCluster) -> String {
    format!(
        "config:\n  engine: redis\n  redis_cluster_address: {}\n  redis_cluster_pool_size: 32\n  \
         redis_cluster_connect_timeout: 1\n  redis_cluster_read_timeout: 5\n  redis_cluster_write_timeout: 5\n",
        cluster.addresses().join(",")
    )
}

/// The same, and the namespaces that the test uses.
fn configuration(cluster: &RedisCluster) -> Value {
    let mut config = fixture();
    config["config"] = json!({
        "engine": "redis",
        "redis_cluster_address": cluster.addresses().join(","),
        "redis_cluster_pool_size": 32,
        "redis_cluster_connect_timeout": 1,
        "redis_cluster_read_timeout": 5,
        "redis_cluster_write_timeout": 5,
    });
    config
}

#[test]
fn it_starts_as_it_stands_and_two_nodes_share_everything() {
    let cluster = cluster();
    let (code, report) = examined("values.yaml", &values(&cluster));
    assert_eq!(code, Some(0), "{report}");
    for told in [
        "redis_cluster_address is an old name, write engine.redis.cluster_address",
        "redis_cluster_pool_size",
        "all slots are owned",
        "a script writes",
        "what is published comes back",
    ] {
        assert!(report.contains(told), "{told:?} is not in\n{report}");
    }
    let (one, other) =
        (Server::start(BINARY, configuration(&cluster)), Server::start(BINARY, configuration(&cluster)));
    for server in [&one, &other] {
        wait_ready(server);
        let known = || server.api_result("info", &json!({}))["nodes"].as_array().map(Vec::len);
        assert!(wait_until(PATIENCE, || known() == Some(2)), "{:?} nodes are known", known());
    }
    shares_publications(&one, &other);
    shares_history(&one, &other);
    shares_presence(&one, &other);
    for server in [&one, &other] {
        assert_unharmed(server);
    }
    let owners = cluster.nodes()[..3].iter().filter(|node| node.run(&["DBSIZE"]).int() > 0).count();
    assert_eq!(owners, 3, "a node of the cluster has nothing to do");
}

fn shares_publications(one: &Server, other: &Server) {
    let mut client = JsonClient::connect(other.address(), None);
    for channel in ["plain", "log:a", "log:b"] {
        client.subscribe(channel);
        for number in 1..=20 {
            one.api_result("publish", &json!({"channel": channel, "data": {"number": number}}));
            let heard = client.publication();
            assert_eq!(heard["data"]["number"], number, "{channel}");
            assert_eq!(heard["offset"].as_u64(), channel.starts_with("log:").then_some(number), "{channel}");
        }
    }
}

/// What one node took in, the other reads, and gives to a client that comes back there.
fn shares_history(one: &Server, other: &Server) {
    for number in 0..30 {
        let channel = format!("log:kept{number}");
        let mut client = JsonClient::connect(one.address(), None);
        let since = client.subscribe(&channel);
        drop(client);
        let made = one.api_result("publish", &json!({"channel": channel, "data": {"number": number}}));
        let read = other.api_result("history", &json!({"channel": channel, "limit": 10}));
        assert_eq!((&read["offset"], &read["epoch"]), (&made["offset"], &made["epoch"]), "{channel}");
        let mut client = JsonClient::connect(other.address(), None);
        let position = json!({
            "channel": channel, "recover": true, "epoch": since["epoch"], "offset": since["offset"],
        });
        let back = client.command("subscribe", position);
        assert_eq!(back["subscribe"]["recovered"], true, "{back}");
        assert_eq!(back["subscribe"]["publications"][0]["data"]["number"], number, "{back}");
    }
}

fn shares_presence(one: &Server, other: &Server) {
    let mut here = JsonClient::connect(one.address(), None);
    let mut there = JsonClient::connect(other.address(), None);
    for channel in ["room:a", "room:b", "room:c", "room:d"] {
        here.subscribe(channel);
        there.subscribe(channel);
        for server in [one, other] {
            let present = server.api_result("presence", &json!({"channel": channel}));
            for client in [&here, &there] {
                assert!(present["presence"][client.client()].is_object(), "{channel}: {present}");
            }
        }
        here.command("unsubscribe", json!({"channel": channel}));
        there.command("unsubscribe", json!({"channel": channel}));
        let count = || one.api_result("presence_stats", &json!({"channel": channel}))["num_clients"].clone();
        assert!(wait_until(PATIENCE, || count() == 0), "{channel}: {}", count());
    }
}
