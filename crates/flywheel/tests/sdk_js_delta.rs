//! The published JavaScript SDK with delta compression against the server.

#![expect(clippy::unwrap_used, reason = "helpers fail the test")]

use std::path::Path;
use std::time::Duration;

use flywheel_testkit::{Server, fixture, run, run_checks, sdk_folder, set, sign};
use serde_json::json;

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
    config["channel"]["namespaces"].as_array_mut().unwrap().push(json!({
        "name": "delta",
        "history_size": 100,
        "history_ttl": "300s",
        "force_recovery": true,
        "allowed_delta_types": ["fossil"],
        "allow_subscribe_for_client": true,
    }));
    set(&mut config, "websocket.compression", json!(deflate));
    config["client"]["recovery_max_publication_limit"] = json!(100);
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let folder = sdk_folder("js");
    let needs = folder.join("node_modules/centrifuge/package.json");
    let found = run(Path::new("/bin/sh"), &["-c", "command -v node"], &folder, Duration::from_secs(10));
    let node = found.stdout.trim();
    assert!(
        !node.is_empty(),
        "Node.js is missing: install version 20 or later, then run `cargo xtask setup`"
    );
    let arguments = [
        "delta.mjs".to_owned(),
        format!("address={}", server.address()),
        "key=secret".to_owned(),
        format!("token={}", sign("appendix-secret", r#"{"sub":"delta-user"}"#)),
        format!("encoding={encoding}"),
        format!("deflate={deflate}"),
    ];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let checks = run_checks(Path::new(node), &arguments, &folder, &needs, Duration::from_mins(2));
    checks.assert_all(&CHECKS);
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
