//! An engine that delays, fails, loses events or never answers, under 200 clients with 20 recoverable server-side
//! subscriptions each, while publications, reconnects and calls of the server API go on.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers fail the test")]

mod client;
mod node;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use flywheel_engine::{Call, Fault};
use flywheel_testkit::{resident_bytes, wait_until};

use client::{Client, SUBSCRIPTIONS, Shared};
use node::TestNode;

const CLIENTS: usize = 200;
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_mins(2);
/// What a call to the engine may take, and what a crowded machine may add to it.
const ANSWER_MAX: Duration = Duration::from_secs(5 + 15);
/// What one publication in each channel comes to.
const DELIVERIES: u64 = (CLIENTS * SUBSCRIPTIONS) as u64;
/// How many deliveries all clients together may be behind before the publisher waits for them.
const BEHIND_MAX: u64 = 40 * DELIVERIES;
/// Nobody has taken anything for so long: the publisher goes on all the same.
const STANDSTILL: Duration = Duration::from_millis(100);
/// How often everything breaks.
const BOUTS: u64 = 3;
/// A megabyte for the queue of each client, as much for what its thread has read, and what 4,000 subscriptions hold back.
const RESIDENT_MAX: u64 = 512 << 20;
const MAILBOX_MAX: usize = 64 << 20;

#[test]
fn an_engine_that_hangs_takes_nobody_with_it_and_everybody_has_everything_when_it_is_back() {
    let node = TestNode::start();
    let shared = Arc::new(Shared {
        address: node.address,
        finished: AtomicBool::new(false),
        slowest_millis: AtomicU64::new(0),
        complete: AtomicUsize::new(0),
        drops: AtomicU64::new(0),
        connected: AtomicUsize::new(0),
        published: AtomicU64::new(0),
        last: AtomicU64::new(u64::MAX),
        taken: AtomicU64::new(0),
        resident: AtomicU64::new(0),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || Client::new(number).run(&shared))
                .unwrap()
        })
        .collect();
    let connected = wait_until(PATIENCE, || shared.connected.load(Ordering::SeqCst) == CLIENTS);
    assert!(connected, "not everybody connected");
    let is_over = AtomicBool::new(false);
    let (peaks, fullest) = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| publish_until(&is_over, &node, &shared));
        let peaks: Vec<_> = (0..BOUTS).map(|bout| break_everything(bout, &node, &shared)).collect();
        is_over.store(true, Ordering::SeqCst);
        (peaks, publisher.join().unwrap())
    });
    node.gap_everywhere();

    let complete = wait_until(PATIENCE, || shared.complete.load(Ordering::SeqCst) == CLIENTS);
    shared.finished.store(true, Ordering::SeqCst);
    for (number, client) in clients.into_iter().enumerate() {
        client.join().unwrap_or_else(|_| panic!("client {number} missed something"));
    }
    assert!(complete, "only {} clients have everything", shared.complete.load(Ordering::SeqCst));
    let slowest = Duration::from_millis(shared.slowest_millis.load(Ordering::SeqCst));
    assert!(slowest <= ANSWER_MAX, "a connect waited {slowest:?}");
    assert!(node.gaps_healed() > 0, "nothing was lost on the way, so this proves little");
    let most = peaks.iter().max().unwrap();
    assert!(*most <= RESIDENT_MAX, "bytes of memory in use at most, bout for bout: {peaks:?}");
    assert!(fullest <= MAILBOX_MAX, "{fullest} bytes in a mailbox");
    assert!(wait_until(PATIENCE, || node.tasks() == 0), "{} tasks are left", node.tasks());
}

/// Publishes into all channels as fast as somebody takes it, and goes on when nobody does. Answers how many bytes a
/// mailbox held at most meanwhile.
fn publish_until(is_over: &AtomicBool, node: &TestNode, shared: &Shared) -> usize {
    let (mut fullest, mut published) = (0, 0);
    while !is_over.load(Ordering::SeqCst) {
        published += 1;
        node.publish_everywhere(published);
        shared.published.store(published, Ordering::SeqCst);
        let_them_follow(published, shared);
        shared.resident.fetch_max(resident_bytes(std::process::id()), Ordering::SeqCst);
        fullest = fullest.max(node.mailbox_bytes());
    }
    shared.last.store(published, Ordering::SeqCst);
    fullest
}

/// Waits while everybody together is behind and somebody still takes something.
fn let_them_follow(published: u64, shared: &Shared) {
    let taken = || shared.taken.load(Ordering::Relaxed);
    loop {
        let before = taken();
        let is_behind = published * DELIVERIES > before + BEHIND_MAX;
        if !is_behind || !wait_until(STANDSTILL, || taken() != before) {
            return;
        }
    }
}

/// Publishing goes on all the time. Answers how many bytes of memory were in use at most.
fn break_everything(bout: u64, node: &TestNode, shared: &Shared) -> u64 {
    shared.resident.store(0, Ordering::SeqCst);
    goes_on(shared);
    node.sink.lose_one_in(50);
    goes_on(shared);
    // Slow: every question waits for a while. Clients come and go, the API unsubscribes.
    node.hold(|call| call != Call::Publish);
    shared.drops.store(2 * bout + 1, Ordering::SeqCst);
    goes_on(shared);
    node.unsubscribe(0..10);
    goes_on(shared);
    node.engine.release();
    goes_on(shared);
    // Never answered: longer than any deadline.
    node.hold(|call| call != Call::Publish);
    shared.drops.store(2 * bout + 2, Ordering::SeqCst);
    goes_on(shared);
    node.unsubscribe(10..20);
    let asked = node.probe();
    assert!(asked <= ANSWER_MAX, "a command waited {asked:?}");
    goes_on(shared);
    node.engine.set(|call| if call == Call::History { Fault::Fail } else { Fault::None });
    goes_on(shared);
    // Well again.
    node.sink.lose_one_in(0);
    node.engine.set(|_| Fault::None);
    node.engine.release();
    goes_on(shared);
    shared.resident.load(Ordering::SeqCst)
}

/// Waits until more has been published.
fn goes_on(shared: &Shared) {
    const MORE: u64 = 10;
    let before = shared.published.load(Ordering::SeqCst);
    let goes_on = wait_until(PATIENCE, || shared.published.load(Ordering::SeqCst) >= before + MORE);
    assert!(goes_on, "publishing stands still at {before}");
}
