//! How Redis is reached.

use std::time::Duration;

use flywheel_config::{
    Carrier, Engine, EngineType, HostPort, RedisAddress, RedisServers, RedisSettings, RedisShard,
    RedisTopology,
};

use crate::{Given, lines};

#[track_caller]
fn engine(given: &Given) -> Engine {
    given.loaded().config.engine
}

#[track_caller]
fn settings(redis: &str) -> RedisSettings {
    let given = Given::yaml(&format!("engine: {{type: redis, redis: {{{redis}}}}}"));
    RedisSettings::clone(engine(&given).broker.redis().unwrap())
}

#[track_caller]
fn shard(redis: &str) -> RedisShard {
    let shards = settings(redis).shards;
    assert_eq!(shards.len(), 1);
    shards[0].clone()
}

/// What is wrong with `engine.redis`, or pointed out about it.
fn said(redis: &str) -> String {
    let given = Given::yaml(&format!("engine: {{type: redis, redis: {{{redis}}}}}"));
    match given.load() {
        Ok(loaded) => lines(&loaded.warnings).replace("config.yaml: ", ""),
        Err(errors) => lines(&errors).replace("config.yaml: ", ""),
    }
}

fn node(host: &str, port: u16) -> HostPort {
    HostPort { host: host.into(), port }
}

fn tcp(host: &str, port: u16) -> RedisAddress {
    RedisAddress::Tcp(node(host, port))
}

#[test]
fn without_a_word_redis_is_on_this_machine() {
    let settings = settings("");
    assert_eq!(settings.key, "engine.redis");
    assert_eq!(settings.prefix, "centrifugo");
    assert_eq!(settings.topology, RedisTopology::Auto);
    assert_eq!(settings.probe_interval, Duration::from_secs(1));
    assert_eq!(settings.topology_refresh_interval, Duration::from_secs(5));
    assert_eq!(settings.sharded_pub_sub_partitions, 0);
    assert_eq!(settings.presence.ttl, Duration::from_mins(1));
    let shard = &settings.shards[0];
    assert_eq!(shard.key, "engine.redis.address");
    assert_eq!(shard.servers, RedisServers::Plain(tcp("127.0.0.1", 6379)));
    assert_eq!(
        (shard.connect_timeout, shard.io_timeout),
        (Duration::from_secs(1), Duration::from_millis(1_500))
    );
    assert_eq!((shard.db, &shard.tls, shard.force_resp2), (0, &None, false));
}

#[test]
fn a_list_and_commas_are_shards() {
    let list = settings("address: ['redis://a:1', 'b:2']");
    assert_eq!(list.shards[0].servers, RedisServers::Plain(tcp("a", 1)));
    assert_eq!(list.shards[1].servers, RedisServers::Plain(tcp("b", 2)));
    assert_eq!(list.shards[1].key, "engine.redis.address[1]");
    assert_eq!(settings("address: 'redis://a:1, b:2'").shards, list.shards);
    let told = said("address: 'a:1,b:2'");
    assert!(told.contains("engine.redis.address: each address is a shard of its own"), "{told}");
    let variable = Given::default()
        .env("FLYWHEEL_ENGINE_TYPE", "redis")
        .env("CENTRIFUGO_ENGINE_REDIS_ADDRESS", "redis://a:1 b:2");
    assert_eq!(engine(&variable).broker.redis().unwrap().shards, list.shards);
}

