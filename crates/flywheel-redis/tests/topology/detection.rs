use std::sync::Arc;
use std::time::Duration;

use flywheel_redis::link::{LinkSettings, Tls, TlsSettings};
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{Bound, Certificates, RedisOptions, RedisServer, SentinelSet};

use crate::rig::{PATIENCE, Rig, local};

/// That it says so in time, and what can be used is used in time.
#[track_caller]
fn in_time(what: &str, took: Duration) {
    Bound::new("C6", Duration::from_secs(3)).holds(what, took, "after the start");
}

#[test]
fn c6_a_replica_as_address_is_explained_and_used_once_it_is_promoted() {
    let primary = RedisServer::start();
    let replica =
        RedisServer::with(&RedisOptions { replica_of: Some(primary.port()), ..RedisOptions::default() });
    let rig = Rig::at(replica.port());
    let told = rig.wait_reason(&format!(
        "127.0.0.1:{} is a read-only replica of 127.0.0.1:{}; write the primary into engine.redis.address, or Sentinels \
         into engine.redis.sentinel_address",
        replica.port(),
        primary.port()
    ));
    in_time("replica refused", told);
    replica.run(&["REPLICAOF", "NO", "ONE"]);
    rig.wait_writable();
}

#[test]
fn c6_a_server_without_cluster_support_is_refused_as_one() {
    let redis = RedisServer::start();
    let seeds = Seeds::Cluster(vec![local(redis.port())]);
    let rig = Rig::start(ShardSettings::new(seeds, LinkSettings::default()));
    let told = rig.wait_reason(&format!(
        "127.0.0.1:{} is a server with cluster support disabled; write its address into engine.redis.address instead of \
         engine.redis.cluster_address",
        redis.port()
    ));
    in_time("server without cluster support refused", told);
}

#[test]
fn c6_a_wrong_password_and_a_silent_port_are_explained() {
    let redis =
        RedisServer::with(&RedisOptions { password: Some("right".into()), ..RedisOptions::default() });
    let wrong = LinkSettings { password: "wrong".into(), ..LinkSettings::default() };
    let rig = Rig::start(ShardSettings::new(Seeds::Server(local(redis.port())), wrong));
    in_time("wrong password explained", rig.wait_reason("WRONGPASS"));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::at(silent.local_addr().unwrap().port());
    in_time("silent port explained", rig.wait_reason("nothing came within"));
}

#[test]
fn c6_tls_to_a_plain_port_and_plain_to_a_tls_port_are_explained() {
    let certificates = Arc::new(Certificates::new());
    let redis = RedisServer::with(&RedisOptions { tls: Some(certificates), ..RedisOptions::default() });
    let told = Rig::at(redis.tls_port()).wait_reason("engine.redis.tls.enabled: true");
    in_time("plain to a TLS port explained", told);
    let tls = Tls::new(&TlsSettings { insecure_skip_verify: true, ..TlsSettings::default() }).unwrap();
    let link = LinkSettings {
        tls: Some(tls),
        connect_timeout: Duration::from_millis(500),
        ..LinkSettings::default()
    };
    let at = |port| Rig::start(ShardSettings::new(Seeds::Server(local(port)), link.clone()));
    in_time("TLS to a plain port explained", at(redis.port()).wait_reason("while waiting for TLS"));
    at(redis.tls_port()).wait_writable();
}

/// What a call says that waits for a server which will not have it; its deadline is beyond all patience.
fn refused(rig: Rig) -> String {
    let rig = rig.deadline(4 * PATIENCE);
    let begun = std::time::Instant::now();
    let error = rig.set("key", "1").unwrap_err().to_string();
    assert!(begun.elapsed() < PATIENCE, "it waited for what cannot be: {error}");
    // And so does the next one, which finds it so.
    assert_eq!(rig.set("key", "1").unwrap_err().to_string(), error);
    error
}

#[test]
fn calls_are_answered_at_once_with_the_reason_when_a_setting_is_refused() {
    let options = || RedisOptions { password: Some("right".into()), ..RedisOptions::default() };
    let redis = RedisServer::with(&options());
    let wrong = LinkSettings { password: "wrong".into(), ..LinkSettings::default() };
    for seeds in [Seeds::Server(local(redis.port())), Seeds::Cluster(vec![local(redis.port())])] {
        let said = refused(Rig::start(ShardSettings::new(seeds, wrong.clone())));
        assert!(said.contains("WRONGPASS") && said.contains("engine.redis.password"), "{said}");
    }
    let certificates = Arc::new(Certificates::new());
    let redis = RedisServer::with(&RedisOptions { tls: Some(certificates), ..RedisOptions::default() });
    let said = refused(Rig::at(redis.tls_port()));
    assert!(said.contains("engine.redis.tls.enabled: true"), "{said}");
    let tls = Tls::new(&TlsSettings::default()).unwrap();
    let link = LinkSettings { tls: Some(tls), ..LinkSettings::default() };
    for (port, words) in
        [(redis.port(), "while waiting for TLS"), (redis.tls_port(), "engine.redis.tls.server_ca_pem")]
    {
        let said = refused(Rig::start(ShardSettings::new(Seeds::Server(local(port)), link.clone())));
        assert!(said.contains(words), "{said}");
    }
    let set = SentinelSet::start();
    let said = refused(Rig::at(set.sentinel_ports()[0]));
    assert!(said.contains("engine.redis.sentinel_address"), "{said}");
}

#[test]
fn a_refusal_ends_with_the_dial_that_is_answered_otherwise() {
    let redis = RedisServer::with(&RedisOptions { password: Some("old".into()), ..RedisOptions::default() });
    let link = LinkSettings { password: "new".into(), ..LinkSettings::default() };
    let rig = Rig::start(ShardSettings::new(Seeds::Server(local(redis.port())), link));
    rig.wait_reason("WRONGPASS");
    redis.run(&["CONFIG", "SET", "requirepass", "new"]);
    rig.wait_writable();
}
