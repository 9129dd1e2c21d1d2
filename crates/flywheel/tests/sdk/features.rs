//! What an application does with a client, and a restart of the server in the middle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use flywheel_testkit::{Sdk, Server, Signal, add_namespace, fixture, set, wait_until};
use serde_json::json;

use crate::{arguments, enable_emulation};

const PATIENCE: Duration = Duration::from_mins(3);

/// The checks that every script makes, in this order.
const CHECKS: [&str; 17] = [
    "connected",
    "subscribed",
    "publications-in-order",
    "presence",
    "presence-stats",
    "history",
    "published",
    "error-code",
    "still-there-after-pings",
    "told-why",
    "recovered",
    "told-of-the-shutdown",
    "reconnected",
    "resubscribed",
    "receives-after-restart",
    "unsubscribed",
    "disconnected",
];

/// Runs a script against a fresh server, which is restarted when the script asks for it.
fn check(sdk: &Sdk, script: &str, transport: &str, encoding: &str) {
    let mut config = fixture();
    add_namespace(
        &mut config,
        json!({
            "name": "sdk",
            "presence": true,
            "history_size": 100,
            "history_ttl": "300s",
            "force_recovery": true,
            "allow_subscribe_for_client": true,
            "allow_publish_for_client": true,
            "allow_presence_for_client": true,
            "allow_history_for_client": true,
        }),
    );
    enable_emulation(&mut config);
    set(&mut config, "shutdown.timeout", json!("5s"));
    set(&mut config, "client.ping_interval", json!("2s"));
    set(&mut config, "client.pong_timeout", json!("1900ms"));
    let mut server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let signals = tempfile::tempdir().unwrap();
    let restart = signals.path().join("restart");
    let mut arguments = arguments(server.address(), "");
    arguments.push(format!("transport={transport}"));
    arguments.push(format!("encoding={encoding}"));
    arguments.push(format!("restart={}", restart.display()));
    arguments.push("ping=2".to_owned());
    let over = AtomicBool::new(false);
    let checks = thread::scope(|scope| {
        scope.spawn(|| {
            let told = wait_until(2 * PATIENCE, || restart.exists() || over.load(Ordering::Relaxed));
            assert!(told, "the script neither ends nor asks for a restart");
            if restart.exists() {
                server.signal(Signal::TERM);
                assert_eq!(server.wait_exit(Duration::from_secs(15)), Some(0), "{}", server.log());
                server.start_again();
            }
        });
        let _over = OnDrop(&over);
        sdk.run(script, &arguments, PATIENCE)
    });
    checks.assert_all(&CHECKS);
}

/// Tells the thread beside it that the script has ended, also when it failed.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_javascript_sdk_works_in_json() {
    check(&Sdk::javascript(), "sdk.mjs", "websocket", "json");
}

#[test]
fn the_javascript_sdk_works_in_protobuf() {
    check(&Sdk::javascript(), "sdk.mjs", "websocket", "protobuf");
}

#[test]
fn the_javascript_sdk_works_over_http_stream_in_json() {
    check(&Sdk::javascript(), "sdk.mjs", "http_stream", "json");
}

#[test]
fn the_javascript_sdk_works_over_http_stream_in_protobuf() {
    check(&Sdk::javascript(), "sdk.mjs", "http_stream", "protobuf");
}

#[test]
fn the_javascript_sdk_works_over_sse() {
    check(&Sdk::javascript(), "sdk.mjs", "sse", "json");
}

#[test]
fn the_python_sdk_works_in_json() {
    check(&Sdk::python(), "sdk.py", "websocket", "json");
}

#[test]
fn the_python_sdk_works_in_protobuf() {
    check(&Sdk::python(), "sdk.py", "websocket", "protobuf");
}