#[test]
fn clusters_and_sentinels_have_keys_or_urls() {
    let cluster = shard("cluster_address: ['a:1,b:2']");
    assert_eq!(cluster.servers, RedisServers::Cluster(vec![node("a", 1), node("b", 2)]));
    assert_eq!(shard("address: 'redis+cluster://a:1,b:2'").servers, cluster.servers);
    assert_eq!(shard("address: 'redis://a:1?addr=b:2'").servers, cluster.servers);
    let sentinel = shard(
        "sentinel_address: 'a:1,b:2', sentinel_master_name: m, sentinel_user: su, sentinel_password: sp, password: p",
    );
    let RedisServers::Sentinel(sentinels) = &sentinel.servers else { panic!("{sentinel:?}") };
    assert_eq!(sentinels.addresses, [node("a", 1), node("b", 2)]);
    assert_eq!(sentinels.master_name, "m");
    assert_eq!((sentinels.user.as_deref(), sentinels.password.as_deref()), (Some("su"), Some("sp")));
    let url = "address: 'redis+sentinel://:p@a:1?addr=b:2&sentinel_master_name=m&sentinel_user=su&sentinel_password=sp'";
    assert_eq!(shard(url).servers, sentinel.servers);
    assert_eq!(shard(url).password, sentinel.password);
    let named_once = settings(
        "sentinel_master_name: m, address: ['redis+sentinel://a:1', 'redis+sentinel://b:1?sentinel_master_name=n']",
    );
    let names = named_once.shards.iter().map(|shard| match &shard.servers {
        RedisServers::Sentinel(sentinels) => sentinels.master_name.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), ["m", "n"]);
}

#[test]
fn a_url_counts_before_the_keys_beside_it() {
    let beside = "user: u, password: p, db: 1, io_timeout: 3s, client_name: c";
    let own = "redis://x:y@a/2?io_timeout=2s&connect_timeout=3s&force_resp2=true";
    let shards = settings(&format!("{beside}, address: ['{own}', 'b:1']")).shards;
    assert_eq!((shards[0].user.as_deref(), shards[0].password.as_deref()), (Some("x"), Some("y")));
    assert_eq!((shards[0].db, shards[0].force_resp2), (2, true));
    assert_eq!(
        (shards[0].io_timeout, shards[0].connect_timeout),
        (Duration::from_secs(2), Duration::from_secs(3))
    );
    assert_eq!((shards[1].user.as_deref(), shards[1].password.as_deref()), (Some("u"), Some("p")));
    assert_eq!((shards[1].db, shards[1].io_timeout), (1, Duration::from_secs(3)));
    assert_eq!(shards[1].client_name.as_deref(), Some("c"));
}

#[test]
fn tls_is_switched_on_by_the_section_or_the_url_and_told_by_the_section() {
    let section = shard("address: 'redis://a', tls: {enabled: true, server_ca_pem: /ca.pem, server_name: n}");
    let tls = section.tls.unwrap();
    assert_eq!((tls.server_ca_pem.as_deref(), tls.server_name.as_deref()), (Some("/ca.pem"), Some("n")));
    assert_eq!(shard("address: 'rediss://a', tls: {server_ca_pem: /ca.pem, server_name: n}").tls, Some(tls));
    assert!(shard("address: 'redis://a?tls_enabled=1'").tls.is_some());
    let sentinel = shard(
        "sentinel_address: 'a:1', sentinel_master_name: m, sentinel_tls: {enabled: true, insecure_skip_verify: true}",
    );
    assert_eq!(sentinel.tls, None);
    let RedisServers::Sentinel(sentinels) = sentinel.servers else { panic!() };
    assert!(sentinels.tls.unwrap().insecure_skip_verify);
}

#[test]
fn secrets_of_redis_are_not_shown() {
    let redis = "password: swordfish, sentinel_password: swordfish, sentinel_master_name: m, \
                 tls: {enabled: true, cert_pem: swordfish, key_pem: swordfish}, \
                 address: ['redis://:swordfish@a', 'redis+sentinel://:swordfish@b?sentinel_password=swordfish']";
    assert!(!format!("{:?}", settings(redis)).contains("swordfish"));
    for broken in
        ["redis://u:swordfish/x@a", "redis://u:sword?fish@a", "redis://u:swordfish@a:x", "u:swordfish@a:1"]
    {
        assert!(!said(&format!("address: '{broken}'")).contains("fish"), "{broken}");
    }
}

