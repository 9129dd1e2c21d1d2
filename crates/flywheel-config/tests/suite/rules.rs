//! Rules between values: each breach is refused in words, and what keeps the rule is not.

use std::time::Duration;

use crate::Given;

/// The file is refused for this reason alone.
#[track_caller]
fn refused(text: &str, error: &str) {
    assert_eq!(Given::yaml(text).errors(), format!("config.yaml: {error}"));
}

#[track_caller]
fn accepted(text: &str) {
    Given::yaml(text).loaded();
}

#[test]
fn pings_are_rarer_than_their_answers() {
    refused(
        "client: {ping_interval: 8s}",
        "client.ping_interval: 8s must be longer than client.pong_timeout, which is 8s",
    );
    accepted("client: {ping_interval: 9s}");
    accepted("client: {ping_interval: 1s, pong_timeout: -1s}");
    accepted("client: {ping_interval: -1s, pong_timeout: -2s}");
}

#[test]
fn history_has_a_size_and_an_age() {
    let options = |text: &str| format!("channel: {{without_namespace: {{{text}}}}}");
    let key = "channel.without_namespace";
    refused(
        &options("history_size: 5"),
        &format!("{key}.history_size: it needs a history_ttl, as in \"300s\"; set both or neither"),
    );
    refused(
        &options("history_ttl: 5s"),
        &format!("{key}.history_ttl: it needs a history_size, as in 100; set both or neither"),
    );
    refused(
        &options("history_size: 5, history_ttl: 1500ms"),
        &format!("{key}.history_ttl: 1s500ms is no whole number of seconds; write \"1s\" or more"),
    );
    refused(
        &options("history_size: 5, history_ttl: 2h, history_meta_ttl: 1h"),
        &format!(
            "{key}.history_ttl: 2h is longer than history_meta_ttl, which is 1h; make that at least as long"
        ),
    );
    refused(
        "channel: {history_meta_ttl: 1h, without_namespace: {history_size: 5, history_ttl: 2h}}",
        &format!(
            "{key}.history_ttl: 2h is longer than channel.history_meta_ttl, which is 1h; make that at least as long"
        ),
    );
    refused(
        &options("force_recovery: true"),
        &format!("{key}.force_recovery: it needs history; set history_size and history_ttl"),
    );
    refused(
        &options("auto_cache_recover: true"),
        &format!("{key}.auto_cache_recover: it needs force_recovery"),
    );
    refused(
        &options("auto_cache_recover: true, force_recovery: true, history_size: 1, history_ttl: 1s"),
        &format!("{key}.auto_cache_recover: it needs force_recovery_mode \"cache\""),
    );
    accepted(&options("history_size: 5, history_ttl: 2h, history_meta_ttl: 2h, force_recovery: true"));
}

#[test]
fn names_are_letters_and_differ() {
    refused(
        "channel: {namespaces: [{name: a}]}",
        "channel.namespaces[a].name: write at least two characters out of A-Z a-z 0-9 - _ .",
    );
    refused(
        "channel: {namespaces: [{name: chat}, {name: chat}]}",
        "channel.namespaces[chat].name: \"chat\" is there twice; names must differ",
    );
    refused(
        "rpc: {namespaces: [{proxy_name: default}]}",
        "rpc.namespaces[0].name: write at least two characters out of A-Z a-z 0-9 - _ .",
    );
    refused(
        "proxies: [{name: default, endpoint: a}]",
        "proxies[default].name: \"default\" is taken; choose another name",
    );
    refused(
        "consumers: [{name: a-b, type: kafka}]",
        "consumers[a-b].name: write at least two characters out of A-Z a-z 0-9 _",
    );
    accepted("channel: {namespaces: [{name: Chat-1_x.y}, {name: chat}]}");
}

#[test]
fn words_come_from_a_list() {
    refused("engine: {type: reddis}", "engine.type: \"reddis\" is unknown; write one of memory, redis");
    refused(
        "broker: {type: rabbit}",
        "broker.type: \"rabbit\" is unknown; write one of memory, redis, nats, postgres, redisnats",
    );
    refused(
        "channel: {publication_data_format: xml}",
        "channel.publication_data_format: \"xml\" is unknown; write one of json, json_object, binary",
    );
    refused(
        "http_api: {error_mode: custom}",
        "http_api.error_mode: \"custom\" is unknown; write one of transport",
    );
    refused("controller: {enabled: true}", "controller.type: nothing is set; write one of postgres");
    accepted("controller: {enabled: false, type: redis}");
    accepted("presence_manager: {enabled: false, type: x}");
    let level = Given::yaml("log: {level: loud}");
    assert_eq!(
        level.warnings(),
        "config.yaml: log.level: \"loud\" is no level, info is used; write one of none, trace, debug, info, warn, \
         error, fatal"
    );
}

