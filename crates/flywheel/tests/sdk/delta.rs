//! The published JavaScript SDK with delta compression.

use std::time::Duration;

use flywheel_testkit::{Sdk, Server, add_namespace, fixture, set};
use serde_json::json;

use crate::arguments;

const CHECKS: [&str; 9] = [
    "subscribed",
    "every-payload-with-delta",
    "every-payload-without",
    "recovered-each-time",
    "mostly-patches",
    "exceptions-with-delta",
    "exceptions-without",
    "compression-as-agreed",
    "no-failure",
];

fn check(encoding: &str, deflate: bool) {
    let mut config = fixture();
    add_namespace(
        &mut config,
        json!({
            "name": "delta",
            "history_size": 100,
            "history_ttl": "300s",
            "force_recovery": true,
            "allowed_delta_types": ["fossil"],
            "allow_subscribe_for_client": true,
        }),
    );
    set(&mut config, "client.recovery_max_publication_limit", json!(100));
    set(&mut config, "websocket.compression", json!(deflate));
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let mut arguments = arguments(server.address(), "");
    arguments.push(format!("encoding={encoding}"));
    arguments.push(format!("deflate={deflate}"));
    Sdk::javascript().run("delta.mjs", &arguments, Duration::from_mins(2)).assert_all(&CHECKS);
}

#[test]
fn the_javascript_sdk_gets_every_payload_with_delta_in_json() {
    check("json", false);
}

#[test]
fn the_javascript_sdk_gets_every_payload_with_delta_in_protobuf() {
    check("protobuf", false);
}

#[test]
fn a_compressed_connection_gets_every_payload_with_delta_in_json() {
    check("json", true);
}

#[test]
fn a_compressed_connection_gets_every_payload_with_delta_in_protobuf() {
    check("protobuf", true);
}
