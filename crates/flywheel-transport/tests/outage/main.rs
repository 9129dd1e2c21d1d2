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

use client::{Client, Shared};
use node::TestNode;

const CLIENTS: usize = 200;
/// Publications in each channel.
const PUBLICATIONS: u64 = 60;
/// What a call to the engine may take, and what a crowded machine may add to it.
const ANSWER_MAX: Duration = Duration::from_secs(5 + 15);
const RSS_FACTOR: u64 = 3;
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
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || Client::new(number, PUBLICATIONS).run(&shared))
                .unwrap()
        })
        .collect();
    wait_until(Duration::from_mins(2), || shared.connected.load(Ordering::SeqCst) == CLIENTS);
    let calm = resident_bytes(std::process::id());

    let (mut most, mut fullest) = (calm, 0);
    let mut published = 0;
    let mut publish = |count: u64| {
        for _ in 0..count {
            published += 1;
            node.publish_everywhere(published);
            most = most.max(resident_bytes(std::process::id()));
            fullest = fullest.max(node.mailbox_bytes());
        }
    };

    publish(10);
    node.sink.lose_one_in(50);
    publish(10);
    // Slow: every question waits for a while. Publishing goes on, clients come and go, the API unsubscribes.
    node.hold(|call| call != Call::Publish);
    shared.drops.store(1, Ordering::SeqCst);
    publish(5);
    node.unsubscribe(0..10);
    publish(5);
    std::thread::sleep(Duration::from_millis(500));
    node.engine.release();
    publish(5);
    // Never answered: longer than any deadline.
    node.hold(|call| call != Call::Publish);
    shared.drops.store(2, Ordering::SeqCst);
    publish(5);
    node.unsubscribe(10..20);
    let asked = node.probe();
    assert!(asked <= ANSWER_MAX, "a command waited {asked:?}");
    publish(5);
    node.engine.set(|call| if call == Call::History { Fault::Fail } else { Fault::None });
    publish(5);
    // Well again.
    node.sink.lose_one_in(0);
    node.engine.set(|_| Fault::None);
    node.engine.release();
    publish(10);
    assert_eq!(published, PUBLICATIONS);
    node.gap_everywhere();

    wait_until(Duration::from_mins(2), || shared.complete.load(Ordering::SeqCst) == CLIENTS);
    shared.finished.store(true, Ordering::SeqCst);
    for (number, client) in clients.into_iter().enumerate() {
        client.join().unwrap_or_else(|_| panic!("client {number} missed something"));
    }
    let slowest = Duration::from_millis(shared.slowest_millis.load(Ordering::SeqCst));
    assert!(slowest <= ANSWER_MAX, "a connect waited {slowest:?}");
    assert!(node.gaps_healed() > 0, "nothing was lost on the way, so this proves little");
    assert!(most <= calm * RSS_FACTOR, "{most} bytes in use, {calm} when it was calm");
    assert!(fullest <= MAILBOX_MAX, "{fullest} bytes in a mailbox");
    wait_until(Duration::from_secs(30), || node.tasks() == 0);
}