#[test]
fn patterns_compile() {
    refused(
        "channel: {namespaces: [{name: chat, channel_regex: '['}]}",
        "channel.namespaces[chat].channel_regex: not a regular expression: unclosed character class",
    );
    refused(
        "client: {token: {audience_regex: '('}}",
        "client.token.audience_regex: not a regular expression: unclosed group",
    );
    refused(
        "client: {allowed_origins: ['https://[']}",
        "client.allowed_origins: \"https://[\" is no pattern: unclosed character class; missing ']'",
    );
    accepted("client: {subscription_token: {audience_regex: '('}}");
}

#[test]
fn all_origins_are_admitted_with_a_warning() {
    let given = Given::yaml("client: {allowed_origins: ['*']}");
    assert!(given.warnings().starts_with("config.yaml: client.allowed_origins: \"*\" admits every web page"));
}

#[test]
fn tokens_are_checked_by_value_or_by_pattern() {
    refused(
        "client: {token: {issuer: a, issuer_regex: b}}",
        "client.token.issuer_regex: it does not go with issuer; remove one of them",
    );
    refused(
        "client: {subscription_token: {user_id_claim: a-b}}",
        "client.subscription_token.user_id_claim: \"a-b\" is no claim; write letters and _ only",
    );
}

#[test]
fn a_key_set_url_is_not_at_the_mercy_of_tokens() {
    let with = |regex: &str, extra: &str| {
        format!(
            "client: {{token: {{jwks_public_endpoint: 'https://{{{{tenant}}}}.x/keys', issuer_regex: '{regex}'{extra}}}}}"
        )
    };
    accepted(&with("^https://(?P<tenant>one|two-2|a\\.b)$", ""));
    assert!(Given::yaml(&with("^https://(?P<tenant>[a-z]+)$", "")).errors().contains("without classes"));
    assert!(Given::yaml(&with("^https://(?P<tenant>.+)$", "")).errors().contains("lists its values"));
    assert!(
        Given::yaml(&with("^https://(?P<other>one)$", "")).errors().contains("{{tenant}} must be a group")
    );
    // Where both patterns have the group, both must list.
    accepted(&with("(?P<tenant>one)", ", audience_regex: '(?P<tenant>one|two)'"));
    let loose = Given::yaml(&with("(?P<tenant>one)", ", audience_regex: '(?P<tenant>.+)'"));
    assert!(loose.errors().contains("lists its values"));
    accepted(&with("(?P<tenant>.+)", ", insecure_skip_jwks_endpoint_safety_check: true"));
}

#[test]
fn a_personal_channel_has_its_namespace() {
    let personal = |text: &str| format!("client: {{subscribe_to_user_personal_channel: {{{text}}}}}");
    let key = "client.subscribe_to_user_personal_channel";
    refused(
        &personal("enabled: true, personal_channel_namespace: me"),
        &format!(
            "{key}.personal_channel_namespace: \"me\" is not there; add it to channel.namespaces or name another"
        ),
    );
    refused(
        &personal("enabled: true, single_connection: true"),
        &format!("{key}.single_connection: it needs presence; set channel.without_namespace.presence"),
    );
    refused(
        &personal("single_connection: true"),
        &format!("{key}.single_connection: it needs presence; set channel.without_namespace.presence"),
    );
    accepted(&personal("enabled: false, personal_channel_namespace: me"));
    accepted(
        "client: {subscribe_to_user_personal_channel: {enabled: true, personal_channel_namespace: me}}\n\
         channel: {namespaces: [{name: me}]}",
    );
}

