//! Every way in which an address of Redis can be wrong is explained, with the key to change, within its timeout.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flywheel_testkit::{
    Bound, Certificates, FaultProxy, MASTER_NAME, OnReply, RedisCluster, RedisOptions, RedisServer,
    SentinelSet, free_port,
};

use crate::{doctor, folder};

/// What the doctor says of this `engine.redis`, with its exit code.
#[track_caller]
fn examined(redis: &str) -> (Option<i32>, String) {
    let here = folder(&format!("engine: {{type: redis, redis: {{{redis}}}}}"));
    let done = doctor(&here, &[]);
    assert_eq!(done.stderr, "");
    (done.code, done.stdout)
}

/// That it finds something broken, and says all of this.
#[track_caller]
fn breaks(redis: &str, told: &[&str]) {
    let begun = Instant::now();
    let (code, report) = examined(redis);
    Bound::new("C6", Duration::from_secs(3)).holds(
        "the doctor explains it",
        begun.elapsed(),
        "after it was asked",
    );
    for told in told {
        assert!(report.contains(told), "{redis}: {told:?} is not in\n{report}");
    }
    assert_eq!(code, Some(1), "{redis}:\n{report}");
}

/// That it finds nothing broken, and says all of this.
#[track_caller]
fn works(redis: &str, told: &[&str]) {
    let (code, report) = examined(redis);
    for told in told {
        assert!(report.contains(told), "{redis}: {told:?} is not in\n{report}");
    }
    assert_eq!(code, Some(0), "{redis}:\n{report}");
}

#[test]
fn a_redis_that_is_fine_is_measured() {
    let redis = RedisServer::start();
    let address = redis.address();
    let told = [
        &*format!("fine     connected to {address}, Redis "),
        ", a primary (",
        "half of 20 round trips take ",
        "a script writes, and reads what it wrote",
        "what is published comes back",
        "its clock and ours agree",
        "everything works",
    ];
    works(&format!("address: 'redis://{address}'"), &told);
    works(&format!("address: 'unix://{}'", redis.socket().display()), &["a script writes"]);
    works(&format!("address: 'localhost:{}'", redis.port()), &["localhost is 127.0.0.1"]);
    let left = redis.run(&["KEYS", "*"]);
    assert!(left.items().is_empty(), "{left:?}");
}

#[test]
fn nobody_there_no_such_name_and_a_silent_port() {
    let nobody = free_port();
    let told =
        [&*format!("nobody accepts connections at 127.0.0.1:{nobody}"), "or correct engine.redis.address"];
    breaks(&format!("address: '127.0.0.1:{nobody}'"), &told);
    breaks("address: 'no-such-host.invalid:6379'", &["the name no-such-host.invalid has no address"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let told = [
        &*format!("{address} accepts connections, but nothing came within 300 ms while waiting for HELLO"),
        "look whether that process is frozen or overloaded, and whether it is Redis at all; else correct engine.redis.address",
    ];
    breaks(&format!("address: '{address}', connect_timeout: 300ms"), &told);
}

#[test]
fn a_redis_that_stops_answering_is_a_finding_within_its_deadline() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    proxy.on_every("EVAL", OnReply::Swallow);
    let told = ["writing at ", "fails: ", "engine.redis.io_timeout"];
    breaks(&format!("address: '{}', io_timeout: 300ms", proxy.address()), &told);
    proxy.pass();
    proxy.on_every("MESSAGE", OnReply::Swallow);
    let told = ["did not reach a subscriber at ", "a script writes"];
    breaks(&format!("address: '{}', io_timeout: 300ms", proxy.address()), &told);
}

#[test]
fn a_password_that_is_wrong_missing_or_too_much() {
    let guarded =
        RedisServer::with(&RedisOptions { password: Some("secret".into()), ..RedisOptions::default() });
    let address = guarded.address();
    breaks(
        &format!("address: '{address}', password: wrong"),
        &["refuses user or password", "correct engine.redis.password"],
    );
    breaks(&format!("address: '{address}'"), &["wants a password", "write it into engine.redis.password"]);
    works(&format!("address: 'redis://:secret@{address}'"), &["a script writes"]);
    let open = RedisServer::start().address();
    let (_, report) = examined(&format!("address: '{open}', password: secret"));
    assert!(!report.contains("secret"), "{report}");
}

#[test]
fn tls_to_a_plain_port_and_plain_to_a_tls_port() {
    let certificates = Arc::new(Certificates::new());
    let options = RedisOptions { tls: Some(Arc::clone(&certificates)), ..RedisOptions::default() };
    let redis = RedisServer::with(&options);
    let (plain, tls) = (redis.address(), format!("127.0.0.1:{}", redis.tls_port()));
    let ca = format!("tls: {{server_ca_pem: '{}'}}", certificates.authority().display());
    works(&format!("address: 'rediss://{tls}', {ca}"), &["a script writes"]);
    let told = ["speaks no TLS", "write redis:// instead of rediss://, or engine.redis.tls.enabled: false"];
    breaks(&format!("address: 'rediss://{plain}', connect_timeout: 500ms"), &told);
    let told = ["speaks TLS only", "write rediss:// instead of redis://, or engine.redis.tls.enabled: true"];
    breaks(&format!("address: 'redis://{tls}', connect_timeout: 500ms"), &told);
    let choosy = RedisServer::with(&RedisOptions { tls_client_auth: true, ..options });
    let told =
        ["CertificateRequired", "write one into engine.redis.tls.cert_pem and engine.redis.tls.key_pem"];
    breaks(&format!("address: 'rediss://127.0.0.1:{}', {ca}", choosy.tls_port()), &told);
    let told = ["UnknownIssuer", "engine.redis.tls.server_ca_pem"];
    breaks(&format!("address: 'rediss://{tls}'"), &told);
    breaks(
        &format!("address: 'rediss://{tls}', tls: {{server_ca_pem: /no/such/ca.pem}}"),
        &["engine.redis.tls.server_ca_pem: cannot read /no/such/ca.pem"],
    );
}

#[test]
fn a_read_only_replica_names_its_primary() {
    let primary = RedisServer::start();
    let replica =
        RedisServer::with(&RedisOptions { replica_of: Some(primary.port()), ..RedisOptions::default() });
    replica.wait_replicating();
    let told = [
        &*format!("is a read-only replica of {}", primary.address()),
        "write the primary into engine.redis.address, or Sentinels into engine.redis.sentinel_address",
    ];
    breaks(&format!("address: '{}'", replica.address()), &told);
    let (code, report) = examined(&format!("address: '{}'", primary.address()));
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("-> set min-replicas-to-write 1 and min-replicas-max-lag 2 there"), "{report}");
}

