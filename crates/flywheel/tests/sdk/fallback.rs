//! Networks and servers that do not let every transport through.

use std::time::Duration;

use flywheel_testkit::{Sdk, Server, fixture, set};
use serde_json::json;

use crate::arguments;

/// The order in which the SDK tries them.
const TRANSPORTS: [&str; 3] = ["websocket", "http_stream", "sse"];

/// Connects to a server that has only the transports from this one on.
fn check(first: usize, encoding: &str) {
    let mut config = fixture();
    set(&mut config, "websocket.disabled", json!(first > 0));
    for (index, name) in TRANSPORTS.iter().enumerate().skip(1) {
        set(&mut config, &format!("{name}.enabled"), json!(index >= first));
    }
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let mut arguments = arguments(server.address(), "");
    arguments.push(format!("transports={}", TRANSPORTS.join(",")));
    arguments.push(format!("expected={}", TRANSPORTS[first]));
    arguments.push(format!("encoding={encoding}"));
    Sdk::javascript().run("fallback.mjs", &arguments, Duration::from_mins(1)).assert_all(&[
        "connected-by-the-first-that-works",
        "after-those-before-it",
        "publishes-and-receives",
    ]);
}

#[test]
fn the_javascript_sdk_prefers_websocket_where_it_works() {
    check(0, "json");
}

#[test]
fn the_javascript_sdk_falls_back_to_http_stream() {
    check(1, "json");
    check(1, "protobuf");
}

#[test]
fn the_javascript_sdk_falls_back_to_sse_at_last() {
    check(2, "json");
}
