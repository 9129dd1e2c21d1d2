//! A log that nobody reads in time keeps nobody from hearing that the node is not ready, and nothing from being done about it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers fail the test")]

#[allow(dead_code, reason = "the other tests use more of it")]
#[path = "cluster/world.rs"]
mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use flywheel_node::{DrainedBy, HealthSettings};
use parking_lot::{Mutex, MutexGuard};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use world::{TestNode, World, health, wait_for};

/// Whether the log takes nothing, and whether the watchdog waits for it to.
static BLOCKED: AtomicBool = AtomicBool::new(false);
static WAITED_FOR: AtomicBool = AtomicBool::new(false);

/// Looks that a blocked log is waited for: longer than the tests wait for anything, so that they fail first.
const PATIENCE: usize = 12_000;

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
        if *event.metadata().level() > Level::INFO {
            return;
        }
        let is_watchdog = std::thread::current().name() == Some("flywheel-watchdog");
        for _ in 0..PATIENCE {
            if !BLOCKED.load(Ordering::SeqCst) {
                return;
            }
            WAITED_FOR.fetch_or(is_watchdog, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the log stays blocked");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Makes the log of the process this one's, and nobody else's for as long as the answer is kept.
fn own_log() -> MutexGuard<'static, ()> {
    static OWNED: Mutex<()> = Mutex::new(());
    static STARTED: Once = Once::new();
    STARTED.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
    OWNED.lock()
}

/// Nobody reads the log while this is there.
struct Blocked;

impl Blocked {
    /// From now on, and with something to be written: the node's database is gone, and its watchdog waits.
    fn with_news(node: &TestNode) -> Self {
        WAITED_FOR.store(false, Ordering::SeqCst);
        BLOCKED.store(true, Ordering::SeqCst);
        let blocked = Self;
        node.database.down.store(true, Ordering::SeqCst);
        wait_for("it is being written down", || WAITED_FOR.load(Ordering::SeqCst));
        blocked
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        BLOCKED.store(false, Ordering::SeqCst);
    }
}

#[test]
fn a_node_says_that_it_is_not_ready_before_it_writes_that_down() {
    let _log = own_log();
    let world = World::new(1, health());
    let [node] = &world.nodes[..] else { unreachable!() };
    wait_for("it is ready", || node.is_ready());
    let _blocked = Blocked::with_news(node);
    assert_eq!(node.reasons(), "database: connection refused");
    assert!(!node.is_ready());
}

#[test]
fn a_node_is_drained_and_taken_back_while_the_log_takes_nothing() {
    let _log = own_log();
    let world = World::new(1, health());
    let [node] = &world.nodes[..] else { unreachable!() };
    wait_for("it is ready", || node.is_ready());
    let _blocked = Blocked::with_news(node);
    let asks = |what: &str, ask: fn(&flywheel_node::Node)| {
        let node = Arc::clone(&node.node);
        let asked = std::thread::spawn(move || ask(&node));
        wait_for(what, || asked.is_finished());
    };
    asks("a drain is answered", |node| {
        node.drain(DrainedBy::Api);
    });
    assert_eq!(node.reasons(), "database: connection refused; drain: drained by the server API");
    assert!(node.node.refuses_clients());
    wait_for("its clients go", || node.was_told("code: 3001") == 1);
    asks("new settings are taken over", |node| node.reload_health(health()));
    asks("it is taken back", |node| assert!(node.undo_drain()));
    assert_eq!(node.reasons(), "database: connection refused");
    wait_for("clients may stay", || node.was_told("Stay") == 1 && !node.node.refuses_clients());
}

#[test]
fn clients_are_handed_over_before_that_is_written_down() {
    let settings = HealthSettings { hand_over_after: Some(Duration::ZERO), ..health() };
    let _log = own_log();
    let world = World::new(2, settings);
    let [sick, other] = &world.nodes[..] else { unreachable!() };
    wait_for("both are ready", || sick.is_ready() && other.is_ready());
    let _blocked = Blocked::with_news(sick);
    wait_for("its clients go", || sick.was_told("code: 3011") == 1);
    assert!(sick.node.refuses_clients());
}

#[test]
fn a_watchdog_that_waits_for_the_log_has_not_turned() {
    let settings = HealthSettings { stuck_after: Duration::from_millis(500), ..health() };
    let _log = own_log();
    let world = World::new(1, settings);
    let [node] = &world.nodes[..] else { unreachable!() };
    wait_for("all threads turn", || node.is_ready() && node.node.stuck_threads().is_empty());
    let blocked = Blocked::with_news(node);
    let is_seen = || node.node.stuck_threads().concat().starts_with("the watchdog has not turned for ");
    wait_for("it is seen", is_seen);
    node.node.drain(DrainedBy::Api);
    assert!(is_seen(), "a drain looks as well, and is no turn of the watchdog");
    drop(blocked);
    wait_for("it turns again", || node.node.stuck_threads().is_empty());
}
