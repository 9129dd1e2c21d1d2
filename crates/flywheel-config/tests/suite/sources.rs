//! Precedence, names and conversions.

use serde_json::json;

use crate::Given;

#[test]
fn nothing_at_all_gives_the_defaults_without_a_word() {
    assert_eq!(Given::default().value("http_server.port"), json!(8000));
    assert_eq!(Given::default().value("client.ping_interval"), json!("25s"));
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let given = Given::yaml("http_server: {port: 1}");
    assert_eq!(given.value("http_server.port"), json!(1));
    let given = given.env("CENTRIFUGO_HTTP_SERVER_PORT", "2");
    assert_eq!(given.value("http_server.port"), json!(2));
    let given = given.env("FLYWHEEL_HTTP_SERVER_PORT", "3");
    assert_eq!(given.value("http_server.port"), json!(3));
    let given = given.flag("http_server.port", "4");
    assert_eq!(given.value("http_server.port"), json!(4));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let given = Given::yaml("http_server: {port: 1}").env("FLYWHEEL_HTTP_SERVER_PORT", "");
    assert_eq!(given.value("http_server.port"), json!(1));
    let given = given.env("CENTRIFUGO_HTTP_SERVER_PORT", "2");
    assert_eq!(given.value("http_server.port"), json!(2));
}

#[test]
fn zero_in_a_file_means_the_default_and_zero_in_a_variable_means_zero() {
    let file = "client: {channel_limit: 0, stale_close_delay: 0s}\nchannel: {namespace_boundary: ''}";
    assert_eq!(Given::yaml(file).value("client.channel_limit"), json!(128));
    assert_eq!(Given::yaml(file).value("client.stale_close_delay"), json!("10s"));
    assert_eq!(Given::yaml(file).value("channel.namespace_boundary"), json!(":"));
    let given = Given::yaml(file)
        .env("CENTRIFUGO_CLIENT_CHANNEL_LIMIT", "0")
        .env("CENTRIFUGO_CLIENT_STALE_CLOSE_DELAY", "0s")
        .env("CENTRIFUGO_CHANNEL_NAMESPACE_BOUNDARY", "");
    assert_eq!(given.value("client.channel_limit"), json!(0));
    assert_eq!(given.value("client.stale_close_delay"), json!("0s"));
    assert_eq!(given.value("channel.namespace_boundary"), json!(":"));
    let given = given.flag("channel.namespace_boundary", "").flag("client.channel_limit", "5");
    assert_eq!(given.value("channel.namespace_boundary"), json!(""));
    assert_eq!(given.value("client.channel_limit"), json!(5));
}

#[test]
fn keys_of_a_file_are_found_in_any_case_and_with_dots() {
    let table = [
        r#"{"client": {"channel_limit": 5}}"#,
        r#"{"Client": {"Channel_Limit": 5}}"#,
        r#"{"client.channel_limit": 5}"#,
        r#"{"CLIENT.CHANNEL_LIMIT": "5"}"#,
    ];
    for text in table {
        assert_eq!(Given::json(text).value("client.channel_limit"), json!(5), "{text}");
    }
    let nested = r#"{"client": {"token.hmac_secret_key": "x"}}"#;
    assert_eq!(Given::json(nested).value("client.token.hmac_secret_key"), json!("x"));
}

