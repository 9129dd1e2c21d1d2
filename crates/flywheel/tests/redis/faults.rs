//! What the server says and does when Redis is not what it should be.

use std::net::TcpListener;

use flywheel_testkit::{
    JsonClient, MASTER_NAME, RedisCluster, RedisOptions, RedisServer, SentinelSet, Server, fixture_on_redis,
    free_port, set, wait_until,
};
use serde_json::{Value, json};

use crate::{BINARY, PATIENCE, at, node};

/// The server starts, is alive, not ready, and says why in its readiness and its log.
#[track_caller]
fn waits(redis: &Value, told: &[&str]) -> Server {
    let server = Server::start(BINARY, fixture_on_redis(redis));
    assert!(!server.is_ready(), "it serves a moment too early");
    let says = |text: &str| told.iter().all(|told| text.contains(told));
    let explained = wait_until(PATIENCE, || says(&server.readiness().text()));
    assert!(explained, "{redis}: readiness says {}", server.readiness().text());
    assert!(!server.is_ready());
    assert_eq!(server.request("GET", "/health/live", &[], b"").status, 200);
    assert!(wait_until(PATIENCE, || says(&server.log().replace("\\\"", "\""))), "{redis}:\n{}", server.log());
    server
}

#[test]
fn an_address_that_is_wrong_is_explained_while_the_server_tries_on() {
    let nobody = free_port();
    waits(
        &json!({"address": format!("127.0.0.1:{nobody}")}),
        &["nobody accepts connections at 127.0.0.1:", "engine.redis.address"],
    );
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    waits(
        &json!({"address": address, "connect_timeout": "300ms"}),
        &["accepts connections, but nothing came within 300 ms"],
    );
    let guarded =
        RedisServer::with(&RedisOptions { password: Some("secret".into()), ..RedisOptions::default() });
    let wrong = json!({"address": guarded.address(), "password": "wrong"});
    let server = waits(&wrong, &["refuses user or password", "engine.redis.password"]);
    assert!(!server.log().contains("secret"));
    let primary = RedisServer::start();
    let replica =
        RedisServer::with(&RedisOptions { replica_of: Some(primary.port()), ..RedisOptions::default() });
    replica.wait_replicating();
    waits(&at(&replica), &["is a read-only replica of", "engine.redis.address"]);
    let cluster_option = json!({"cluster_address": primary.address()});
    waits(&cluster_option, &["cluster support disabled", "engine.redis.address"]);
    let tls = json!({"address": format!("rediss://{}", primary.address()), "connect_timeout": "500ms"});
    waits(&tls, &["engine.redis.tls.enabled"]);
}

#[test]
fn sentinels_in_the_wrong_place_and_names_that_they_do_not_know_are_explained() {
    let set = SentinelSet::start();
    let sentinel = &set.sentinel_addresses()[0];
    let told = [
        "is a Sentinel watching",
        MASTER_NAME,
        "engine.redis.sentinel_address",
        "engine.redis.sentinel_master_name",
    ];
    waits(&json!({"address": sentinel}), &told);
    waits(&json!({"cluster_address": sentinel}), &["is a Sentinel", "engine.redis.sentinel_address"]);
    let unknown = json!({"sentinel_address": sentinel, "sentinel_master_name": "nobody"});
    waits(&unknown, &["nobody", MASTER_NAME, "engine.redis.sentinel_master_name"]);
    let primary = set.servers()[0].address();
    let server = json!({"sentinel_address": primary, "sentinel_master_name": MASTER_NAME});
    waits(&server, &["is not a Sentinel", "engine.redis.address"]);
}

#[test]
fn a_redis_that_comes_later_is_used_when_it_is_there() {
    let mut redis = RedisServer::start();
    redis.kill();
    let server = Server::start(BINARY, fixture_on_redis(&at(&redis)));
    assert!(wait_until(PATIENCE, || !server.is_ready()));
    redis.start_again();
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.readiness().text());
    server.api_result("publish", &json!({"channel": "log:a", "data": {}}));
}

#[test]
fn a_redis_that_freezes_makes_the_node_not_ready_and_loses_no_client() {
    let redis = RedisServer::start();
    let server = node(&at(&redis));
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("log:a");
    redis.freeze();
    assert!(wait_until(PATIENCE, || !server.is_ready()));
    let (status, body) = server.api("publish", r#"{"channel":"log:a","data":{}}"#);
    assert!(status == 200 && body.contains("error"), "{status} {body}");
    redis.resume();
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.readiness().text());
    server.api_result("publish", &json!({"channel": "log:a", "data": {"after": true}}));
    loop {
        if client.publication()["data"] == json!({"after": true}) {
            break;
        }
    }
}

#[test]
fn a_node_of_a_cluster_as_address_is_used_as_a_cluster_with_a_warning() {
    let cluster = RedisCluster::start();
    let mut config = fixture_on_redis(&json!({"address": cluster.addresses()[0]}));
    set(&mut config, "client.channel_limit", json!(10));
    let server = Server::start(BINARY, config);
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.readiness().text());
    let strict = json!({"address": cluster.addresses()[0], "topology": "strict"});
    waits(&strict, &["is a node of a cluster", "engine.redis.cluster_address"]);
    let mut client = JsonClient::connect(server.address(), None);
    for channel in ["log:a", "log:b", "log:{}", "log:}x", "log:{"] {
        client.subscribe(channel);
        server.api_result("publish", &json!({"channel": channel, "data": {}}));
        assert_eq!(client.publication()["offset"], 1, "{channel}");
    }
    assert!(server.log().contains("engine.redis.cluster_address"), "{}", server.log());
}
