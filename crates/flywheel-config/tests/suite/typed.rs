//! The typed configuration.

use std::time::Duration;

use flywheel_config::{Config, EngineType, ErrorMode, LogLevel};
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
    assert_eq!(config.websocket.write_timeout, Some(Duration::from_secs(1)));
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
    assert_eq!(config.websocket.write_timeout, None);
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
        let text = format!("channel: {{without_namespace: {{{flag}: true{needs}}}}}");
        let on = format!("{:?}", Given::yaml(&text).loaded().config.channel.without_namespace);
        assert!(on.contains(&format!(" {flag}: true")), "{flag}");
        if needs.is_empty() {
            assert_eq!(on.replace(&format!(" {flag}: true"), &format!(" {flag}: false")), off);
        }
        seen += 1;
    }
    assert_eq!(seen, 22);
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
