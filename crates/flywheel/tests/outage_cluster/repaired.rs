//! Each mistake is told with the key to change, wherever an operator looks; and when what it is about is set right
//! instead, the server goes on by itself.

use std::sync::Arc;
use std::thread;

use flywheel_testkit::{
    Certificates, FaultProxy, JsonClient, MASTER_NAME, OnReply, RedisClient, RedisOptions, RedisServer,
    SentinelSet, Server, fixture_on_redis, wait_until,
};
use serde_json::{Value, json};

use crate::{BINARY, PATIENCE, assert_unharmed, examined, wait_ready};

/// Starts a server on this `engine.redis`, and asserts that its readiness, its log and the doctor say all of `told` and that
/// every command is answered; then `repair` is all that it needs to serve.
#[track_caller]
pub(crate) fn serves_after(redis: &Value, told: &[&str], repair: impl FnOnce()) {
    let says = |text: &str| told.iter().all(|told| text.contains(told));
    let config = fixture_on_redis(redis);
    let (code, report) = examined("config.json", &config.to_string());
    assert_eq!(code, Some(1), "{report}");
    assert!(says(&report), "{redis}: the doctor says\n{report}");
    let server = Server::start(BINARY, config);
    assert!(!server.is_ready(), "it serves a moment too early");
    assert!(
        wait_until(PATIENCE, || says(&server.readiness().text())),
        "{redis}: {}",
        server.readiness().text()
    );
    assert!(wait_until(PATIENCE, || says(&server.log().replace("\\\"", "\""))), "{}", server.log());
    // Once for each that depends on it, and not for each attempt.
    let said = lines_with(&server, told[0]);
    assert!(said <= 8, "it says so {said} times:\n{}", server.log());
    is_answered(&server);
    assert_unharmed(&server);
    repair();
    wait_ready(&server);
    serves(&server);
    assert_unharmed(&server);
}

pub(crate) fn lines_with(server: &Server, text: &str) -> usize {
    server.log().replace("\\\"", "\"").lines().filter(|line| line.contains(text)).count()
}

/// While nothing works, commands fail and say that it may be otherwise later.
#[track_caller]
fn is_answered(server: &Server) {
    thread::scope(|scope| {
        for (method, params) in [
            ("publish", json!({"channel": "log:a", "data": {}})),
            ("broadcast", json!({"channels": ["log:a", "log:b"], "data": {}})),
            ("history", json!({"channel": "log:a", "limit": 1})),
            ("presence", json!({"channel": "room:a"})),
        ] {
            scope.spawn(move || {
                let (status, body) = server.api(method, &params.to_string());
                assert!(
                    status == 200 && body.contains(r#""error":{"code":100"#),
                    "{method}: {status} {body}"
                );
            });
        }
        for channel in ["log:a", "room:a"] {
            scope.spawn(move || {
                let mut client = JsonClient::connect(server.address(), None);
                let reply = client.command("subscribe", json!({"channel": channel}));
                assert_eq!(reply["error"]["code"], 100, "{channel}: {reply}");
            });
        }
    });
}

/// What is published is kept and heard.
#[track_caller]
pub(crate) fn serves(server: &Server) {
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("log:repaired");
    let made = server.api_result("publish", &json!({"channel": "log:repaired", "data": {"number": 1}}));
    assert_eq!(made["offset"], 1);
    assert_eq!(client.publication()["data"]["number"], 1);
    let kept = server.api_result("history", &json!({"channel": "log:repaired", "limit": 10}));
    assert_eq!(kept["publications"].as_array().map(Vec::len), Some(1), "{kept}");
}

#[test]
fn a_replica_that_is_promoted() {
    let primary = RedisServer::start();
    let options = RedisOptions { replica_of: Some(primary.port()), ..RedisOptions::default() };
    let replica = RedisServer::with(&options);
    replica.wait_replicating();
    let told = ["is a read-only replica of", "engine.redis.address", "engine.redis.sentinel_address"];
    serves_after(&json!({"address": replica.address()}), &told, || {
        replica.run(&["REPLICAOF", "NO", "ONE"]);
    });
}

#[test]
fn a_password_that_is_set_as_it_was_meant() {
    let guarded =
        RedisServer::with(&RedisOptions { password: Some("old".into()), ..RedisOptions::default() });
    let told = ["refuses user or password", "correct engine.redis.password"];
    serves_after(&json!({"address": guarded.address(), "password": "meant"}), &told, || {
        guarded.run(&["CONFIG", "SET", "requirepass", "meant"]);
    });
}

#[test]
fn a_port_that_is_silent_until_it_speaks() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    proxy.on_every("HELLO", OnReply::Mute);
    let told = ["accepts connections, but nothing came within 300 ms", "engine.redis.address"];
    serves_after(&json!({"address": proxy.address(), "connect_timeout": "300ms"}), &told, || proxy.pass());
}

#[test]
fn tls_to_a_plain_port_that_gets_tls() {
    let certificates = Arc::new(Certificates::new());
    let options = RedisOptions { tls: Some(Arc::clone(&certificates)), ..RedisOptions::default() };
    let redis = RedisServer::with(&options);
    let settings = json!({
        "address": format!("rediss://{}", redis.address()),
        "connect_timeout": "500ms",
        "tls": {"server_ca_pem": certificates.authority()},
    });
    let told = ["engine.redis.tls.enabled"];
    serves_after(&settings, &told, || {
        let mut client = RedisClient::connect(redis.port()).unwrap();
        client.run(&["CONFIG", "SET", "port", "0"]);
        client.run(&["CONFIG", "SET", "tls-port", &redis.port().to_string()]);
    });
}

#[test]
fn sentinels_where_a_server_is_meant_and_the_other_way_round() {
    let set = SentinelSet::start();
    let (sentinel, server) = (set.sentinel_ports()[0], set.servers()[0].port());
    let proxy = FaultProxy::start(sentinel);
    let told = ["is a Sentinel watching", MASTER_NAME, "engine.redis.sentinel_master_name"];
    serves_after(&json!({"address": proxy.address()}), &told, || proxy.retarget(server));
    set.servers()[0].run(&["FLUSHALL"]);
    let proxy = FaultProxy::start(server);
    let settings = json!({"sentinel_address": proxy.address(), "sentinel_master_name": MASTER_NAME});
    let told = ["is not a Sentinel but a server", "engine.redis.sentinel_address"];
    serves_after(&settings, &told, || proxy.retarget(sentinel));
    set.servers()[0].run(&["FLUSHALL"]);
    let settings =
        json!({"sentinel_address": set.sentinel_addresses().join(","), "sentinel_master_name": "meant"});
    let told = ["they watch mymaster: correct engine.redis.sentinel_master_name"];
    serves_after(&settings, &told, || {
        for index in 0..3 {
            let monitor = ["SENTINEL", "MONITOR", "meant", "127.0.0.1", &server.to_string(), "2"];
            set.ask(index, &monitor).unwrap();
        }
    });
}
