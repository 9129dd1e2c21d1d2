//! The published JavaScript SDK with delta compression.

use std::time::Duration;

use flywheel_testkit::{Sdk, Server, add_namespace, fixture};
use serde_json::json;

use crate::arguments;

const CHECKS: [&str; 8] = [
    "subscribed",
    "every-payload-with-delta",
    "every-payload-without",
    "recovered-each-time",
    "mostly-patches",
    "exceptions-with-delta",
    "exceptions-without",
    "no-failure",
];

fn check(encoding: &str) {
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
    config["client"]["recovery_max_publication_limit"] = json!(100);
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let mut arguments = arguments(&server, "");
    arguments.push(format!("encoding={encoding}"));
    Sdk::javascript().run("delta.mjs", &arguments, Duration::from_mins(2)).assert_all(&CHECKS);
}

#[test]
fn the_javascript_sdk_gets_every_payload_with_delta_in_json() {
    check("json");
}

#[test]
fn the_javascript_sdk_gets_every_payload_with_delta_in_protobuf() {
    check("protobuf");
}