#[test]
fn proxies_exist_and_can_be_reached() {
    refused(
        "client: {proxy: {connect: {enabled: true}}}",
        "client.proxy.connect.endpoint: the proxy is used and needs one, as in \"http://127.0.0.1:3000/connect\"",
    );
    let errors = Given::yaml("channel: {without_namespace: {publish_proxy_enabled: true}}").errors();
    assert_eq!(
        errors,
        "config.yaml: channel.proxy.publish.endpoint: the proxy is used and needs one, as in \"http://127.0.0.1:3000/connect\""
    );
    refused(
        "channel: {namespaces: [{name: chat, subscribe_proxy_name: auth}]}",
        "channel.namespaces[chat].subscribe_proxy_name: there is no proxy \"auth\"; add it to proxies or name another",
    );
    refused(
        "rpc: {namespaces: [{name: rp, proxy_name: auth}]}",
        "rpc.namespaces[rp].proxy_name: there is no proxy \"auth\"; add it to proxies or name another",
    );
    accepted("rpc: {without_namespace: {proxy_enabled: true}}");
    let two = "channel: {proxy: {subscribe: {endpoint: a}, subscribe_stream: {endpoint: 'grpc://a'}}, \
               without_namespace: {subscribe_stream_proxy_enabled: true, subscribe_proxy_enabled: true}}";
    refused(
        two,
        "channel.without_namespace.subscribe_stream_proxy_enabled: it does not go with subscribe_proxy_enabled",
    );
    refused(
        "channel: {proxy: {subscribe_stream: {endpoint: 'http://a'}}, without_namespace: \
         {subscribe_stream_proxy_enabled: true}}",
        "channel.without_namespace.subscribe_stream_proxy_name: proxy \"default\" must have a grpc:// endpoint",
    );
}

#[test]
fn status_transforms_are_complete() {
    let with = |text: &str| {
        format!(
            "proxies: [{{name: aa, endpoint: 'http://a', http: {{status_to_code_transforms: [{text}]}}}}]"
        )
    };
    let key = "proxies[aa].http.status_to_code_transforms[0]";
    refused(&with("{to_error: {code: 400}}"), &format!("{key}.status_code: write the HTTP status to match"));
    let either = format!("{key}.to_error.code: write the code of either to_error or to_disconnect");
    refused(&with("{status_code: 404}"), &either);
    refused(&with("{status_code: 404, to_error: {code: 1}, to_disconnect: {code: 2}}"), &either);
    refused(
        &with("{status_code: 404, to_disconnect: {code: 4000, reason: 'é'}}"),
        &format!("{key}.to_disconnect.reason: write at most 123 bytes of ASCII"),
    );
    accepted(&with("{status_code: 404, to_error: {code: 404, message: gone}}"));
}

#[test]
fn maps_have_a_mode_that_fits() {
    let options = |text: &str| format!("channel: {{without_namespace: {{{text}}}}}");
    let key = "channel.without_namespace.map";
    refused(
        &options("subscription_type: map"),
        &format!("{key}.mode: a map needs a mode: ephemeral, recoverable or persistent"),
    );
    refused(
        &options("map: {mode: ephemeral}"),
        &format!("{key}.key_ttl: mode ephemeral needs it, as in \"60s\""),
    );
    refused(
        &options("map: {mode: persistent, key_ttl: 1m}"),
        &format!("{key}.key_ttl: keys of a persistent map do not expire; remove it"),
    );
    refused(
        &options("subscription_type: map_users, map: {mode: persistent}"),
        &format!("{key}.mode: map_users cannot be persistent; write ephemeral or recoverable"),
    );
    refused(
        &options("map: {mode: ephemeral, key_ttl: 1m, stream_size: 5}"),
        &format!("{key}.stream_size: an ephemeral map has no stream; remove it or use mode recoverable"),
    );
    refused(
        &options("map: {mode: recoverable, key_ttl: 1m, meta_ttl: 30s}"),
        &format!("{key}.meta_ttl: it must not be shorter than stream_ttl, which is 1m"),
    );
    refused(
        &options("map: {mode: persistent, min_page_size: 50, max_page_size: 10}"),
        &format!("{key}.min_page_size: 50 is more than max_page_size, which is 10"),
    );
    refused(
        &options("map_users_presence_channel_prefix: 'users:'"),
        "channel.without_namespace.map_users_presence_channel_prefix: \"users:\" leads to a namespace that is not \
         there; add it to channel.namespaces",
    );
    refused(
        "channel: {proxy: {shared_poll_refresh: {endpoint: a}}, without_namespace: {subscription_type: shared_poll}}",
        "channel.without_namespace.subscription_type: shared_poll needs a shared_poll.hmac_secret_key",
    );
}

