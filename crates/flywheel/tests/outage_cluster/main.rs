//! An outage as it happened: a setting for one shape of Redis met another shape, and nobody said so.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]

mod adapted;
mod chart;
mod commands;
mod names;
mod repaired;

use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use flywheel_testkit::{RedisCluster, Server, examine, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_flywheel");
const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster that tests share while they run at the same time; each has a prefix of its own there.
fn cluster() -> Arc<RedisCluster> {
    static SHARED: Mutex<Weak<RedisCluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(RedisCluster::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

#[track_caller]
fn wait_ready(server: &Server) {
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}\n{}", server.readiness().text(), server.log());
}

/// What `flywheel doctor` says of this text as a configuration, and its exit code.
fn examined(name: &str, text: &str) -> (Option<i32>, String) {
    let done = examine(Path::new(BINARY), name, text, PATIENCE);
    (done.code, done.stdout)
}

/// The server has not stumbled over anything, and has not asked one command about keys in several slots.
#[track_caller]
fn assert_unharmed(server: &Server) {
    let log = server.log();
    for word in ["panicked", "CROSSSLOT", "RUST_BACKTRACE"] {
        assert!(!log.contains(word), "{log}");
    }
    assert_eq!(server.request("GET", "/health/live", &[], b"").status, 200);
}
