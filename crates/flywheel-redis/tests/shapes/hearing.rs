use std::time::{Duration, Instant};

use flywheel_engine::Broker;
use flywheel_redis::topology::Seeds;
use flywheel_testkit::{FaultProxy, OnReply, RedisServer, wait_until};

use crate::nodes::{PATIENCE, World, local, plain};

#[test]
fn p1_z3_a_node_that_hears_nothing_says_so_and_listens_anew() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let world = World::of(1, &[plain(Seeds::Server(local(proxy.port())))]);
    world.subscribe("room");
    world.wait_ready();
    // Messages are lost on the way, on every connection there will be; acknowledgements are not.
    proxy.on_every("MESSAGE", OnReply::Swallow);
    let began = Instant::now();
    assert!(wait_until(PATIENCE, || world.is_unready()), "it does not notice");
    println!("Z3: not ready {:?} after it went deaf: {}", began.elapsed(), world.reason("delivery"));
    assert_eq!(world.reason("write"), "", "writes are fine");
    proxy.pass();
    world.wait_ready();
    // This connection alone goes mute.
    world.forget_gaps();
    proxy.on_nth("MESSAGE", 0, OnReply::Mute);
    let began = Instant::now();
    world.wait_gap("room");
    println!("P1: listens anew {:?} after the connection went mute", began.elapsed());
    world.wait_all_hear_each_other("room", "after");
}

#[test]
fn z2_any_command_may_stay_unanswered_and_what_is_not_asked_goes_on() {
    let redis = RedisServer::start();
    for command in ["EVALSHA", "PUBLISH", "ECHO", "ROLE"] {
        let proxy = FaultProxy::start(redis.port());
        let world = World::of(1, &[plain(Seeds::Server(local(proxy.port())))]);
        world.subscribe("room");
        world.wait_ready();
        proxy.on_every(command, OnReply::Mute);
        let begun = Instant::now();
        if command == "EVALSHA" {
            assert!(wait_until(PATIENCE, || world.is_unready()), "{command}: it stays ready");
            println!("Z2: {command}: not ready after {:?}", begun.elapsed());
        }
        let begun = Instant::now();
        for number in 0..3 {
            drop(world.publish(0, "room", &number.to_string()));
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{command}: calls outlive their deadlines");
        proxy.pass();
        world.wait_all_hear_each_other("room", command);
    }
}

#[test]
fn p2_a_refused_subscription_is_told_to_who_asked() {
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.subscribe("allowed");
    world.wait_ready();
    redis.run(&[
        "ACL",
        "SETUSER",
        "default",
        "resetchannels",
        "&centrifugo.client.allowed",
        "&centrifugo.*probe*",
    ]);
    let refused = world.wait(world.nodes[0].engine.subscribe(&"forbidden".into()));
    assert!(refused.is_err_and(|error| error.to_string().contains("NOPERM")));
    world.wait_all_hear_each_other("allowed", "still");
}

#[test]
fn r7_a_server_that_takes_no_writes_is_reported_in_its_own_words() {
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.wait_ready();
    for (break_it, word, mend_it) in [
        (&["CONFIG", "SET", "maxmemory", "1"][..], "OOM", &["CONFIG", "SET", "maxmemory", "0"][..]),
        (
            &["CONFIG", "SET", "min-replicas-to-write", "1"],
            "NOREPLICAS",
            &["CONFIG", "SET", "min-replicas-to-write", "0"],
        ),
        (&["REPLICAOF", "127.0.0.1", "1"], "replica of 127.0.0.1:1", &["REPLICAOF", "NO", "ONE"]),
        (
            &["ACL", "SETUSER", "default", "-evalsha", "-eval"],
            "NOPERM",
            &["ACL", "SETUSER", "default", "+@all"],
        ),
    ] {
        redis.run(break_it);
        let began = Instant::now();
        let mut said = String::new();
        let named = wait_until(PATIENCE, || {
            said = world.reason("write");
            said.contains(word) && world.is_unready()
        });
        assert!(named, "{word} was expected, and {said:?} is what it says");
        println!("R7: {word}: not ready after {:?}: {said}", began.elapsed());
        redis.run(mend_it);
        let mended = Instant::now();
        world.wait_ready();
        println!("R7: {word}: ready again after {:?}", mended.elapsed());
    }
}
