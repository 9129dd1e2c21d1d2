use std::time::{Duration, Instant};

use flywheel_redis::engine::RedisOptions;
use flywheel_redis::topology::Seeds;
use flywheel_testkit::{RedisServer, wait_until};

use crate::nodes::{World, local, plain};

/// How long a hundred thousand channels may take in a debug build on a busy machine.
const LONG: Duration = Duration::from_mins(1);
const CHANNELS: usize = 100_000;
/// Channels in which something was delivered, so that their streams are compared.
const WITH_HISTORY: usize = 500;

#[test]
fn p4_a_hundred_thousand_channels_are_subscribed_again_and_checked() {
    let redis = RedisServer::start();
    let mut world = World::new();
    let options = RedisOptions { command_timeout: LONG, ..RedisOptions::default() };
    world.add(&[plain(Seeds::Server(local(redis.port())))], options);
    let channels: Vec<_> = (0..CHANNELS).map(|number| format!("many{number}")).collect();
    let began = Instant::now();
    world.subscribe_all(&channels);
    println!("P4: subscribed to {CHANNELS} channels in {:?}", began.elapsed());
    for channel in &channels[..WITH_HISTORY] {
        world.publish(0, channel, "x").unwrap();
    }
    world.forget_gaps();
    redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let killed = Instant::now();
    let subscribed = || redis.info("pubsub_channels").parse().unwrap_or(0) >= CHANNELS;
    assert!(wait_until(LONG, subscribed), "{} channels", redis.info("pubsub_channels"));
    println!("P4: subscribed again after {:?}", killed.elapsed());
    assert!(wait_until(LONG, || world.has_gaps(CHANNELS)), "not all were checked");
    println!("P4: all checked after {:?}", killed.elapsed());
    world.wait_ready();
    world.wait_all_hear_each_other(&channels[CHANNELS - 1], "after");
}
