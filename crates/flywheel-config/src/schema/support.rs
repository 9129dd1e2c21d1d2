//! How far each key is supported, and what a reload takes over. Changing a marker is a change of one line.

use Support::{Ignored, NotYet, Supported};

/// What setting a key does in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// What its meaning says.
    Supported,
    /// Nothing, and nothing is missed: it tunes something that is not there. Accepted without a word.
    Ignored,
    /// Nothing yet. Accepted with a warning when set to something else than its default.
    NotYet,
}

impl Support {
    /// The marker of a key, by its path with `[]` for list items. The longest entry that covers the path decides.
    pub(super) fn of(path: &str) -> Self {
        let within = |blocks: &[&str]| blocks.iter().find_map(|block| path.strip_prefix(block));
        let option = within(&["channel.without_namespace.", "channel.namespaces[]."]);
        let (table, path) = match (option, within(PROXIES)) {
            (Some(option), _) => (OPTIONS, option),
            (None, Some(key)) => (PROXY, key),
            (None, None) => (MARKS, path),
        };
        table
            .iter()
            .filter(|(covered, _)| covers(covered, path))
            .max_by_key(|(covered, _)| covered.len())
            .map_or(Self::NotYet, |(_, support)| *support)
    }
}

/// Whether SIGHUP takes a changed key over; otherwise it needs a restart.
pub(super) fn reloadable(path: &str) -> bool {
    RELOADABLE.iter().any(|prefix| covers(prefix, path))
}

/// The words of a choice that work in this version, where that is not all of them.
pub(crate) fn supported_words(path: &str) -> Option<&'static [&'static str]> {
    WORDS
        .iter()
        .find(|(choice, _)| path == *choice || path.ends_with(&format!("].{choice}")))
        .map(|row| row.1)
}

fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

const WORDS: &[(&str, &[&str])] = &[
    ("engine.type", &["memory", "redis"]),
    ("broker.type", &["memory", "redis"]),
    ("presence_manager.type", &["memory", "redis"]),
    ("channel.without_namespace.subscription_type", &["", "stream"]),
    ("subscription_type", &["", "stream"]),
];

const RELOADABLE: &[&str] = &[
    "log.level",
    "node.hand_over_after",
    "shutdown",
    "channel",
    "rpc",
    "proxies",
    "client",
    "health.grace",
    "health.scope",
    "health.stuck_after",
    "health.abort_after",
];

