//! Keys that only the commercial edition of the reference knows.

/// The pattern that covers `path`, if the key belongs to the commercial edition. List items are written `[]`.
pub(crate) fn commercial(path: &str) -> Option<&'static str> {
    let whole = PATHS.iter().find(|prefix| covers(prefix, path));
    let option = || {
        let name = ["channel.without_namespace.", "channel.namespaces[]."]
            .iter()
            .find_map(|block| path.strip_prefix(block))?;
        OPTIONS.iter().find(|option| covers(option, name))
    };
    let anywhere = || ENDINGS.iter().find(|ending| path.ends_with(**ending));
    whole.or_else(option).or_else(anywhere).copied()
}

fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

const PATHS: &[&str] = &[
    "license",
    "database",
    "cache",
    "client.token.jwks",
    "client.token.meta_from_claim",
    "client.token.labels_from_claim",
    "client.subscription_token.jwks",
    "client.subscription_token.meta_from_claim",
    "client.subscription_token.labels_from_claim",
    "http_api.jwks",
    "grpc_api.jwks",
    "client.write_delay",
    "client.write_with_timer",
    "client.queue_shrink_delay",
    "client.max_messages_in_frame",
    "client.reply_without_queue",
    "client.queue_initial_cap",
    "client.batch_periodic_events",
    "client.rate_limit",
    "websocket.process_commands_off_read_loop",
    "websocket.compression_prepared_message_cache_size",
    "singleflight",
    "user_block",
    "token_revoke",
    "user_tokens_invalidate",
    "user_status",
    "channel.patterns",
    "channel.proxy.state",
    "channel.proxy.cache_empty",
    "state",
    "engine.redis.channel_state",
    "engine.redis.group_sharded_pub_sub_by_node",
    "engine.redis.use_precomputed_partition_tags",
    "engine.redis.subscribe_on_replica",
    "engine.redis.presence_read_from_replica",
    "brokers",
    "presence_managers",
    "map_brokers",
    "controller.redis",
    "controller.nats",
    "map_broker.cache",
    "map_broker.postgres.broker_fanout",
    "map_broker.postgres.read_replica",
    "map_broker.postgres.replica_dsn",
    "shared_poll.notification",
    "shared_poll_relay",
    "push_notifications",
    "clickhouse_analytics",
    "admin.oidc",
    "admin.api_key",
    "prometheus.channel_namespace_resolution",
    "prometheus.channel_namespace_for_transport_messages_sent",
    "prometheus.channel_namespace_for_transport_messages_received",
    "prometheus.additional_client_names",
    "prometheus.expose_transport_accept_protocol",
    "prometheus.client_labels",
    "opentelemetry.metrics",
    "opentelemetry.resource_detectors",
    "sentry",
];

/// Options of a namespace.
const OPTIONS: &[&str] = &[
    "subscribe_cel",
    "publish_cel",
    "history_cel",
    "presence_cel",
    "pattern",
    "keep_latest_publication",
    "shared_position_sync",
    "allow_channel_compaction",
    "client_publish_debounce_interval",
    "batch_max_size",
    "batch_max_delay",
    "batch_flush_latest",
    "state_proxy_enabled",
    "state_proxy_name",
    "state_events",
    "cache_empty_proxy_enabled",
    "cache_empty_proxy_name",
    "broker_name",
    "presence_manager_name",
    "map.broker_name",
    "full_state_channel_prefix",
    "shared_poll.keep_latest_data",
    "shared_poll.backpressure_max_interval",
    "shared_poll.notification",
    "client_publication",
];

/// Keys of a block that stands in many places.
const ENDINGS: &[&str] = &[".http.use_fast_client"];

/// Whether a variable sets such a key. The name comes without its prefix.
pub(crate) fn commercial_variable(name: &str) -> bool {
    let options = OPTIONS.iter().map(|option| format!("channel.without_namespace.{option}"));
    let paths = PATHS.iter().map(|path| (*path).to_owned()).chain(options);
    paths.map(|path| super::env_name(&path)).any(|prefix| {
        name.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}
