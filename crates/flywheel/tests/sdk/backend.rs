//! What an application calls: the published library for the server API.

use std::time::Duration;

use flywheel_testkit::{Sdk, Server, add_namespace, fixture};
use serde_json::json;

use crate::arguments;

#[test]
fn the_python_library_for_applications_works() {
    let mut config = fixture();
    let feed = json!({"name": "sdk", "presence": true, "history_size": 100, "history_ttl": "300s"});
    add_namespace(&mut config, feed);
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let checks = Sdk::python().run("backend.py", &arguments(server.address(), ""), Duration::from_mins(1));
    checks.assert_all(&[
        "subscribe",
        "publish",
        "idempotency",
        "broadcast",
        "broadcast-arrives",
        "presence",
        "presence-stats",
        "history",
        "history-remove",
        "channels",
        "info",
        "batch",
        "refresh",
        "unsubscribe",
        "error-code",
        "blocking-client",
        "wrong-key",
        "disconnect",
    ]);
}
