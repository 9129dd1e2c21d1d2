//! Redis that lets nobody do more than it must: users with the rights that `docs/engines.md` names, TLS everywhere, and
//! commands that are forbidden.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flywheel_testkit::{
    Certificates, JsonClient, MASTER_NAME, RedisCluster, RedisOptions, RedisRelease, RedisReply, RedisServer,
    SentinelOptions, SentinelSet, Server, examine, wait_until,
};
use serde_json::{Value, json};

use crate::shapes::{publishes, shared};
use crate::{BINARY, PATIENCE, identity, node, two};

const ENGINES: &str = include_str!("../../../../docs/engines.md");

/// The commands on that page that give `user` its rights, word by word.
fn rights(user: &str) -> Vec<Vec<String>> {
    let begin = format!("    ACL SETUSER {user} ");
    let lines = ENGINES.lines().filter(|line| line.starts_with(&begin));
    let rights: Vec<_> =
        lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(!rights.is_empty(), "engines.md gives {user} no rights");
    rights
}

/// Gives the user of a node its rights below a prefix.
fn grant(redis: &RedisServer, prefix: &str) {
    for words in rights("flywheel") {
        let words: Vec<_> = words.iter().map(|word| word.replace("centrifugo", prefix)).collect();
        redis.run(&words);
    }
}

/// Nothing that was asked for was denied.
#[track_caller]
fn assert_enough(denied: &RedisReply) {
    assert!(denied.items().is_empty(), "{denied:?}");
}

/// What a node writes to reach servers that want a certificate, beside their address.
fn credentials(tls: &Certificates) -> Value {
    json!({"user": "flywheel", "password": "SECRET", "tls": encryption(tls)})
}

fn encryption(tls: &Certificates) -> Value {
    with(identity(tls), &json!({"enabled": true}))
}