const MARKS: &[(&str, Support)] = &[
    ("http_server.address", Supported),
    ("http_server.port", Supported),
    ("http_server.internal_address", Supported),
    ("http_server.internal_port", Supported),
    ("log", Supported),
    ("node.name", Supported),
    ("node.shards", Supported),
    ("node.info_metrics_aggregate_interval", Supported),
    ("node.hand_over_after", Supported),
    ("shutdown", Supported),
    ("pid_file", Supported),
    ("engine", Supported),
    ("engine.redis.tls.client_ca_pem", Ignored),
    ("engine.redis.sentinel_tls.client_ca_pem", Ignored),
    ("engine.redis.replica_client", Ignored),
    ("broker.enabled", Supported),
    ("broker.type", Supported),
    ("broker.redis", Supported),
    ("broker.redis.tls.client_ca_pem", Ignored),
    ("broker.redis.sentinel_tls.client_ca_pem", Ignored),
    ("broker.redis.replica_client", Ignored),
    ("presence_manager", Supported),
    ("presence_manager.redis.tls.client_ca_pem", Ignored),
    ("presence_manager.redis.sentinel_tls.client_ca_pem", Ignored),
    ("presence_manager.redis.replica_client", Ignored),
    ("client.allowed_origins", Supported),
    ("client.token.hmac_secret_key", Supported),
    ("client.token.hmac_previous_secret_key", Supported),
    ("client.token.hmac_previous_secret_key_valid_until", Supported),
    ("client.token.rsa_public_key", Supported),
    ("client.token.ecdsa_public_key", Supported),
    ("client.token.jwks_public_endpoint", Supported),
    ("client.token.insecure_skip_jwks_endpoint_safety_check", Supported),
    ("client.token.audience", Supported),
    ("client.token.audience_regex", Supported),
    ("client.token.issuer", Supported),
    ("client.token.issuer_regex", Supported),
    ("client.token.user_id_claim", Supported),
    ("client.subscription_token.enabled", Supported),
    ("client.subscription_token.hmac_secret_key", Supported),
    ("client.subscription_token.hmac_previous_secret_key", Supported),
    ("client.subscription_token.hmac_previous_secret_key_valid_until", Supported),
    ("client.subscription_token.rsa_public_key", Supported),
    ("client.subscription_token.ecdsa_public_key", Supported),
    ("client.subscription_token.jwks_public_endpoint", Supported),
    ("client.subscription_token.insecure_skip_jwks_endpoint_safety_check", Supported),
    ("client.subscription_token.audience", Supported),
    ("client.subscription_token.audience_regex", Supported),
    ("client.subscription_token.issuer", Supported),
    ("client.subscription_token.issuer_regex", Supported),
    ("client.subscription_token.user_id_claim", Supported),
    ("client.allow_anonymous_connect_without_token", Supported),
    ("client.disallow_anonymous_connection_tokens", Supported),
    ("client.ping_interval", Supported),
    ("client.pong_timeout", Supported),
    ("client.expired_close_delay", Supported),
    ("client.expired_sub_close_delay", Supported),
    ("client.stale_close_delay", Supported),
    ("client.channel_limit", Supported),
    ("client.queue_max_size", Supported),
    ("client.presence_update_interval", Supported),
    ("client.concurrency", Supported),
    ("client.channel_position_check_delay", Supported),
    ("client.connection_limit", Supported),
    ("client.user_connection_limit", Supported),
    ("client.connection_rate_limit", Supported),
    ("client.connect_include_server_time", Supported),
    ("client.history_max_publication_limit", Supported),
    ("client.recovery_max_publication_limit", Supported),
    ("client.insecure_skip_token_signature_verify", Supported),
    ("client.user_id_http_header", Supported),
    ("client.insecure", Supported),
    ("client.subscribe_to_user_personal_channel.enabled", Supported),
    ("client.subscribe_to_user_personal_channel.personal_channel_namespace", Supported),
    ("client.subscribe_to_user_personal_channel.single_connection", Supported),
    ("channel.history_meta_ttl", Supported),
    ("channel.publication_data_format", Supported),
    ("channel.max_length", Supported),
    ("channel.private_prefix", Supported),
    ("channel.namespace_boundary", Supported),
    ("channel.user_boundary", Supported),
    ("channel.user_separator", Supported),
    ("channel.namespaces", Supported),
    ("rpc.ping", Supported),
    ("rpc.without_namespace", Supported),
    ("rpc.namespaces", Supported),
    ("proxies", Supported),
    ("rpc.namespace_boundary", Supported),
    ("http_api", Supported),
    ("websocket.disabled", Supported),
    ("websocket.handler_prefix", Supported),
    ("websocket.write_timeout", Supported),
    ("websocket.message_size_limit", Supported),
    ("websocket.compression", Supported),
    ("websocket.compression_min_size", Supported),
    ("websocket.compression_level", Supported),
    ("websocket.decompressed_message_size_limit", Supported),
    ("websocket.read_buffer_size", Ignored),
    ("websocket.write_buffer_size", Ignored),
    ("websocket.use_write_buffer_pool", Ignored),
    ("sse", Supported),
    ("http_stream", Supported),
    ("emulation", Supported),
    ("uni_websocket.enabled", Supported),
    ("uni_websocket.handler_prefix", Supported),
    ("uni_websocket.disable_closing_handshake", Supported),
    ("uni_websocket.disable_disconnect_push", Supported),
    ("uni_websocket.write_timeout", Supported),
    ("uni_websocket.message_size_limit", Supported),
    ("uni_websocket.decompressed_message_size_limit", Supported),
    ("uni_websocket.compression", Supported),
    ("uni_websocket.compression_min_size", Supported),
    ("uni_websocket.compression_level", Supported),
    ("uni_websocket.join_push_messages", Ignored),
    ("uni_websocket.read_buffer_size", Ignored),
    ("uni_websocket.write_buffer_size", Ignored),
    ("uni_websocket.use_write_buffer_pool", Ignored),
    ("uni_sse", Supported),
    ("uni_http_stream", Supported),
    ("client.connect_code_to_unidirectional_disconnect", Supported),
    ("prometheus.enabled", Supported),
    ("prometheus.handler_prefix", Supported),
    ("health", Supported),
    ("init", Supported),
    ("usage_stats.disabled", Ignored),
];

