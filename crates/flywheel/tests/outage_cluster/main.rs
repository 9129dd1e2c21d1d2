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

use flywheel_testkit::{JsonClient, RedisCluster, Server, fixture, run, set, wait_until};
use serde_json::{Value, json};

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

/// The configuration of the transcripts on a Redis that is reached like this.
fn on_redis(redis: &Value) -> Value {
    let mut config = fixture();
    set(&mut config, "engine.type", json!("redis"));
    set(&mut config, "engine.redis", redis.clone());
    config
}

fn readiness(server: &Server) -> String {
    server.request("GET", "/health/ready", &[], b"").text()
}

fn is_ready(server: &Server) -> bool {
    server.request("GET", "/health/ready", &[], b"").status == 200
}

#[track_caller]
fn wait_ready(server: &Server) {
    assert!(wait_until(PATIENCE, || is_ready(server)), "{}\n{}", readiness(server), server.log());
}

/// The next publication, skipping joins and leaves.
fn publication(client: &mut JsonClient) -> Value {
    loop {
        let mut push = client.push();
        if push["pub"].is_object() {
            return push["pub"].take();
        }
    }
}

/// What `flywheel doctor` says of this text as a configuration, and its exit code.
fn examined(name: &str, text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    let done = run(Path::new(BINARY), &["doctor", "-c", name], folder.path(), PATIENCE);
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
