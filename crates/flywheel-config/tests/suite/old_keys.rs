//! Files and variables of versions 2 to 5.

use serde_json::json;

use crate::Given;

#[test]
fn an_old_key_is_read_and_its_new_name_is_told() {
    let given = Given::yaml("token_hmac_secret_key: s\nallowed_origins: https://a https://b\nport: '9000'\n");
    assert_eq!(given.value_warned("client.token.hmac_secret_key"), json!("s"));
    assert_eq!(given.value_warned("client.allowed_origins"), json!(["https://a", "https://b"]));
    assert_eq!(given.value_warned("http_server.port"), json!(9000));
    assert_eq!(
        given.warnings(),
        "config.yaml: allowed_origins is an old name, write client.allowed_origins\n\
         config.yaml: port is an old name, write http_server.port\n\
         config.yaml: token_hmac_secret_key is an old name, write client.token.hmac_secret_key"
    );
}

#[test]
fn a_scalar_in_place_of_a_section_is_the_old_switch() {
    let given = Given::yaml("admin: true\nengine: memory\nhealth: true\nprometheus: 'true'\nsse: false");
    assert_eq!(given.value_warned("admin.enabled"), json!(true));
    assert_eq!(given.value_warned("health.enabled"), json!(true));
    assert_eq!(given.value_warned("prometheus.enabled"), json!(true));
    assert_eq!(given.value_warned("sse.enabled"), json!(false));
    assert!(given.warnings().contains("config.yaml: engine is an old name, write engine.type"));
}

#[test]
fn every_section_name_that_was_a_switch_is_one_still() {
    let switches = [
        "admin",
        "debug",
        "graphite",
        "grpc_api",
        "health",
        "http_stream",
        "opentelemetry",
        "prometheus",
        "sse",
        "swagger",
        "uni_grpc",
        "uni_http_stream",
        "uni_sse",
        "uni_websocket",
    ];
    for switch in switches {
        let given = Given::yaml(&format!("{switch}: true"));
        assert_eq!(given.value_warned(&format!("{switch}.enabled")), json!(true), "{switch}");
    }
    let nats = Given::yaml("broker: nats\nnats_url: nats://x");
    assert_eq!(nats.value_warned("broker.enabled"), json!(true));
    assert_eq!(nats.value_warned("broker.type"), json!("nats"));
    assert_eq!(nats.value_warned("broker.nats.url"), json!("nats://x"));
}

#[test]
fn the_new_name_wins_with_a_warning() {
    let given = Given::yaml("client_channel_limit: 1\nclient: {channel_limit: 2}");
    assert_eq!(given.value_warned("client.channel_limit"), json!(2));
    let last = "config.yaml: client_channel_limit is an old name of client.channel_limit, which is set too and counts";
    assert!(given.warnings().ends_with(last), "{}", given.warnings());
}

#[test]
fn old_variables_are_read_too_and_beat_the_file() {
    let given = Given::yaml("client: {channel_limit: 2}")
        .env("CENTRIFUGO_CLIENT_CHANNEL_LIMIT", "3")
        .env("CENTRIFUGO_TOKEN_HMAC_SECRET_KEY", "s")
        .env("CENTRIFUGO_ENGINE", "memory")
        .env("CENTRIFUGO_PORT", "9000")
        .env("CENTRIFUGO_REDIS_ADDRESS", "redis://a");
    assert_eq!(given.value_warned("client.channel_limit"), json!(3));
    assert_eq!(given.value_warned("client.token.hmac_secret_key"), json!("s"));
    assert_eq!(given.value_warned("http_server.port"), json!(9000));
    assert_eq!(given.value_warned("engine.redis.address"), json!(["redis://a"]));
    let told = "variable CENTRIFUGO_PORT: port is an old name, write http_server.port";
    assert!(given.warnings().contains(told), "{}", given.warnings());
}

#[test]
fn values_of_a_helm_chart_of_an_old_major_are_understood() {
    let text = "config:\n  engine: redis\n  redis_cluster_address: \"a:7000,b:7000\"\n  redis_cluster_pool_size: 32\n  \
                redis_cluster_connect_timeout: 1\n  redis_cluster_read_timeout: 5\n  redis_cluster_write_timeout: 5";
    let given = Given::yaml(text);
    assert_eq!(given.value_warned("engine.type"), json!("redis"));
    assert_eq!(given.value_warned("engine.redis.cluster_address"), json!(["a:7000,b:7000"]));
    assert_eq!(given.value_warned("engine.redis.connect_timeout"), json!("1s"));
    assert_eq!(given.value_warned("engine.redis.io_timeout"), json!("5s"));
    assert_eq!(
        given.warnings(),
        "config.yaml: config: these look like values of a Helm chart: what is below config is read, unknown keys \
         beside it are not\n\
         config.yaml: engine is an old name, write engine.type\n\
         config.yaml: redis_cluster_address is an old name, write engine.redis.cluster_address\n\
         config.yaml: redis_cluster_connect_timeout is an old name, write engine.redis.connect_timeout\n\
         config.yaml: redis_cluster_pool_size has no effect: connections are shared, there is no pool to size\n\
         config.yaml: redis_cluster_read_timeout is an old name, write engine.redis.io_timeout\n\
         config.yaml: redis_cluster_write_timeout has no effect: reading and writing are bounded together by \
         engine.redis.io_timeout"
    );
}

