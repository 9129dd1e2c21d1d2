//! The published JavaScript SDK over the transports it falls back to.

use std::time::Duration;

use flywheel_testkit::{Sdk, sign};
use serde_json::json;

use super::server;

fn check(transport: &str, encoding: &str) {
    let server = server(|config| {
        config["channel"]["namespaces"].as_array_mut().unwrap().push(json!({
            "name": "sdk",
            "history_size": 3000,
            "history_ttl": "300s",
            "force_recovery": true,
            "allow_subscribe_for_client": true,
            "allow_publish_for_client": true,
        }));
        config["client"]["recovery_max_publication_limit"] = json!(3000);
        config["client"]["ping_interval"] = json!("1s");
        config["client"]["pong_timeout"] = json!("900ms");
    });
    let arguments = [
        format!("address={}", server.address()),
        "key=secret".to_owned(),
        format!("token={}", sign("appendix-secret", r#"{"sub":"sdk-user"}"#)),
        format!("transport={transport}"),
        format!("encoding={encoding}"),
    ];
    Sdk::javascript().run("fallback.mjs", &arguments, Duration::from_mins(3)).assert_all(&[
        "connected",
        "publications-in-order",
        "published",
        "error-code",
        "told-why",
        "nothing-missed-and-nothing-twice",
        "still-there-after-pings",
        "disconnected",
    ]);
}

#[test]
fn the_javascript_sdk_works_over_server_sent_events() {
    check("sse", "json");
}

#[test]
fn the_javascript_sdk_works_over_a_streamed_response() {
    check("http_stream", "json");
}

#[test]
fn the_javascript_sdk_works_over_a_streamed_response_in_protobuf() {
    check("http_stream", "protobuf");
}