/// Options of `channel.without_namespace` and of each namespace.
const OPTIONS: &[(&str, Support)] = &[
    ("name", Supported),
    ("presence", Supported),
    ("join_leave", Supported),
    ("force_push_join_leave", Supported),
    ("history_size", Supported),
    ("history_ttl", Supported),
    ("history_meta_ttl", Supported),
    ("force_positioning", Supported),
    ("allow_positioning", Supported),
    ("force_recovery", Supported),
    ("allow_recovery", Supported),
    ("force_recovery_mode", Supported),
    ("auto_cache_recover", Supported),
    ("allowed_delta_types", Supported),
    ("allow_tags_filter", Supported),
    ("delta_publish", Supported),
    ("allow_subscribe_for_anonymous", Supported),
    ("allow_subscribe_for_client", Supported),
    ("allow_publish_for_anonymous", Supported),
    ("allow_publish_for_subscriber", Supported),
    ("allow_publish_for_client", Supported),
    ("allow_presence_for_anonymous", Supported),
    ("allow_presence_for_subscriber", Supported),
    ("allow_presence_for_client", Supported),
    ("allow_history_for_anonymous", Supported),
    ("allow_history_for_subscriber", Supported),
    ("allow_history_for_client", Supported),
    ("allow_user_limited_channels", Supported),
    ("channel_regex", Supported),
    ("publication_data_format", Supported),
    ("subscription_type", Supported),
    ("subscribe_proxy_enabled", Supported),
    ("subscribe_proxy_name", Supported),
    ("publish_proxy_enabled", Supported),
    ("publish_proxy_name", Supported),
    ("sub_refresh_proxy_enabled", Supported),
    ("sub_refresh_proxy_name", Supported),
];

/// Blocks that say how to ask a backend.
const PROXIES: &[&str] = &[
    "client.proxy.connect.",
    "client.proxy.refresh.",
    "channel.proxy.subscribe.",
    "channel.proxy.publish.",
    "channel.proxy.sub_refresh.",
    "rpc.proxy.",
    "proxies[].",
];

/// Options of each of them.
const PROXY: &[(&str, Support)] = &[
    ("name", Supported),
    ("enabled", Supported),
    ("endpoint", Supported),
    ("timeout", Supported),
    ("http_headers", Supported),
    ("emulated_headers", Supported),
    ("binary_encoding", Supported),
    ("include_connection_meta", Supported),
    ("http", Supported),
    ("http.tls", NotYet),
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every path that a marker names, spelt out.
    pub(in crate::schema) fn marked() -> Vec<String> {
        let options = OPTIONS.iter().map(|(name, _)| format!("channel.namespaces[].{name}"));
        let marks = MARKS.iter().map(|(path, _)| (*path).to_owned());
        let proxies = PROXY.iter().filter(|(name, _)| *name != "enabled");
        let proxies = proxies.map(|(name, _)| format!("proxies[].{name}"));
        marks.chain(options).chain(proxies).chain(RELOADABLE.iter().map(|path| (*path).to_owned())).collect()
    }

    #[test]
    fn the_longest_marker_decides_and_without_one_a_key_is_not_supported_yet() {
        assert_eq!(Support::of("websocket.handler_prefix"), Supported);
        assert_eq!(Support::of("websocket.read_buffer_size"), Ignored);
        assert_eq!(Support::of("websocket.compression"), Supported);
        assert_eq!(Support::of("websocket.compression_prepared_message_cache_size"), Support::NotYet);
        assert_eq!(Support::of("channel.namespaces"), Supported);
        assert_eq!(Support::of("channel.namespaces[].presence"), Supported);
        assert_eq!(Support::of("channel.namespaces[].map.mode"), Support::NotYet);
        assert_eq!(Support::of("channel.without_namespace.map.mode"), Support::NotYet);
    }

    #[test]
    fn proxies_are_supported_but_for_grpc_and_their_own_certificates() {
        assert_eq!(Support::of("proxies[].http.static_headers"), Supported);
        assert_eq!(Support::of("rpc.proxy.http.status_to_code_transforms[].status_code"), Supported);
        assert_eq!(Support::of("client.proxy.connect.http.tls.enabled"), Support::NotYet);
        assert_eq!(Support::of("client.proxy.connect.grpc.compression"), Support::NotYet);
        assert_eq!(Support::of("channel.proxy.subscribe_stream.endpoint"), Support::NotYet);
    }

    #[test]
    fn rules_and_backends_are_reloaded_and_listeners_are_not() {
        assert!(reloadable("channel.namespaces"));
        assert!(reloadable("client.token.hmac_secret_key"));
        assert!(reloadable("channel.proxy.subscribe.endpoint"));
        assert!(reloadable("proxies"));
        assert!(!reloadable("http_server.port"));
    }
}
