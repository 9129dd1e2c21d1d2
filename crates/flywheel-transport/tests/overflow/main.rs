//! A shard that is blocked while more is published than its mailbox holds: Redis notices nothing, what has no room is
//! counted, and subscribers of channels with history have everything as soon as the shard turns again.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test against the real clock fails by panicking"
)]

mod node;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flywheel_engine::Dependencies;
use flywheel_testkit::{Bound, JsonClient, RedisServer, wait_until};
use node::TestNode;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
/// What a mailbox holds.
const MAILBOX: usize = 64 << 20;
const NOISE: usize = 64 << 10;
/// Messages of noise: twice as many as the mailbox holds.
const FLOOD: usize = 2 * MAILBOX / NOISE;
/// Publications that are lost on the way.
const LOST: u64 = 100;

#[test]
fn p3_what_a_blocked_shard_has_no_room_for_is_counted_and_healed_when_it_turns_again() {
    let redis = RedisServer::start();
    // The other one publishes: publishers of a node that is behind wait for it.
    let (node, other) = (TestNode::start(redis.port(), "one"), TestNode::start(redis.port(), "other"));
    for node in [&node, &other] {
        let ready = || node.engine.dependencies().iter().all(|one| one.ok);
        assert!(wait_until(PATIENCE, ready), "{:?}", node.engine.dependencies());
    }
    let mut subscriber = JsonClient::connect(node.address, None);
    let mut crowd = JsonClient::connect(node.address, None);
    subscriber.subscribe("feed:a");
    crowd.subscribe("noise:a");
    assert_eq!(other.publish("feed:a", 1), 1);
    assert_eq!(subscriber.push()["pub"]["offset"], 1);
    let listeners = listeners(&redis);

    let blocked = node.block();
    flood(&redis, FLOOD, NOISE);
    let is_full = wait_until(PATIENCE, || node.mailbox_bytes() + 2 * NOISE > MAILBOX);
    assert!(is_full, "{} bytes are in the mailbox", node.mailbox_bytes());
    // There is no room for what is small either.
    flood(&redis, 2_000, 2);
    let last = 1 + LOST;
    for number in 2..=last {
        assert_eq!(other.publish("feed:a", number), number);
    }
    // The reader has read all that there was.
    assert!(wait_until(PATIENCE, || is_read(&redis)), "{}", redis.run(&["CLIENT", "LIST"]).text());
    assert!(node.mailbox_bytes() <= MAILBOX, "{} bytes are in the mailbox", node.mailbox_bytes());
    drop(blocked);
    let released = Instant::now();

    for offset in 2..=last {
        let push = subscriber.push();
        assert_eq!((&push["pub"]["offset"], &push["pub"]["data"]), (&json!(offset), &json!(offset)));
    }
    Bound::new("P3", Duration::from_secs(1)).holds(
        "everybody has everything",
        released.elapsed(),
        "after the shard was released",
    );
    // Nothing comes twice.
    assert_eq!(other.publish("feed:a", last + 1), last + 1);
    assert_eq!(subscriber.push()["pub"]["offset"], last + 1);
    let dropped = || node.counter("flywheel_shard_mailbox_dropped_publications_total");
    let expected = (FLOOD - MAILBOX / NOISE) as u64 + LOST;
    assert!(wait_until(PATIENCE, || dropped() >= expected), "{} of {expected} are counted", dropped());
    assert!(wait_until(PATIENCE, || node.counter("flywheel_gaps_healed_total") > 0), "nothing was lost");
    assert_eq!(self::listeners(&redis), listeners, "the reader stopped, and its connection was replaced");
    assert_eq!(redis.info("client_output_buffer_limit_disconnections").trim_start_matches('0'), "");
}

/// Who listens: the ids of connections. Redis lists them in an order that it changes at its leisure.
fn listeners(redis: &RedisServer) -> BTreeSet<String> {
    let list = redis.run(&["CLIENT", "LIST", "TYPE", "pubsub"]).text();
    list.split_whitespace().filter(|word| word.starts_with("id=")).map(str::to_owned).collect()
}

/// Publishes so many messages of so many bytes, without history, past the nodes.
fn flood(redis: &RedisServer, count: usize, bytes: usize) {
    let text = format!("\"{}\"", "x".repeat(bytes - 2));
    // Field 4, with its length.
    let field = if bytes == NOISE { b"\x22\x80\x80\x04".as_ref() } else { b"\x22\x02".as_ref() };
    let payload = [field, text.as_bytes()].concat();
    let mut publisher = redis.client().unwrap();
    for number in 0..count {
        let heard = publisher.run(&[b"PUBLISH".as_ref(), b"centrifugo.client.noise:a", &payload]);
        // No faster than a build without optimisation reads, but never waiting for the shard.
        if number % 64 == 0 {
            assert!(wait_until(PATIENCE, || is_read(redis)), "nobody reads at message {number}");
        }
        assert_eq!(heard.int(), 1, "of message {number} of {count}; Redis says:\n{}", redis.log());
    }
}

/// Whether nothing waits in Redis for whoever listens.
fn is_read(redis: &RedisServer) -> bool {
    let list = redis.run(&["CLIENT", "LIST", "TYPE", "pubsub"]).text();
    let mut waiting =
        list.split_whitespace().filter(|word| word.starts_with("obl=") || word.starts_with("oll="));
    waiting.all(|word| word.ends_with("=0"))
}
