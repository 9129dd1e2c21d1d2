use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flywheel_redis::engine::RedisOptions;
use flywheel_redis::topology::Seeds;
use flywheel_testkit::{Bound, RedisServer, wait_until};

use crate::nodes::{World, local, plain};

/// How long a hundred thousand channels may take in a debug build on a busy machine.
const LONG: Duration = Duration::from_mins(1);
const CHANNELS: usize = 100_000;
/// Channels in which something was delivered, so that their streams are compared.
const WITH_HISTORY: usize = 10_000;
/// Publications that are under way at the same time.
const AT_ONCE: usize = 500;

#[test]
fn p4_a_hundred_thousand_channels_are_subscribed_again_and_checked() {
    let redis = RedisServer::start();
    let mut world = World::new();
    let options = RedisOptions { command_timeout: LONG, ..RedisOptions::default() };
    world.add(&[plain(Seeds::Server(local(redis.port())))], options);
    let channels: Vec<_> = (0..CHANNELS).map(|number| format!("many{number}")).collect();
    world.wait_ready();
    let listens = || world.nodes[0].engine.readings()[0].listens;
    let before = listens();
    let began = Instant::now();
    world.subscribe_all(&channels);
    println!("P4: subscribed to {CHANNELS} channels in {:?}", began.elapsed());
    for some in channels[..WITH_HISTORY].chunks(AT_ONCE) {
        assert!(world.publish_all(some).iter().all(Result::is_ok));
    }
    let heard = || world.nodes[0].ear.heard.load(Ordering::SeqCst);
    assert!(wait_until(LONG, || heard() >= WITH_HISTORY), "{} of {WITH_HISTORY} were delivered", heard());
    assert_eq!(listens(), before, "it took a flood of answers for deafness");
    world.forget_gaps();
    redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let killed = Instant::now();
    let subscribed = || redis.info("pubsub_channels").parse().unwrap_or(0) >= CHANNELS;
    assert!(wait_until(LONG, subscribed), "{} channels", redis.info("pubsub_channels"));
    println!("P4: subscribed again after {:?}", killed.elapsed());
    assert!(wait_until(LONG, || world.has_gaps(CHANNELS)), "not all were checked");
    let all = format!("after {CHANNELS} subscriptions were lost");
    Bound::new("P4", Duration::from_secs(3)).holds("subscribed again and checked", killed.elapsed(), &all);
    assert_eq!(listens(), before + 1, "it connected more than once");
    world.wait_ready();
    world.wait_all_hear_each_other(&channels[CHANNELS - 1], "after");
}