#[test]
fn sections_of_their_own_stand_in_for_the_engine() {
    let memory = engine(&Given::default());
    assert_eq!((memory.r#type, &memory.controller), (EngineType::Memory, &Carrier::Memory));
    assert!(memory.redis().is_empty());
    let one = engine(&Given::yaml("engine: {type: redis}"));
    assert_eq!((&one.broker, &one.controller), (&one.presence, &one.presence));
    assert_eq!(one.redis().len(), 1);
    let split = engine(&Given::yaml(
        "engine: {type: redis}\npresence_manager: {enabled: true, type: redis, redis: {address: 'p:1', presence_ttl: 90s}}",
    ));
    assert_eq!(split.broker.redis().unwrap().key, "engine.redis");
    let presence = split.presence.redis().unwrap();
    assert_eq!(
        (presence.key.as_str(), presence.presence.ttl),
        ("presence_manager.redis", Duration::from_secs(90))
    );
    assert_eq!(split.redis().len(), 2);
    let broker = engine(&Given::yaml("broker: {enabled: true, type: redis, redis: {address: 'b:1'}}"));
    assert_eq!(broker.presence, Carrier::Memory);
    assert_eq!(broker.controller, broker.broker);
    let off = engine(&Given::yaml("broker: {type: redis}"));
    assert_eq!(off.broker, Carrier::Memory);
}

#[test]
fn what_contradicts_itself_is_refused_or_pointed_out_with_what_to_write() {
    for (redis, told) in [
        ("address: 'a'", "engine.redis.address: \"a\" has no port; write it as in \"a:6379\""),
        (
            "address: 'http://a:1'",
            "engine.redis.address: the scheme \"http\" is unknown; write one of redis, rediss, ",
        ),
        ("address: ['a:1', 'redis://a:1']", "engine.redis.address: a:1 is there twice"),
        ("cluster_address: 'redis://a:1'", "engine.redis.cluster_address: write host and port of each node"),
        ("cluster_address: 'a:1,b'", "engine.redis.cluster_address: \"b\" has no port"),
        (
            "cluster_address: 'a:1', db: 2",
            "engine.redis.db: a cluster has database 0 only, and 2 is asked for",
        ),
        (
            "address: 'redis+cluster://a:1/2'",
            "engine.redis.db: a cluster has database 0 only, and 2 is asked for",
        ),
        ("db: -1", "engine.redis.db: -1 is no database"),
        (
            "sentinel_address: 'a:1'",
            "engine.redis.sentinel_master_name: Sentinels are asked for a primary by name",
        ),
        (
            "sentinel_master_name: m",
            "engine.redis.sentinel_master_name: it has no effect without sentinel_address",
        ),
        ("io_timeout: -1s", "engine.redis.io_timeout: nothing waits for ever"),
        ("client_name: my node", "engine.redis.client_name: Redis takes names without spaces"),
        (
            "tls: {enabled: true, cert_pem: c}",
            "engine.redis.tls.key_pem: cert_pem is of use only with its other half",
        ),
        (
            "tls: {server_ca_pem: c}",
            "engine.redis.tls: it has no effect; write tls.enabled: true to speak TLS",
        ),
        ("presence_ttl: 1500ms", "engine.redis.presence_ttl: Redis expires presence by whole seconds"),
        (
            "presence_ttl: 20s",
            "engine.redis.presence_ttl: entries expire before they are refreshed every 27s",
        ),
        ("topology: fixed", "engine.redis.topology: \"fixed\" is unknown; write one of auto, strict"),
        ("cluster_address: 'a:1', prefix: '{a}b'", "engine.redis.prefix: all keys have the same tag"),
        (
            "cluster_address: 'a:1', prefix: 'a{b'",
            "engine.redis.prefix: a cluster reads a brace as the beginning of a tag",
        ),
        (
            "cluster_address: 'a:1', sentinel_address: 'b:1'",
            "engine.redis.sentinel_address: it has no effect beside cluster_address",
        ),
        (
            "cluster_address: 'a:1', address: 'b:1'",
            "engine.redis.address: it has no effect beside cluster_address",
        ),
        (
            "cluster_address: ['a:1', 'b:1', 'c:1']",
            "engine.redis.cluster_address: each item is a shard of its own, so keys are divided between 3 sets of \
             servers; if these are nodes of one, write [\"a:1,b:1,c:1\"]",
        ),
        (
            "sentinel_address: 'a:1', sentinel_master_name: m, sharded_pub_sub_partitions: 16",
            "engine.redis.sharded_pub_sub_partitions: only Redis Cluster spreads PUB/SUB",
        ),
        ("sharded_pub_sub_partitions: 5000", "engine.redis.sharded_pub_sub_partitions: 5000 is out of range"),
    ] {
        let said = said(redis);
        assert!(said.contains(told), "{redis}:\n{said}");
    }
}

#[test]
fn a_section_that_nothing_uses_may_say_anything_and_is_pointed_out() {
    let given = Given::yaml("engine: {redis: {address: 'what is this'}}");
    let told = "config.yaml: engine.redis: it has no effect, since engine.type is \"memory\"; write engine.type: redis";
    assert!(given.warnings().contains(told), "{}", given.warnings());
    assert_eq!(Given::yaml("broker: {type: redis, redis: {address: 'x'}}").load().map(|_| ()), Ok(()));
    let refused = Given::yaml("broker: {enabled: true, type: redis, redis: {address: 'x'}}").errors();
    assert!(refused.contains("broker.redis.address: \"x\" has no port"), "{refused}");
}

#[test]
fn flat_keys_of_old_versions_give_the_same_settings() {
    let new = settings(
        "prefix: x, user: u, password: p, db: 3, connect_timeout: 2s, io_timeout: 3s, force_resp2: true, \
         tls: {enabled: true, server_ca_pem: /ca}, sentinel_address: 'a:1,b:1', sentinel_master_name: m, \
         sentinel_user: su, sentinel_password: sp, sentinel_tls: {enabled: true, server_name: n}, presence_ttl: 80s, \
         presence_user_mapping: true",
    );
    let old = "redis_prefix: x\nredis_user: u\nredis_password: p\nredis_db: 3\nredis_connect_timeout: 2s\n\
               redis_io_timeout: 3s\nredis_force_resp2: true\nredis_tls: true\nredis_tls_root_ca: /ca\n\
               redis_sentinel_address: 'a:1,b:1'\nredis_sentinel_master_name: m\nredis_sentinel_user: su\n\
               redis_sentinel_password: sp\nredis_sentinel_tls: true\nredis_sentinel_tls_server_name: n\n\
               global_presence_ttl: 80s\nglobal_redis_presence_user_mapping: true\n";
    let given = Given::yaml(&format!("engine: redis\n{old}"));
    assert_eq!(**engine(&given).broker.redis().unwrap(), new);
    let told = "config.yaml: redis_sentinel_address is an old name, write engine.redis.sentinel_address";
    assert!(given.warnings().contains(told), "{}", given.warnings());
    let chart = Given::yaml(&format!("config:\n  engine: redis\n  {}", old.trim_end().replace('\n', "\n  ")));
    assert_eq!(**engine(&chart).broker.redis().unwrap(), new);
    let mut variables = Given::default().env("CENTRIFUGO_ENGINE", "redis");
    for line in old.lines() {
        let (key, value) = line.split_once(": ").unwrap();
        variables = variables.env(&format!("CENTRIFUGO_{}", key.to_uppercase()), value.trim_matches('\''));
    }
    assert_eq!(**engine(&variables).broker.redis().unwrap(), new);
}

#[test]
fn the_values_file_of_a_cluster_from_an_old_chart_is_a_cluster() {
    let text = "config:\n  engine: redis\n  redis_cluster_address: 'a:7000,b:7000'\n  redis_cluster_pool_size: 32\n  \
                redis_cluster_connect_timeout: 1\n  redis_cluster_read_timeout: 5\n  redis_cluster_write_timeout: 5";
    let engine = engine(&Given::yaml(text));
    let shards = &engine.broker.redis().unwrap().shards;
    assert_eq!(shards.len(), 1);
    assert_eq!(shards[0].servers, RedisServers::Cluster(vec![node("a", 7000), node("b", 7000)]));
    assert_eq!(shards[0].connect_timeout, Duration::from_secs(1));
    assert_eq!(shards[0].io_timeout, Duration::from_secs(5));
    assert_eq!(engine.r#type, EngineType::Redis);
}

#[test]
fn seconds_of_the_oldest_versions_stay_seconds() {
    let given = Given::yaml("engine: redis\nredis_connect_timeout: 2\nredis_read_timeout: 3");
    let shards = engine(&given).broker.redis().unwrap().shards.clone();
    assert_eq!(
        (shards[0].connect_timeout, shards[0].io_timeout),
        (Duration::from_secs(2), Duration::from_secs(3))
    );
}