#[test]
fn below_config_stand_new_keys_too_and_typos_there_are_errors() {
    let given = Given::yaml("replicaCount: 2\nconfig: {client: {channel_limit: 5}, health: {enabled: true}}");
    assert_eq!(given.value_warned("client.channel_limit"), json!(5));
    let given = Given::yaml("replicaCount: 2\nconfig: {client: {chanel_limit: 5}}");
    assert!(given.errors().contains("unknown key client.chanel_limit"));
}

#[test]
fn options_of_old_namespaces_are_renamed() {
    let text = "namespaces:\n- name: chat\n  proxy_subscribe: true\n  history_lifetime: 60\n  history_size: 5\n  \
                recover: true\n  anonymous: true\n- name: news\n  publish_proxy_name: auth\n\
                proxies:\n- name: auth\n  endpoint: grpc://a:1\n  static_http_headers: {a: b}\n  \
                grpc_cert_file: /x.pem\nproxy_subscribe_endpoint: http://a\nproxy_http_headers: [Cookie]\n";
    let given = Given::yaml(text);
    let namespaces = given.value_warned("channel.namespaces");
    assert_eq!(namespaces[0]["subscribe_proxy_enabled"], true);
    assert_eq!(namespaces[0]["history_ttl"], "1m");
    assert_eq!(namespaces[0]["force_recovery"], true);
    assert_eq!(namespaces[0]["allow_subscribe_for_anonymous"], false);
    assert_eq!(namespaces[1]["publish_proxy_enabled"], true);
    let proxies = given.value_warned("proxies");
    assert_eq!(proxies[0]["http"]["static_headers"], json!({"a": "b"}));
    assert_eq!(proxies[0]["grpc"]["tls"]["server_ca_pem"], "/x.pem");
    assert_eq!(proxies[0]["grpc"]["tls"]["enabled"], true);
    assert_eq!(given.value_warned("channel.proxy.subscribe.http_headers"), json!(["Cookie"]));
    assert_eq!(given.value_warned("rpc.proxy.http_headers"), json!(["Cookie"]));
    let told = "config.yaml: namespaces[chat].proxy_subscribe is an old name, write \
                namespaces[chat].subscribe_proxy_enabled";
    assert!(given.warnings().contains(told), "{}", given.warnings());
}

#[test]
fn a_proxy_that_was_named_stands_where_it_is_used() {
    let text = "connect_proxy_name: auth\nproxies: [{name: auth, endpoint: 'http://a', http: {tls: {enabled: true}}}]";
    let given = Given::yaml(text);
    assert_eq!(given.value_warned("client.proxy.connect.enabled"), json!(true));
    assert_eq!(given.value_warned("client.proxy.connect.endpoint"), json!("http://a"));
    assert_eq!(given.value_warned("client.proxy.connect.http.tls.enabled"), json!(true));
    let given = Given::yaml("connect_proxy_name: nobody");
    assert!(given.warnings().contains("proxies has no item named \"nobody\""));
}

#[test]
fn spellings_of_pem_keys_come_down_to_one() {
    let given = Given::yaml("http_server: {tls: {cert_pem_file: /c.pem, key_pem_b64: QQ==}}");
    assert_eq!(given.value_warned("http_server.tls.cert_pem"), json!("/c.pem"));
    assert_eq!(given.value_warned("http_server.tls.key_pem"), json!("QQ=="));
}

#[test]
fn a_section_that_had_a_flat_name_is_moved_as_a_whole() {
    let given =
        Given::yaml("nats_raw_mode: {enabled: true, prefix: x}\ntls_autocert_host_whitelist: 'a.b, c.d'");
    assert_eq!(given.value_warned("broker.nats.raw_mode.prefix"), json!("x"));
    assert_eq!(given.value_warned("http_server.tls_autocert.host_whitelist"), json!(["a.b", "c.d"]));
    let dotted = Given::json(r#"{"nats_raw_mode.enabled": true}"#);
    assert_eq!(dotted.value_warned("broker.nats.raw_mode.enabled"), json!(true));
}

#[test]
fn seconds_of_old_versions_stay_seconds() {
    let given =
        Given::yaml("history_lifetime: 60\nhistory_size: 5").env("CENTRIFUGO_REDIS_SEQUENCE_TTL", "7200");
    assert_eq!(given.value_warned("channel.without_namespace.history_ttl"), json!("1m"));
    assert_eq!(given.value_warned("channel.history_meta_ttl"), json!("2h"));
}

#[test]
fn an_engine_that_is_gone_is_an_error() {
    let error = "config.yaml: engine.type: \"tarantool\" is unknown; write one of memory, redis";
    assert_eq!(Given::yaml("engine: tarantool").errors(), error);
}
