//! A configuration file as it runs somewhere.

use std::time::Duration;

use flywheel_config::{ErrorMode, Warning, WebSocketCompression};
use serde_json::json;

use crate::Given;

fn large() -> Given {
    Given::yaml(include_str!("large.yaml")).env("CENTRIFUGO_VAR_BACKEND_KEY", "swordfish")
}

#[test]
fn it_loads_with_a_warning_for_each_part_that_is_not_there_yet() {
    let loaded = large().loaded();
    let keys: Vec<&str> = loaded.warnings.iter().map(Warning::key).collect();
    let expected = ["channel.proxy.subscribe.endpoint", "grpc_api", "admin", "consumers"];
    assert_eq!(keys, expected);
    assert!(loaded.warnings.iter().all(|warning| matches!(warning, Warning::NotSupported { .. })));
}

#[test]
fn its_values_arrive() {
    let config = large().loaded().config;
    assert_eq!(config.http_server.internal_port, Some(9000));
    assert_eq!(config.node.name.as_deref(), Some("rt-1"));
    assert_eq!(config.shutdown.timeout, Duration::from_secs(20));
    assert_eq!(config.client.token.hmac_secret_key.as_deref(), Some("0123456789abcdef"));
    assert_eq!(config.client.connection_limit, Some(50_000));
    assert_eq!(config.http_api.error_mode, ErrorMode::Transport);
    assert_eq!(config.channel.namespaces.len(), 3);
    assert!(config.channel.namespaces["prices"].allow_delta);
    assert!(config.rpc.ping.enabled);
    assert_eq!(config.websocket.limits.message_size_limit, Some(131_072));
    assert_eq!(config.websocket.limits.decompressed_message_size_limit, Some(1_310_720), "ten times as long");
    assert_eq!(config.websocket.compression, Some(WebSocketCompression { min_size: 256, level: 1 }));
    let headers = config.get("client.proxy.connect.http.static_headers");
    assert_eq!(headers, Some(&json!({"x-api-key": "swordfish"})));
}