#[test]
fn sentinels_are_asked_and_mistaken_for_nothing_else() {
    let set = SentinelSet::start();
    let sentinels = set.sentinel_addresses();
    let all = sentinels.join(",");
    let told = [
        &*format!("names {} as the primary of {MASTER_NAME}", set.servers()[0].address()),
        "a script writes",
    ];
    works(&format!("sentinel_address: '{all}', sentinel_master_name: {MASTER_NAME}"), &told);
    let told = [
        &*format!("is a Sentinel watching {MASTER_NAME}"),
        "write its address into engine.redis.sentinel_address and the name into engine.redis.sentinel_master_name",
    ];
    breaks(&format!("address: '{}'", sentinels[0]), &told);
    breaks(&format!("cluster_address: '{}'", sentinels[0]), &told);
    let told = [&*format!("they watch {MASTER_NAME}: correct engine.redis.sentinel_master_name")];
    breaks(&format!("sentinel_address: '{all}', sentinel_master_name: nobody"), &told);
    let told = [
        "is not a Sentinel but a server",
        "engine.redis.sentinel_address, or this one into engine.redis.address",
    ];
    breaks(&format!("sentinel_address: '{}', sentinel_master_name: x", set.servers()[0].address()), &told);
}

#[test]
fn a_cluster_is_found_behind_any_key_and_a_standalone_is_none() {
    let cluster = RedisCluster::start();
    let nodes = cluster.addresses();
    let told = [
        "all slots are owned, by ",
        "a primary of a cluster",
        "a script writes",
        "what is published comes back",
    ];
    works(&format!("cluster_address: '{}', sharded_pub_sub_partitions: 16", nodes[0]), &told);
    works(&format!("cluster_address: '{}'", nodes[..3].join(",")), &told);
    let told = [
        "is a node of a cluster, so all of the cluster is used",
        "write the address into engine.redis.cluster_address",
    ];
    works(&format!("address: '{}'", nodes[0]), &told);
    breaks(&format!("address: '{}', topology: strict", nodes[0]), &told);
    let told = ["is the same server as in engine.redis.cluster_address[0]"];
    breaks(&format!("cluster_address: ['{}', '{}']", nodes[0], nodes[1]), &told);
    let alone = RedisServer::start();
    let told = [
        "with cluster support disabled",
        "write its address into engine.redis.address instead of engine.redis.cluster_address",
    ];
    breaks(&format!("cluster_address: '{}'", alone.address()), &told);
}

#[test]
fn what_is_no_redis_at_all_is_said_so() {
    let http = flywheel_testkit::Server::start(env!("CARGO_BIN_EXE_flywheel"), serde_json::json!({}));
    let told = ["does not answer as Redis does", "correct engine.redis.address"];
    breaks(&format!("address: '{}', connect_timeout: 500ms", http.address()), &told);
}

#[test]
fn an_address_as_it_was_written_for_an_old_version_is_examined_under_its_new_name() {
    let nobody = free_port();
    let here = folder(&format!("config: {{engine: redis, redis_address: '127.0.0.1:{nobody}'}}"));
    let done = doctor(&here, &[]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stdout.contains("redis_address is an old name, write engine.redis.address"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("nobody accepts connections"), "{}", done.stdout);
}