#[test]
fn consumers_have_what_their_type_needs_when_they_run() {
    refused(
        "consumers: [{name: kk, type: kafka, enabled: true, kafka: {brokers: a, topics: b}}]",
        "consumers[kk].kafka.consumer_group: a consumer of type kafka needs it",
    );
    refused(
        "consumers: [{name: kk, type: rabbit}]",
        "consumers[kk].type: \"rabbit\" is unknown; write one of postgresql, kafka, nats_jetstream, redis_stream, \
         google_pub_sub, aws_sqs, azure_service_bus",
    );
    accepted("consumers: [{name: kk, type: kafka}]");
}

#[test]
fn listeners_and_paths_can_exist() {
    refused(
        "websocket: {compression: true, compression_level: 10}",
        "websocket.compression_level: 10 is no level; write 1 to 9",
    );
    refused("http_server: {port: 70000}", "http_server.port: 70000 is no port; write 1 to 65535");
    refused(
        "http_server: {internal_port: http}",
        "http_server.internal_port: \"http\" is no port; write 1 to 65535",
    );
    refused(
        "health: {handler_prefix: up}",
        "health.handler_prefix: a path starts with a slash; write \"/up\"",
    );
    refused(
        "http_server: {http3: {enabled: true}}",
        "http_server.http3.enabled: HTTP/3 needs TLS; set http_server.tls.enabled",
    );
    refused(
        "webtransport: {enabled: true}",
        "webtransport.enabled: WebTransport needs HTTP/3; set http_server.http3.enabled",
    );
    refused(
        "http_server: {h2c_external: true}",
        "http_server.h2c_external: it needs an internal_port that differs from port",
    );
    refused(
        "broker: {type: redisnats}",
        "broker.type: redisnats is not released; set enable_unreleased_features to use it all the same",
    );
    refused("node: {shards: -1}", "node.shards: -1 is out of range; write 0 to 1024");
}

#[test]
fn rules_are_not_checked_against_stand_ins_of_broken_values() {
    refused(
        "channel: {without_namespace: {history_size: 5, history_ttl: '300'}}",
        "channel.without_namespace.history_ttl: found \"300\", expected a duration: a unit is missing: write \"300s\" \
         for seconds or \"300ms\" for milliseconds",
    );
}

#[test]
fn a_breach_names_the_variable_that_caused_it() {
    let given = Given::yaml("channel: {namespaces: [{name: chat}]}")
        .env("FLYWHEEL_CHANNEL_NAMESPACES_CHAT_HISTORY_SIZE", "5");
    assert!(given.errors().starts_with(
        "variable FLYWHEEL_CHANNEL_NAMESPACES_CHAT_HISTORY_SIZE: channel.namespaces[chat].history_size: it needs"
    ));
}

#[test]
fn saying_goodbye_takes_no_longer_than_there_is_time_for() {
    refused(
        "shutdown: {timeout: 10s, delay: 4s, spread: 6s}",
        "shutdown.timeout: delay and spread take 10s together, but timeout leaves 10s; raise the timeout",
    );
    accepted("shutdown: {timeout: 10s, delay: 4s, spread: 5s}");
    accepted("shutdown: {timeout: 0s}");
}

#[test]
fn a_thread_that_sleeps_is_not_stuck() {
    refused(
        "health: {stuck_after: 1s}",
        "health.stuck_after: a healthy thread may not turn for a second; write 3s or more",
    );
    accepted("health: {stuck_after: 3s}");
    refused(
        "health: {abort_after: 2s}",
        "health.abort_after: a healthy thread may not turn for a second; write 3s or more, or -1s for never",
    );
    accepted("health: {abort_after: 3s}");
    accepted("health: {abort_after: -1s}");
}

#[test]
fn what_never_happens_is_said_by_a_negative_time_since_nothing_means_the_default() {
    for (written, expected) in [("-1s", None), ("0s", Some(10)), ("20s", Some(20))] {
        let text = format!("health: {{abort_after: {written}}}\nnode: {{hand_over_after: {written}}}");
        let config = Given::yaml(&text).loaded().config;
        let expected = expected.map(Duration::from_secs);
        assert_eq!(
            (config.readiness.abort_after, config.node.hand_over_after),
            (expected, expected),
            "{written}"
        );
    }
}
