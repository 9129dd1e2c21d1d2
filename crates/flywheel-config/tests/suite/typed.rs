//! The typed configuration.

use std::time::Duration;

use flywheel_config::{Config, EngineType, ErrorMode, LogLevel, StatusMeaning, StatusTransform};
use flywheel_model::{DataFormat, RecoveryMode};

use crate::Given;

#[test]
fn the_default_is_what_no_source_at_all_gives() {
    let config = Given::default().loaded().config;
    assert_eq!(config.raw(), Config::default().raw());
    assert_eq!(config.http_server.port, 8000);
    assert_eq!(config.http_server.internal_port, None);
    assert_eq!(config.log.level, LogLevel::Info);
    assert_eq!(config.engine.r#type, EngineType::Memory);
    assert_eq!(config.client.channel_limit, Some(128));
    assert_eq!(config.client.ping_interval, Some(Duration::from_secs(25)));
    assert_eq!(config.client.subscription_token, None);
    assert_eq!(config.http_api.handler_prefix, "/api");
    assert_eq!(config.websocket.limits.write_timeout, Some(Duration::from_secs(1)));
    assert_eq!(config.channel.max_length, 255);
    assert_eq!(config.channel.without_namespace.history_meta_ttl, Duration::from_hours(720));
}

#[test]
fn what_is_switched_off_is_none() {
    let config = Given::yaml("client: {pong_timeout: -1s}")
        .env("FLYWHEEL_CLIENT_PING_INTERVAL", "0")
        .env("FLYWHEEL_CLIENT_CHANNEL_LIMIT", "0")
        .env("FLYWHEEL_WEBSOCKET_WRITE_TIMEOUT", "0")
        .env("FLYWHEEL_CLIENT_STALE_CLOSE_DELAY", "-5s")
        .env("FLYWHEEL_CLIENT_EXPIRED_CLOSE_DELAY", "-5s")
        .loaded()
        .config;
    assert_eq!(config.client.pong_timeout, None);
    assert_eq!(config.client.ping_interval, None);
    assert_eq!(config.client.channel_limit, None);
    assert_eq!(config.websocket.limits.write_timeout, None);
    assert_eq!(config.client.stale_close_delay, None);
    assert_eq!(config.client.expired_close_delay, Duration::ZERO);
}

#[test]
fn rules_of_channels_take_global_values_where_they_have_none() {
    let text = "channel:\n  history_meta_ttl: 48h\n  publication_data_format: json\n  user_boundary: '@'\n  namespaces:\n  \
                - name: chat\n    history_size: 10\n    history_ttl: 1h\n    force_recovery: true\n    \
                force_recovery_mode: cache\n    channel_regex: '^[a-z]+$'\n  - name: news\n    history_meta_ttl: 24h\n    \
                publication_data_format: binary\n";
    let rules = Given::yaml(text).loaded().config.channel;
    let chat = &rules.namespaces["chat"];
    assert_eq!(chat.history_size, 10);
    assert_eq!(chat.history_ttl, Duration::from_hours(1));
    assert_eq!(chat.history_meta_ttl, Duration::from_hours(48));
    assert_eq!(chat.force_recovery_mode, RecoveryMode::Cache);
    assert_eq!(chat.publication_data_format, DataFormat::Json);
    assert!(rules.checked("chat:abc").is_ok());
    assert!(rules.checked("chat:123").is_err());
    assert_eq!(rules.namespaces["news"].history_meta_ttl, Duration::from_hours(24));
    assert_eq!(rules.namespaces["news"].publication_data_format, DataFormat::Binary);
    assert_eq!(rules.without_namespace.publication_data_format, DataFormat::Json);
    assert_eq!(rules.user_boundary, "@");
}

#[test]
fn every_flag_of_a_namespace_reaches_its_field() {
    // One flag at a time, so that two that are mixed up are noticed.
    let flags = flywheel_config::keys().iter().filter_map(|key| {
        let name = key.path.strip_prefix("channel.namespaces[].")?;
        let is_flag =
            key.kind == flywheel_config::Kind::Bool && key.support == flywheel_config::Support::Supported;
        is_flag.then_some(name)
    });
    let off = format!("{:?}", Given::default().loaded().config.channel.without_namespace);
    let mut seen = 0;
    for flag in flags {
        let needs = match flag {
            "force_recovery" => ", history_size: 1, history_ttl: 1s",
            "auto_cache_recover" => {
                ", force_recovery: true, force_recovery_mode: cache, history_size: 1, history_ttl: 1s"
            }
            _ => "",
        };
        let proxies =
            ["subscribe", "publish", "sub_refresh"].map(|name| format!("{name}: {{endpoint: 'http://a'}}"));
        let proxies = proxies.join(", ");
        let text = format!("channel: {{proxy: {{{proxies}}}, without_namespace: {{{flag}: true{needs}}}}}");
        let on = format!("{:?}", Given::yaml(&text).loaded().config.channel.without_namespace);
        assert!(on.contains(&format!(" {flag}: true")), "{flag}");
        if needs.is_empty() {
            assert_eq!(on.replace(&format!(" {flag}: true"), &format!(" {flag}: false")), off);
        }
        seen += 1;
    }
    assert_eq!(seen, 25);
}

#[test]
fn tokens_have_a_section_of_their_own_only_when_enabled() {
    let text = "client: {subscription_token: {enabled: true, hmac_secret_key: s, user_id_claim: user}}";
    let client = Given::yaml(text).loaded().config.client;
    let token = client.subscription_token.unwrap();
    assert_eq!(token.hmac_secret_key.as_deref(), Some("s"));
    assert_eq!(token.user_id_claim.as_deref(), Some("user"));
    assert_eq!(client.token.hmac_secret_key, None);
}

#[test]
fn secrets_are_not_shown() {
    let text =
        "client: {token: {hmac_secret_key: swordfish}}\nhttp_api: {key: swordfish, error_mode: transport}";
    let config = Given::yaml(text).loaded().config;
    assert_eq!(config.http_api.error_mode, ErrorMode::Transport);
    assert!(!format!("{config:?}").contains("swordfish"));
}

#[test]
fn a_slash_at_the_end_of_a_prefix_is_dropped() {
    let config = Given::yaml("health: {handler_prefix: /h/}\ninit: {handler_prefix: /}").loaded().config;
    assert_eq!(config.health.handler_prefix, "/h");
    assert_eq!(config.init.handler_prefix, "");
}

#[test]
fn proxies_are_found_by_name_and_by_namespace() {
    let text = "proxies:\n- name: chat\n  endpoint: 'http://chat'\n  timeout: 3s\n  http_headers: [Cookie, X-A]\n  \
                http: {static_headers: {X-Key: swordfish}, status_to_code_transforms: [{status_code: 404, to_error: \
                {code: 404, message: none, temporary: true}}, {status_code: 403, to_disconnect: {code: 4500, reason: no}}]}\n\
                client: {proxy: {connect: {enabled: true, endpoint: 'https://login', emulated_headers: [Authorization]}}}\n\
                channel:\n  proxy: {publish: {endpoint: 'http://publish', http_headers: [cookie]}}\n  \
                without_namespace: {publish_proxy_enabled: true}\n  namespaces:\n  \
                - {name: news, subscribe_proxy_enabled: true, subscribe_proxy_name: chat, publish_proxy_name: chat}\n\
                rpc: {proxy: {endpoint: 'http://rpc'}, namespaces: [{name: on, proxy_enabled: true}, {name: off}]}";
    let config = Given::yaml(text).loaded().config;
    let proxies = &config.proxies;
    let connect = proxies.connect.as_ref().unwrap();
    assert_eq!((connect.name.as_str(), connect.endpoint.as_str()), ("default", "https://login"));
    assert_eq!(proxies.refresh, None);
    let chat = &proxies.subscribe["news"];
    assert_eq!((chat.name.as_str(), chat.timeout), ("chat", Duration::from_secs(3)));
    assert_eq!(chat.static_headers.values().collect::<Vec<_>>(), ["swordfish"]);
    let transforms = [
        StatusTransform {
            status_code: 404,
            to: StatusMeaning::Error { code: 404, message: "none".into(), temporary: true },
        },
        StatusTransform {
            status_code: 403,
            to: StatusMeaning::Disconnect { code: 4500, reason: "no".into() },
        },
    ];
    assert_eq!(chat.status_to_code_transforms, transforms);
    assert_eq!(proxies.publish.keys().collect::<Vec<_>>(), [""]);
    assert_eq!(proxies.publish[""].endpoint, "http://publish");
    assert_eq!(proxies.rpc.keys().collect::<Vec<_>>(), ["on"]);
    assert_eq!(config.rpc.namespaces, ["on", "off"]);
    assert_eq!(proxies.http_headers(), ["cookie", "x-a"]);
    assert_eq!(proxies.emulated_headers(), ["authorization"]);
    assert!(!format!("{config:?}").contains("swordfish"));
}