fn with(mut settings: Value, more: &Value) -> Value {
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

/// Servers that want a password, a certificate, and TLS also among themselves.
fn locked(tls: &Arc<Certificates>) -> RedisOptions {
    RedisOptions {
        password: Some("root".to_owned()),
        tls: Some(Arc::clone(tls)),
        tls_client_auth: true,
        tls_among_servers: true,
        ..RedisOptions::default()
    }
}

/// Everything that two nodes do with Redis.
fn use_all(one: &Server, other: &Server) {
    shared(one, other);
    let mut present = JsonClient::connect(one.address(), None);
    present.subscribe("room:a");
    let is_seen =
        || other.api_result("presence_stats", &json!({"channel": "room:a"}))["num_clients"] == json!(1);
    assert!(wait_until(PATIENCE, is_seen), "nobody is present");
    let who = other.api_result("presence", &json!({"channel": "room:a"}));
    assert_eq!(who["presence"].as_object().unwrap().len(), 1);
    drop(present);
    for _ in 0..2 {
        let made =
            one.api_result("publish", &json!({"channel": "log:once", "data": {}, "idempotency_key": "k"}));
        assert_eq!(made["offset"], 1);
    }
    for reverse in [false, true] {
        let params = json!({"channel": "log:a", "limit": 3, "reverse": reverse});
        let history = other.api_result("history", &params);
        assert_eq!(history["publications"].as_array().unwrap().len(), 3);
    }
    other.api_result("history_remove", &json!({"channel": "log:a"}));
}

/// The doctor finds nothing broken; what it says.
#[track_caller]
fn is_healthy(settings: &Value) -> String {
    let config = json!({"engine": {"type": "redis", "redis": settings}});
    let done = examine(Path::new(BINARY), "config.json", &config.to_string(), PATIENCE);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    done.stdout
}

#[test]
fn a_user_with_the_documented_rights_may_do_all_that_a_node_does() {
    let redis = RedisServer::start();
    let address = format!("redis://flywheel:SECRET@{}", redis.address());
    for (prefix, more) in [
        ("centrifugo", json!({})),
        ("old", json!({"force_resp2": true})),
        ("lists", json!({"history_use_lists": true, "presence_user_mapping": true})),
    ] {
        grant(&redis, prefix);
        let settings = with(json!({"address": address, "prefix": prefix}), &more);
        is_healthy(&settings);
        // The doctor also asks for what it can do without.
        redis.run(&["ACL", "LOG", "RESET"]);
        let (one, other) = two(&settings);
        use_all(&one, &other);
        assert_enough(&redis.run(&["ACL", "LOG"]));
    }
}

#[test]
fn questions_that_a_user_may_not_ask_are_done_without() {
    let redis = RedisServer::start();
    grant(&redis, "centrifugo");
    redis.run(&["ACL", "SETUSER", "flywheel", "-role", "-info", "-echo"]);
    let (one, other) = two(&json!({"address": format!("redis://flywheel:SECRET@{}", redis.address())}));
    use_all(&one, &other);
    assert!(!redis.run(&["ACL", "LOG"]).items().is_empty(), "nothing was asked");
}

#[test]
fn fields_that_expire_by_themselves_need_one_right_more() {
    let redis = RedisServer::with(&RedisOptions::of(RedisRelease::Redis8));
    grant(&redis, "centrifugo");
    redis.run(&["ACL", "SETUSER", "flywheel", "+hexpire"]);
    let address = format!("redis://flywheel:SECRET@{}", redis.address());
    let (one, other) = two(&json!({"address": address, "presence_hash_field_ttl": true}));
    use_all(&one, &other);
    assert_enough(&redis.run(&["ACL", "LOG"]));
}

#[test]
fn sentinels_and_servers_with_users_and_tls_of_their_own_are_followed() {
    let tls = Arc::new(Certificates::new());
    let mut set = SentinelSet::with(&SentinelOptions {
        redis: locked(&tls),
        sentinel_password: Some("watch".to_owned()),
        ..SentinelOptions::default()
    });
    set.servers().iter().for_each(|server| grant(server, "centrifugo"));
    let ask = |set: &SentinelSet, sentinel, words: &[&str]| {
        let answer = set.ask(sentinel, words).unwrap();
        assert!(answer.error().is_none(), "{words:?}: {answer:?}");
        answer
    };
    for sentinel in 0..3 {
        for words in rights("watcher") {
            ask(&set, sentinel, &words.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    let sentinels = json!({
        "sentinel_address": set.sentinel_tls_addresses().join(","),
        "sentinel_master_name": MASTER_NAME,
        "sentinel_user": "watcher",
        "sentinel_password": "SECRET",
        "sentinel_tls": encryption(&tls),
    });
    let settings = with(credentials(&tls), &sentinels);
    is_healthy(&settings);
    for sentinel in 0..3 {
        ask(&set, sentinel, &["ACL", "SETUSER", "watcher", "-sentinel|ckquorum"]);
    }
    let said = is_healthy(&settings);
    assert!(!said.contains("quorum"), "what may not be asked is held against the Sentinels:\n{said}");
    set.servers().iter().for_each(|server| drop(server.run(&["ACL", "LOG", "RESET"])));
    for sentinel in 0..3 {
        ask(&set, sentinel, &["ACL", "LOG", "RESET"]);
    }

    let (one, other) = two(&settings);
    use_all(&one, &other);
    set.server_mut(0).kill();
    let new = set.wait_switched_from(0, &[0, 1, 2]);
    publishes(&one);
    publishes(&other);
    assert_enough(&set.servers()[new].run(&["ACL", "LOG"]));
    for sentinel in 0..3 {
        assert_enough(&ask(&set, sentinel, &["ACL", "LOG"]));
    }
}

#[test]
fn a_cluster_with_users_and_tls_only_is_shared() {
    let tls = Arc::new(Certificates::new());
    // Nodes name each other by what is in their certificate, as where Redis is rented.
    let options = locked(&tls)
        .line("cluster-announce-hostname localhost")
        .line("cluster-preferred-endpoint-type hostname");
    let mut cluster = RedisCluster::with(Duration::from_secs(1), &options);
    let any = format!("localhost:{}", cluster.nodes()[0].tls_port());
    for (prefix, more) in [("parts", json!({"sharded_pub_sub_partitions": 16})), ("centrifugo", json!({}))] {
        cluster.nodes().iter().for_each(|node| grant(node, prefix));
        let place = with(json!({"cluster_address": any, "prefix": prefix}), &more);
        let settings = with(credentials(&tls), &place);
        is_healthy(&settings);
        cluster.nodes().iter().for_each(|node| drop(node.run(&["ACL", "LOG", "RESET"])));
        let (one, other) = two(&settings);
        use_all(&one, &other);
        if prefix == "centrifugo" {
            let owner = cluster.owner_according_to(0, cluster.slot("centrifugo.stream.{log:later}")).unwrap();
            cluster.node_mut(owner).kill();
            publishes(&one);
            publishes(&other);
        }
        for node in cluster.nodes() {
            if let Ok(denied) = node.try_run(&["ACL", "LOG"]) {
                assert_enough(&denied);
            }
        }
    }
}

/// As where Redis is rented.
#[test]
fn commands_that_do_not_exist_are_done_without() {
    for forbidden in
        [&["ROLE", "CLIENT", "CONFIG"][..], &["ROLE", "INFO", "ECHO", "CLIENT", "CONFIG", "HELLO"]]
    {
        let rename =
            |options: RedisOptions, word: &&str| options.line(&format!("rename-command {word} \"\""));
        let redis = RedisServer::with(&forbidden.iter().fold(RedisOptions::default(), rename));
        let elsewhere = RedisServer::start();
        let settings = json!({"address": redis.address()});
        let (one, other) = two(&settings);
        use_all(&one, &other);
        redis.run(&["REPLICAOF", "127.0.0.1", &elsewhere.port().to_string()]);
        for server in [&one, &other] {
            assert!(wait_until(PATIENCE, || !server.is_ready()), "{forbidden:?}: a replica is written to");
        }
        // A probe that was under way at that moment may fail otherwise.
        let is_told = || {
            let report = one.readiness().text();
            report.contains("READONLY") || report.contains("replica")
        };
        assert!(wait_until(PATIENCE, is_told), "{}", one.readiness().text());
        redis.run(&["REPLICAOF", "NO", "ONE"]);
        publishes(&one);
        publishes(&other);
        let late = node(&settings);
        publishes(&late);
    }
}