#[test]
fn the_three_formats_say_the_same() {
    let json = Given::json(r#"{"client": {"allowed_origins": ["https://a"], "ping_interval": "30s"}}"#);
    let yaml = Given::yaml("client:\n  allowed_origins: [https://a]\n  ping_interval: 30s\n");
    let toml = Given::toml("[client]\nallowed_origins = [\"https://a\"]\nping_interval = \"30s\"\n");
    for given in [json, yaml, toml] {
        assert_eq!(given.value("client.allowed_origins"), json!(["https://a"]));
        assert_eq!(given.value("client.ping_interval"), json!("30s"));
    }
}

#[test]
fn types_of_a_file_are_converted() {
    let file = "http_server: {port: '8001', internal_port: 9000}\nhealth: {enabled: 't'}\n\
                client: {allowed_origins: https://a, concurrency: 2.9}\nlog: {file: true}";
    assert_eq!(Given::yaml(file).value("http_server.port"), json!(8001));
    assert_eq!(Given::yaml(file).value("http_server.internal_port"), json!("9000"));
    assert_eq!(Given::yaml(file).value("health.enabled"), json!(true));
    assert_eq!(Given::yaml(file).value("client.allowed_origins"), json!(["https://a"]));
    assert_eq!(Given::yaml(file).value("client.concurrency"), json!(2));
    assert_eq!(Given::yaml(file).value("log.file"), json!("1"));
}

#[test]
fn a_bare_number_as_duration_is_nanoseconds_and_said_so() {
    let given = Given::yaml("shutdown: {timeout: 30}");
    assert_eq!(given.value_warned("shutdown.timeout"), json!("30ns"));
    let warning = "config.yaml: shutdown.timeout: a number without a unit means nanoseconds, so this is 30ns; write \
                   it with a unit, as in \"30s\"";
    assert_eq!(given.warnings(), warning);
}

#[test]
fn one_section_stands_for_a_list_of_one() {
    let given = Given::yaml("channel: {namespaces: {name: chat, presence: true}}");
    let namespaces = given.value("channel.namespaces");
    assert_eq!(namespaces.as_array().unwrap().len(), 1);
    assert_eq!(namespaces[0]["presence"], true);
    assert_eq!(namespaces[0]["subscribe_proxy_name"], "default");
}

#[test]
fn lists_of_sections_come_as_json_and_replace_the_file() {
    let file = "channel: {namespaces: [{name: chat, presence: true}, {name: news}]}";
    let given = Given::yaml(file).env(
        "CENTRIFUGO_CHANNEL_NAMESPACES",
        r#"[{"name": "chat", "history_size": 1, "history_ttl": "60s"}]"#,
    );
    let namespaces = given.value("channel.namespaces");
    assert_eq!(namespaces.as_array().unwrap().len(), 1);
    assert_eq!(namespaces[0]["presence"], false);
    assert_eq!(namespaces[0]["history_ttl"], "1m");
}

#[test]
fn json_in_a_variable_takes_no_loose_types() {
    let given =
        Given::default().env("FLYWHEEL_CHANNEL_NAMESPACES", r#"[{"name": "chat", "presence": "true"}]"#);
    let error = "variable FLYWHEEL_CHANNEL_NAMESPACES: channel.namespaces[chat].presence: found \"true\", expected \
                 true or false";
    assert_eq!(given.errors(), error);
    let given = Given::default().env("FLYWHEEL_CHANNEL_NAMESPACES", "[{");
    assert!(given.errors().contains("text that is not JSON"), "{}", given.errors());
}

#[test]
fn names_in_a_variable_add_items_for_other_variables_to_fill() {
    let given = Given::yaml("channel: {namespaces: [{name: chat}]}")
        .env("FLYWHEEL_CHANNEL_NAMESPACES", "chat my-news.x")
        .env("CENTRIFUGO_CHANNEL_NAMESPACES_MY_NEWS_X_PRESENCE", "true")
        .env("FLYWHEEL_CHANNEL_NAMESPACES_CHAT_HISTORY_SIZE", "10")
        .env("FLYWHEEL_CHANNEL_NAMESPACES_CHAT_HISTORY_TTL", "5m");
    let namespaces = given.value("channel.namespaces");
    assert_eq!(namespaces.as_array().unwrap().len(), 2);
    assert_eq!(namespaces[0]["history_size"], 10);
    assert_eq!(namespaces[1]["name"], "my-news.x");
    assert_eq!(namespaces[1]["presence"], true);
}

#[test]
fn a_variable_changes_an_item_but_makes_none() {
    let given = Given::yaml("proxies: [{name: auth, endpoint: 'http://a'}]")
        .env("FLYWHEEL_PROXIES_AUTH_HTTP_STATIC_HEADERS", r#"{"X-A": "b"}"#)
        .env("FLYWHEEL_PROXIES_AUTH_NAME", "login");
    let proxies = given.value_warned("proxies");
    assert_eq!(proxies[0]["name"], "login");
    assert_eq!(proxies[0]["http"]["static_headers"], json!({"X-A": "b"}));
    let given = Given::default().env("FLYWHEEL_PROXIES_AUTH_TIMEOUT", "2s");
    assert!(given.errors().starts_with("variable FLYWHEEL_PROXIES_AUTH_TIMEOUT: unknown key"));
}

#[test]
fn lists_in_lists_of_an_item_come_as_json() {
    let given = Given::yaml("proxies: [{name: auth, endpoint: 'http://a'}]").env(
        "FLYWHEEL_PROXIES_AUTH_HTTP_STATUS_TO_CODE_TRANSFORMS",
        r#"[{"status_code": 404, "to_error": {"code": 404, "message": "none"}}]"#,
    );
    let proxies = given.value_warned("proxies");
    assert_eq!(proxies[0]["http"]["status_to_code_transforms"][0]["to_error"]["code"], 404);
}

#[test]
fn text_maps_are_sections_or_pairs_and_secrets_come_from_variables() {
    let section = "client: {proxy: {connect: {http: {static_headers: {X-Key: 'k ${CENTRIFUGO_VAR_K}'}}}}}";
    let pairs =
        "client: {proxy: {connect: {http: {static_headers: [{key: X-Key, value: '${FLYWHEEL_VAR_K}'}]}}}}";
    let key = "client.proxy.connect.http.static_headers";
    let with = |file| Given::yaml(file).env("CENTRIFUGO_VAR_K", "s").env("FLYWHEEL_VAR_K", "t");
    assert_eq!(with(section).value(key), json!({"x-key": "k s"}));
    assert_eq!(with(pairs).value(key), json!({"X-Key": "t"}));
    let error =
        "config.yaml: client.proxy.connect.http.static_headers.x-key: variable CENTRIFUGO_VAR_K is not set";
    assert_eq!(Given::yaml(section).errors(), error);
}

#[test]
fn other_texts_are_not_expanded() {
    let given = Given::yaml("http_api: {key: '${CENTRIFUGO_VAR_K}'}").env("CENTRIFUGO_VAR_K", "s");
    assert_eq!(given.value("http_api.key"), json!("${CENTRIFUGO_VAR_K}"));
}

#[test]
fn variables_that_kubernetes_injects_are_ignored() {
    let given = Given::default()
        .env("CENTRIFUGO_PORT", "tcp://10.0.0.1:8000")
        .env("CENTRIFUGO_SERVICE_HOST", "10.0.0.1")
        .env("CENTRIFUGO_SERVICE_PORT", "8000")
        .env("CENTRIFUGO_SERVICE_PORT_HTTP", "8000")
        .env("CENTRIFUGO_PORT_8000_TCP", "tcp://10.0.0.1:8000")
        .env("CENTRIFUGO_PORT_8000_TCP_ADDR", "10.0.0.1")
        .env("CENTRIFUGO_GRPC_API_PORT", "tcp://10.0.0.1:10000")
        .env("FLYWHEEL_PORT", "tcp://10.0.0.1:8000")
        .env("FLYWHEEL_INTERNAL_SERVICE_PORT_API", "9000")
        .env("FLYWHEEL_VAR_ANYTHING", "x")
        .env("PATH", "/bin");
    assert_eq!(given.value("http_server.port"), json!(8000));
    assert_eq!(given.value("grpc_api.port"), json!(10_000));
}

#[test]
fn lists_of_texts_in_a_variable_are_split_at_single_spaces() {
    let given = Given::default().env("CENTRIFUGO_CLIENT_ALLOWED_ORIGINS", "https://a,b  https://c");
    assert_eq!(given.value("client.allowed_origins"), json!(["https://a,b", "", "https://c"]));
}
