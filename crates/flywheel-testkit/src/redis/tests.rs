use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{free_port, wait_until};

#[test]
fn a_redis_keeps_its_port_over_a_restart_and_listens_on_a_socket_too() {
    let mut redis =
        RedisServer::with(&RedisOptions { password: Some("secret".into()), ..RedisOptions::default() });
    redis.run(&["SET", "a", "1"]);
    assert_eq!(redis.run(&["GET", "a"]).text(), "1");
    let mut unix = RedisClient::connect_unix(&redis.socket()).unwrap();
    assert!(unix.try_run(&["PING"]).unwrap().text().starts_with("NOAUTH"));
    let port = redis.port();
    redis.restart();
    assert_eq!(redis.port(), port);
    assert_eq!(redis.run(&["GET", "a"]), RedisReply::Bulk(None));
    redis.freeze();
    assert!(redis.try_run(&["PING"]).is_err());
    redis.resume();
    assert_eq!(redis.run(&["PING"]).text(), "PONG");
}

#[test]
fn a_redis_with_tls_listens_with_its_certificate() {
    let certificates = Arc::new(Certificates::new());
    let options = RedisOptions { tls: Some(Arc::clone(&certificates)), ..RedisOptions::default() };
    let redis = RedisServer::with(&options);
    let plain = RedisClient::connect(redis.tls_port()).and_then(|mut client| client.try_run(&["PING"]));
    assert!(plain.is_err(), "it speaks without TLS: {plain:?}");
    assert!(certificates.client().0.is_file());
}

#[test]
fn a_sentinel_set_names_another_primary_when_the_first_is_killed() {
    let mut set = SentinelSet::start();
    assert_eq!(set.primary(), 0);
    set.server_mut(0).kill();
    let new = set.wait_switched_from(0, &[0, 1, 2]);
    assert_ne!(new, 0);
    assert!(wait_until(Duration::from_secs(10), || set.servers()[new].info("role") == "master"));
}

#[test]
fn a_cluster_moves_slots_and_fails_over() {
    let cluster = RedisCluster::start();
    let slot = cluster.slot("some key");
    let owner = cluster.owner_according_to(0, slot).unwrap();
    cluster.nodes()[owner].run(&["SET", "some key", "1"]);
    let other = (owner + 1) % 3;
    cluster.move_slot(slot, owner, other);
    assert_eq!(cluster.nodes()[other].run(&["GET", "some key"]).text(), "1");
    assert_eq!(cluster.wait_moved(owner, slot, owner), other);
    cluster.failover(other + 3);
    assert_eq!(cluster.wait_moved(owner, slot, other), other + 3);
}

#[test]
fn a_fault_proxy_swallows_duplicates_mutes_and_cuts() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let mut client = RedisClient::connect(proxy.port()).unwrap();
    proxy.on_nth("ECHO", 1, OnReply::Swallow);
    for text in ["a", "b", "c"] {
        client.send(&["ECHO", text]).unwrap();
    }
    assert_eq!((client.read().unwrap().text(), client.read().unwrap().text()), ("a".into(), "c".into()));
    proxy.on_nth("ECHO", 0, OnReply::Duplicate);
    assert_eq!(client.run(&["ECHO", "d"]).text(), "d");
    assert_eq!(client.read().unwrap().text(), "d");
    proxy.on_every("GET", OnReply::Mute);
    assert_eq!(client.run(&["ECHO", "e"]).text(), "e");
    client.send(&["GET", "x"]).unwrap();
    assert!(client.try_run(&["ECHO", "f"]).is_err());
    proxy.pass();
    let mut client = RedisClient::connect(proxy.port()).unwrap();
    proxy.black_hole();
    client.send(&["ECHO", "late"]).unwrap();
    assert!(client.read().is_err());
    proxy.heal();
    assert_eq!(client.read().unwrap().text(), "late");
    proxy.half_open();
    client.send(&["PING"]).unwrap();
    assert!(client.read().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    let mut client = RedisClient::connect(proxy.port()).unwrap();
    client.run(&["PING"]);
    proxy.reset();
    assert!(client.try_run(&["PING"]).is_err());
}

#[test]
fn a_subscription_through_the_proxy_is_recognised_by_its_messages() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    proxy.on_nth("SUBSCRIBE", 0, OnReply::Swallow);
    let mut client = RedisClient::connect(proxy.port()).unwrap();
    client.send(&["SUBSCRIBE", "one", "two"]).unwrap();
    assert_eq!(client.read().unwrap().items()[1].text(), "two");
    redis.run(&["PUBLISH", "one", "hello"]);
    assert_eq!(client.read().unwrap().items()[2].text(), "hello");
}

#[test]
fn haproxy_listens_where_it_is_told() {
    let redis = RedisServer::start();
    let port = free_port();
    let config = format!(
        "defaults\n mode tcp\n timeout connect 1s\n timeout client 1m\n timeout server 1m\n\
         listen redis\n bind 127.0.0.1:{port}\n server one {}\n",
        redis.address()
    );
    let _proxy = HaProxy::start(&config, &[port]);
    assert_eq!(RedisClient::connect(port).unwrap().run(&["PING"]).text(), "PONG");
}
