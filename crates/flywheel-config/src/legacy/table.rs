//! What the keys of versions 2 to 5 are called since version 6.

use super::renamed::RENAMED;
use New::{EveryProxy, Gone, Inlined, Key, KeyAndSwitch, Seconds};

/// How an old top-level key is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum New {
    /// It was renamed, or became a section.
    Key(&'static str),
    /// It was renamed, and switched something on that has a key of its own now.
    KeyAndSwitch(&'static str, &'static str),
    /// It was renamed, and a bare number in it means seconds.
    Seconds(&'static str),
    /// It became a key of every proxy.
    EveryProxy(&'static str),
    /// It named an item of `proxies`, whose place is this section now.
    Inlined(&'static str),
    /// It is gone; what to do instead.
    Gone(&'static str),
}

/// What became of an old top-level key.
pub(super) fn new_name(old: &str) -> Option<New> {
    let renamed = || RENAMED.iter().find(|(name, _)| *name == old).map(|(_, new)| Key(new));
    SPECIAL.iter().find(|(name, _)| *name == old).map(|(_, new)| *new).or_else(renamed)
}

/// Every old top-level key.
pub(super) fn old_names() -> impl Iterator<Item = &'static str> {
    SPECIAL.iter().map(|(name, _)| *name).chain(RENAMED.iter().map(|(name, _)| *name))
}

/// The default proxies that version 5 knew.
pub(super) const PROXIES: &[&str] = &[
    "client.proxy.connect",
    "client.proxy.refresh",
    "channel.proxy.subscribe",
    "channel.proxy.publish",
    "channel.proxy.sub_refresh",
    "channel.proxy.subscribe_stream",
    "rpc.proxy",
];

const SOCKJS: New = Gone("SockJS is gone; use WebSocket, or sse or http_stream as a fallback");
const TARANTOOL: New = Gone("the Tarantool engine is gone; use engine.type redis");
const NO_TLS_SWITCH: New = Gone("leave tls.enabled of that listener false");
const ALWAYS_V2: New = Gone("there is only one client protocol");
const CLOSED: New = Gone("channels are closed unless an allow_.._for_.. option opens them");
const POOL: New = Gone("connections are shared, there is no pool to size");
const IO: New = Gone("reading and writing are bounded together by engine.redis.io_timeout");

const SPECIAL: &[(&str, New)] = &[
    ("broker", KeyAndSwitch("broker.type", "broker.enabled")),
    ("proxy_connect_endpoint", KeyAndSwitch("client.proxy.connect.endpoint", "client.proxy.connect.enabled")),
    ("proxy_refresh_endpoint", KeyAndSwitch("client.proxy.refresh.endpoint", "client.proxy.refresh.enabled")),
    ("proxy_rpc_endpoint", KeyAndSwitch("rpc.proxy.endpoint", "rpc.without_namespace.proxy_enabled")),
    (
        "rpc_proxy_name",
        KeyAndSwitch("rpc.without_namespace.proxy_name", "rpc.without_namespace.proxy_enabled"),
    ),
    (
        "subscribe_proxy_name",
        KeyAndSwitch(
            "channel.without_namespace.subscribe_proxy_name",
            "channel.without_namespace.subscribe_proxy_enabled",
        ),
    ),
    (
        "publish_proxy_name",
        KeyAndSwitch(
            "channel.without_namespace.publish_proxy_name",
            "channel.without_namespace.publish_proxy_enabled",
        ),
    ),
    (
        "sub_refresh_proxy_name",
        KeyAndSwitch(
            "channel.without_namespace.sub_refresh_proxy_name",
            "channel.without_namespace.sub_refresh_proxy_enabled",
        ),
    ),
    (
        "subscribe_stream_proxy_name",
        KeyAndSwitch(
            "channel.without_namespace.subscribe_stream_proxy_name",
            "channel.without_namespace.subscribe_stream_proxy_enabled",
        ),
    ),
    ("connect_proxy_name", Inlined("client.proxy.connect")),
    ("refresh_proxy_name", Inlined("client.proxy.refresh")),
    ("proxy_binary_encoding", EveryProxy("binary_encoding")),
    ("proxy_grpc_cert_file", EveryProxy("grpc.tls.server_ca_pem")),
    ("proxy_grpc_compression", EveryProxy("grpc.compression")),
    ("proxy_grpc_credentials_key", EveryProxy("grpc.credentials_key")),
    ("proxy_grpc_credentials_value", EveryProxy("grpc.credentials_value")),
    ("proxy_grpc_metadata", EveryProxy("grpc_metadata")),
    ("proxy_grpc_tls", EveryProxy("grpc.tls")),
    ("proxy_http_headers", EveryProxy("http_headers")),
    ("proxy_http_status_code_transforms", EveryProxy("http.status_to_code_transforms")),
    ("proxy_include_connection_meta", EveryProxy("include_connection_meta")),
    ("proxy_static_http_headers", EveryProxy("http.static_headers")),
    ("history_lifetime", Seconds("channel.without_namespace.history_ttl")),
    ("redis_cluster_connect_timeout", Seconds("engine.redis.connect_timeout")),
    ("redis_cluster_read_timeout", Seconds("engine.redis.io_timeout")),
    ("redis_connect_timeout", Seconds("engine.redis.connect_timeout")),
    ("redis_history_meta_ttl", Seconds("channel.history_meta_ttl")),
    ("redis_read_timeout", Seconds("engine.redis.io_timeout")),
    ("redis_sequence_ttl", Seconds("channel.history_meta_ttl")),
    ("anonymous", CLOSED),
    ("disable_client_protocol_v1", ALWAYS_V2),
    ("gomaxprocs", Gone("set node.shards")),
    ("granular_proxy_mode", Gone("proxies with names are always there")),
    ("grpc_api_tls_disable", NO_TLS_SWITCH),
    ("history_disable_for_client", CLOSED),
    ("presence_disable_for_client", CLOSED),
    ("protected", CLOSED),
    ("publish", CLOSED),
    ("redis_cluster_pool_size", POOL),
    ("redis_cluster_write_timeout", IO),
    ("redis_host", Gone("set engine.redis.address, as in [\"redis://host:6379\"]")),
    ("redis_pool_size", POOL),
    ("redis_port", Gone("set engine.redis.address, as in [\"redis://host:6379\"]")),
    ("redis_streams", Gone("histories are kept in streams anyway")),
    ("redis_write_timeout", IO),
    ("server_side", CLOSED),
    ("shutdown_termination_delay", Gone("shutdown.timeout is all there is")),
    ("skip_user_check_in_subscription_token", Gone("the user of a subscription token is always checked")),
    ("sockjs", SOCKJS),
    ("sockjs_handler_prefix", SOCKJS),
    ("sockjs_heartbeat_delay", SOCKJS),
    ("sockjs_url", SOCKJS),
    ("subscribe_to_publish", CLOSED),
    ("tarantool_address", TARANTOOL),
    ("tarantool_mode", TARANTOOL),
    ("tarantool_password", TARANTOOL),
    ("tarantool_user", TARANTOOL),
    ("uni_grpc_tls_disable", NO_TLS_SWITCH),
    ("uni_websocket_ping_interval", Gone("set client.ping_interval")),
    ("use_client_protocol_v1_by_default", ALWAYS_V2),
    ("use_unlimited_history_by_default", Gone("set history_size and history_ttl of the namespace")),
    ("v3_use_offset", ALWAYS_V2),
    ("websocket_ping_interval", Gone("set client.ping_interval")),
];
