//! A log that nobody reads in time keeps nobody from hearing that the node is not ready.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers fail the test")]

#[allow(dead_code, reason = "the other tests use more of it")]
#[path = "cluster/world.rs"]
mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use world::{World, health, wait_for};

/// Whether the log takes nothing, and whether the watchdog waits for it to.
static BLOCKED: AtomicBool = AtomicBool::new(false);
static WAITED_FOR: AtomicBool = AtomicBool::new(false);

/// Looks that a blocked log is waited for, so that the test can fail.
const PATIENCE: usize = 6000;

struct Log;

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let is_watchdog = std::thread::current().name() == Some("flywheel-watchdog");
        if !is_watchdog || *event.metadata().level() > Level::WARN {
            return;
        }
        for _ in 0..PATIENCE {
            if !BLOCKED.load(Ordering::SeqCst) {
                return;
            }
            WAITED_FOR.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the log stays blocked");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_node_says_that_it_is_not_ready_before_it_writes_that_down() {
    tracing::subscriber::set_global_default(Log).unwrap();
    let world = World::new(1, health());
    let [node] = &world.nodes[..] else { unreachable!() };
    wait_for("it is ready", || node.is_ready());
    BLOCKED.store(true, Ordering::SeqCst);
    node.database.down.store(true, Ordering::SeqCst);
    wait_for("it is being written down", || WAITED_FOR.load(Ordering::SeqCst));
    assert_eq!(node.reasons(), "database: connection refused");
    assert!(!node.is_ready());
    BLOCKED.store(false, Ordering::SeqCst);
}
