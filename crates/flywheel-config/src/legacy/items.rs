//! What options of namespaces, RPC namespaces, proxies and TLS blocks were called before version 6.

use serde_json::Value;

use crate::schema::{Fragment, Kind, Shape, find};

/// How an old name inside a section is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// To this key, below the same section.
    To(&'static str),
    /// To this key, where a bare number means seconds.
    SecondsTo(&'static str),
    /// To these keys: the first takes the value, the second becomes true.
    ToAndSwitch(&'static str, &'static str),
    /// Nowhere; what to do instead.
    Gone(&'static str),
}

/// What became of an old name in a section. List items are written `[]` in the section's path.
pub(crate) fn moved(section: &str, fragments: &[Fragment], name: &str) -> Option<Moved> {
    let table: &[(&str, Moved)] = match section {
        "channel.namespaces[]" | "channel.without_namespace" => CHANNEL,
        "rpc.namespaces[]" => RPC,
        "proxies[]" => PROXY,
        _ => &[],
    };
    let row = table.iter().find(|(old, _)| *old == name).map(|(_, moved)| *moved);
    row.or_else(|| pem_spelling(fragments, name).map(Moved::To))
}

/// In version 5 the name of a proxy in a namespace also switched it on.
pub(crate) fn switch_on_named_proxies(item: &mut serde_json::Map<String, Value>) {
    for proxy in ["subscribe", "publish", "sub_refresh", "subscribe_stream"] {
        let named = item.get(&format!("{proxy}_proxy_name")).and_then(Value::as_str);
        if named.is_some_and(|name| name != "default") {
            item.insert(format!("{proxy}_proxy_enabled"), true.into());
        }
    }
}

/// `key_pem_file` and `key_pem_b64` are `key_pem` now, and so on.
fn pem_spelling(fragments: &[Fragment], name: &str) -> Option<&'static str> {
    let stem = name.strip_suffix("_file").or_else(|| name.strip_suffix("_b64"))?;
    let entry = find(fragments, stem)?;
    matches!(entry.shape, Shape::Value(Kind::Pem, _)).then_some(entry.name)
}

const CLOSED: Moved = Moved::Gone("channels are closed unless an allow_.._for_.. option opens them");

const CHANNEL: &[(&str, Moved)] = &[
    ("proxy_subscribe", Moved::To("subscribe_proxy_enabled")),
    ("proxy_publish", Moved::To("publish_proxy_enabled")),
    ("proxy_sub_refresh", Moved::To("sub_refresh_proxy_enabled")),
    ("proxy_subscribe_stream", Moved::To("subscribe_stream_proxy_enabled")),
    ("proxy_subscribe_stream_bidirectional", Moved::To("subscribe_stream_proxy_bidirectional")),
    ("position", Moved::To("force_positioning")),
    ("recover", Moved::To("force_recovery")),
    ("history_recover", Moved::To("force_recovery")),
    ("history_lifetime", Moved::SecondsTo("history_ttl")),
    ("anonymous", CLOSED),
    ("history_disable_for_client", CLOSED),
    ("presence_disable_for_client", CLOSED),
    ("protected", CLOSED),
    ("publish", CLOSED),
    ("server_side", CLOSED),
    ("subscribe_to_publish", CLOSED),
];

const RPC: &[(&str, Moved)] = &[("rpc_proxy_name", Moved::ToAndSwitch("proxy_name", "proxy_enabled"))];

const PROXY: &[(&str, Moved)] = &[
    ("static_http_headers", Moved::To("http.static_headers")),
    ("http_status_code_transforms", Moved::To("http.status_to_code_transforms")),
    ("grpc_tls", Moved::To("grpc.tls")),
    ("grpc_compression", Moved::To("grpc.compression")),
    ("grpc_credentials_key", Moved::To("grpc.credentials_key")),
    ("grpc_credentials_value", Moved::To("grpc.credentials_value")),
    ("grpc_cert_file", Moved::ToAndSwitch("grpc.tls.server_ca_pem", "grpc.tls.enabled")),
];
