//! Every shape of Redis, under the program.

use std::sync::Arc;

use flywheel_testkit::{
    Certificates, JsonClient, MASTER_NAME, RedisCluster, RedisOptions, RedisServer, SentinelSet, Server,
    fixture, set, wait_until,
};
use serde_json::{Value, json};

use crate::{BINARY, PATIENCE, at, identity, node, two};

/// Publishes on one node in several channels, and hears it on the other, with offsets from 1 on.
pub(crate) fn shared(one: &Server, other: &Server) {
    for channel in ["log:a", "log:b", "log:c"] {
        let mut client = JsonClient::connect(other.address(), None);
        client.subscribe(channel);
        for number in 1..=5 {
            one.api_result("publish", &json!({"channel": channel, "data": {"number": number}}));
            let heard = client.publication();
            assert_eq!(
                (&heard["data"]["number"], &heard["offset"]),
                (&json!(number), &json!(number)),
                "{channel}"
            );
        }
    }
}

/// Publishes until it succeeds.
#[track_caller]
pub(crate) fn publishes(server: &Server) {
    publishes_in(server, "log:later");
}

#[track_caller]
fn publishes_in(server: &Server, channel: &str) {
    let publish = || {
        let (status, body) = server.api("publish", &json!({"channel": channel, "data": {}}).to_string());
        status == 200 && body.starts_with(r#"{"result":"#)
    };
    assert!(wait_until(PATIENCE, publish), "{channel}: {}", server.readiness().text());
}

#[test]
fn nodes_share_a_cluster_and_go_on_when_a_primary_dies() {
    let mut cluster = RedisCluster::start();
    let (one, other) = two(&json!({"cluster_address": cluster.addresses()[..2].join(",")}));
    shared(&one, &other);
    let owner = cluster.owner_according_to(0, cluster.slot("centrifugo.stream.{log:later}")).unwrap();
    cluster.node_mut(owner).kill();
    publishes(&one);
    publishes(&other);
}

#[test]
fn partitions_of_a_cluster_carry_publications_too() {
    let cluster = RedisCluster::start();
    let settings = json!({"cluster_address": cluster.addresses()[0], "sharded_pub_sub_partitions": 16});
    let (one, other) = two(&settings);
    shared(&one, &other);
    let found = cluster.nodes().iter().any(|node| !node.run(&["PUBSUB", "SHARDCHANNELS"]).items().is_empty());
    assert!(found, "nothing is subscribed to in a slot");
}

#[test]
fn nodes_follow_the_primary_of_their_sentinels() {
    let mut set = SentinelSet::start();
    let settings =
        json!({"sentinel_address": set.sentinel_addresses().join(","), "sentinel_master_name": MASTER_NAME});
    let (one, other) = two(&settings);
    shared(&one, &other);
    set.server_mut(0).kill();
    set.wait_switched_from(0, &[0, 1, 2]);
    publishes(&one);
    publishes(&other);
    let mut client = JsonClient::connect(other.address(), None);
    client.subscribe("room:a");
    let heard = wait_until(PATIENCE, || {
        one.api_result("publish", &json!({"channel": "room:a", "data": {}}));
        client.push_within(std::time::Duration::from_millis(200)).is_some_and(|push| push["pub"].is_object())
    });
    assert!(heard, "{}", other.readiness().text());
}

#[test]
fn shards_divide_channels_between_them() {
    let (first, second) = (RedisServer::start(), RedisServer::start());
    let settings = json!({"address": [first.address(), format!("redis://{}", second.address())]});
    let (one, other) = two(&settings);
    shared(&one, &other);
    for number in 0..20 {
        one.api_result("publish", &json!({"channel": format!("log:{number}"), "data": {}}));
    }
    let keys = [&first, &second].map(|redis| redis.run(&["KEYS", "centrifugo.stream.log:*"]).items().len());
    assert!(keys[0] > 0 && keys[1] > 0, "{keys:?}");
    assert_eq!(keys[0] + keys[1], 23);
    let names: Vec<Value> = one.readiness().json()["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].clone())
        .collect();
    for name in ["redis[0].write", "redis[1].delivery"] {
        assert!(names.contains(&json!(name)), "{names:?}");
    }
}

#[test]
fn shards_may_be_of_any_kind_and_fail_over_each_in_its_way() {
    let (alone, mut set, mut cluster) = (RedisServer::start(), SentinelSet::start(), RedisCluster::start());
    let settings = json!({"address": [
        format!("redis://{}", alone.address()),
        format!("redis+sentinel://{}?sentinel_master_name={MASTER_NAME}", set.sentinel_addresses().join(",")),
        format!("redis+cluster://{}", cluster.addresses()[..2].join(",")),
    ]});
    let (one, other) = two(&settings);
    shared(&one, &other);
    let channels: Vec<_> = (0..40).map(|number| format!("log:{number}")).collect();
    for channel in &channels {
        one.api_result("publish", &json!({"channel": channel, "data": {}}));
    }
    let streams = |server: &RedisServer| server.run(&["KEYS", "centrifugo.stream.*log:*"]).items().len();
    let kept = [
        streams(&alone),
        streams(&set.servers()[0]),
        cluster.nodes()[..3].iter().map(streams).sum::<usize>(),
    ];
    assert!(kept.iter().all(|kept| *kept > 0), "{kept:?}");
    // Each has its meta data beside it.
    assert_eq!(kept.iter().sum::<usize>(), 2 * (channels.len() + 3));

    set.server_mut(0).kill();
    cluster.node_mut(1).kill();
    channels.iter().for_each(|channel| publishes_in(&other, channel));
    assert!(wait_until(PATIENCE, || one.is_ready() && other.is_ready()), "{}", one.readiness().text());
}

#[test]
fn a_socket_a_password_a_database_and_tls_are_no_obstacle() {
    let certificates = Arc::new(Certificates::new());
    let redis = RedisServer::with(&RedisOptions {
        password: Some("p:w".into()),
        tls: Some(Arc::clone(&certificates)),
        tls_client_auth: true,
        ..RedisOptions::default()
    });
    let socket = json!({"address": format!("unix://:p%3Aw@{}?db=3", redis.socket().display())});
    let tls = json!({
        "address": format!("rediss://127.0.0.1:{}/3", redis.tls_port()),
        "password": "p:w",
        "tls": identity(&certificates),
    });
    let resp2 = json!({"address": format!("redis://:p%3Aw@{}/3", redis.address()), "force_resp2": true});
    let (by_socket, by_tls, by_resp2) = (node(&socket), node(&tls), node(&resp2));
    shared(&by_socket, &by_tls);
    by_tls.api_result("publish", &json!({"channel": "log:d", "data": {}}));
    let history = by_resp2.api_result("history", &json!({"channel": "log:d", "limit": 10}));
    assert_eq!(history["publications"].as_array().unwrap().len(), 1);
}

#[test]
fn presence_can_be_kept_elsewhere() {
    let (history, presence) = (RedisServer::start(), RedisServer::start());
    let mut config = fixture();
    set(&mut config, "engine", json!({"type": "redis", "redis": at(&history)}));
    set(&mut config, "presence_manager", json!({"enabled": true, "type": "redis", "redis": at(&presence)}));
    let server = Server::start(BINARY, config);
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.readiness().text());
    let mut present = JsonClient::connect(server.address(), None);
    present.subscribe("room:a");
    server.api_result("publish", &json!({"channel": "log:a", "data": {}}));
    assert_eq!(presence.run(&["EXISTS", "centrifugo.presence.data.room:a"]).int(), 1);
    assert_eq!(history.run(&["EXISTS", "centrifugo.presence.data.room:a"]).int(), 0);
    assert_eq!(history.run(&["EXISTS", "centrifugo.stream.log:a"]).int(), 1);
    let report = server.readiness().text();
    assert!(report.contains("presence_manager.redis[0].write"), "{report}");
}

#[test]
fn the_values_of_an_old_chart_start_as_they_stand() {
    let cluster = RedisCluster::start();
    let mut config = fixture();
    config["config"] = json!({
        "engine": "redis",
        "redis_cluster_address": cluster.addresses()[..3].join(","),
        "redis_cluster_pool_size": 32,
        "redis_cluster_connect_timeout": 1,
        "redis_cluster_read_timeout": 5,
        "redis_cluster_write_timeout": 5,
    });
    let nodes = [0, 1].map(|_| Server::start(BINARY, config.clone()));
    for server in &nodes {
        assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.readiness().text());
    }
    shared(&nodes[0], &nodes[1]);
    assert!(
        nodes[0].log().contains("redis_cluster_address is an old name, write engine.redis.cluster_address")
    );
}

#[test]
fn histories_can_be_lists_and_users_can_be_counted() {
    let redis = RedisServer::start();
    let mut settings = at(&redis);
    settings["history_use_lists"] = json!(true);
    settings["presence_user_mapping"] = json!(true);
    let (one, other) = two(&settings);
    shared(&one, &other);
    let history = other.api_result("history", &json!({"channel": "log:a", "limit": 10}));
    assert_eq!(history["publications"].as_array().unwrap().len(), 5);
    let mut present = JsonClient::connect(one.address(), None);
    present.subscribe("room:a");
    assert_eq!(
        other.api_result("presence_stats", &json!({"channel": "room:a"})),
        json!({"num_clients": 1, "num_users": 1})
    );
    for key in ["centrifugo.list.log:a", "centrifugo.presence.user.clients.room:a"] {
        assert_eq!(redis.run(&["EXISTS", key]).int(), 1, "{key}");
    }
}
