//! What the tests of all SDKs have in common: one server, one script, and a restart in the middle.

#![expect(clippy::unwrap_used, reason = "helpers fail the test")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use flywheel_testkit::{Server, Signal, fixture, run_checks, set, sign, wait_until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(3);

/// The checks that every script makes, in this order.
const CHECKS: [&str; 14] = [
    "connected",
    "subscribed",
    "publications-in-order",
    "presence",
    "presence-stats",
    "history",
    "published",
    "error-code",
    "told-of-the-shutdown",
    "reconnected",
    "resubscribed",
    "receives-after-restart",
    "unsubscribed",
    "disconnected",
];

/// Runs a script against a fresh server, which is restarted when the script asks for it.
pub(crate) fn check(program: &Path, script: &str, folder: &Path, needs: &Path, encoding: &str) {
    let mut config = fixture();
    config["channel"]["namespaces"].as_array_mut().unwrap().push(json!({
        "name": "sdk",
        "presence": true,
        "history_size": 100,
        "history_ttl": "300s",
        "force_recovery": true,
        "allow_subscribe_for_client": true,
        "allow_publish_for_client": true,
        "allow_presence_for_client": true,
        "allow_history_for_client": true,
    }));
    set(&mut config, "shutdown.timeout", json!("5s"));
    let mut server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let signals = tempfile::tempdir().unwrap();
    let restart = signals.path().join("restart");
    let token = sign("appendix-secret", r#"{"sub":"sdk-user"}"#);
    let arguments = [
        script.to_owned(),
        format!("address={}", server.address()),
        "key=secret".to_owned(),
        format!("token={token}"),
        format!("encoding={encoding}"),
        format!("restart={}", restart.display()),
    ];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let over = AtomicBool::new(false);
    let checks = thread::scope(|scope| {
        scope.spawn(|| {
            wait_until(PATIENCE, || restart.exists() || over.load(Ordering::Relaxed));
            if restart.exists() {
                server.signal(Signal::TERM);
                assert_eq!(server.wait_exit(Duration::from_secs(15)), Some(0), "{}", server.log());
                server.start_again();
            }
        });
        let _over = OnDrop(&over);
        run_checks(program, &arguments, folder, needs, PATIENCE)
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
