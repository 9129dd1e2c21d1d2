use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flywheel_engine::Broker;
use flywheel_redis::engine::RedisOptions;
use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{FaultProxy, OnReply, RedisOptions as ServerOptions, RedisServer, wait_until};

use crate::nodes::{PATIENCE, World, local, options, plain};

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

#[test]
fn r7_a_node_whose_password_is_refused_answers_at_once() {
    let redis =
        RedisServer::with(&ServerOptions { password: Some("right".into()), ..ServerOptions::default() });
    let link = LinkSettings { password: "wrong".into(), ..LinkSettings::default() };
    let mut world = World::new();
    let settings = ShardSettings::new(Seeds::Server(local(redis.port())), link);
    // Whoever waits for its end fails this test.
    world.add(&[settings], RedisOptions { command_timeout: 4 * PATIENCE, ..options() });
    let begun = Instant::now();
    for _ in 0..2 {
        let refused = world.publish(0, "room", "1").unwrap_err().to_string();
        assert!(refused.contains("WRONGPASS") && begun.elapsed() < PATIENCE, "{refused}");
    }
    let refused = world.wait(world.nodes[0].engine.subscribe(&"room".into())).unwrap_err().to_string();
    assert!(refused.contains("engine.redis.password") && begun.elapsed() < PATIENCE, "{refused}");
}

#[test]
fn p3_a_flood_that_nobody_has_room_for_is_dropped_and_counted_while_the_reader_goes_on() {
    const FLOOD: usize = 200_000;
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.subscribe("room");
    world.wait_ready();
    let (node, listens) = (&world.nodes[0], world.nodes[0].engine.readings()[0].listens);
    node.ear.is_full.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let mut publisher = redis.client().unwrap();
    for _ in 0..FLOOD / 1_000 {
        // A publication without history, whose data is one letter.
        (0..1_000).for_each(|_| {
            publisher.send(&[&b"PUBLISH"[..], b"centrifugo.client.room", b"\x22\x01x"]).unwrap();
        });
        (0..1_000).for_each(|_| assert_eq!(publisher.read().unwrap().int(), 1));
    }
    let dropped = || node.ear.dropped.load(Ordering::SeqCst);
    assert!(wait_until(PATIENCE, || dropped() == FLOOD), "the reader stopped at {}", dropped());
    println!("P3: {FLOOD} messages were read and dropped in {:?}", began.elapsed());
    assert_eq!(redis.info("client_output_buffer_limit_disconnections").trim_start_matches('0'), "");
    assert_eq!(node.engine.readings()[0].listens, listens, "it listened anew");
    assert!(!world.is_unready(), "it gave its probes up");
    node.ear.is_full.store(false, Ordering::SeqCst);
    world.wait_all_hear_each_other("room", "after");
}

/// Publishes so many messages at once.
fn flood(redis: &RedisServer, count: usize) {
    let script =
        "for i = 1, tonumber(ARGV[1]) do redis.call('PUBLISH', 'centrifugo.client.room', ARGV[2]) end";
    // A publication without history, whose data is one letter.
    redis.run(&["EVAL", script, "0", &count.to_string(), "\x22\x01x"]);
}

#[test]
fn p1_a_connection_that_is_only_behind_is_reported_and_not_begun_anew() {
    const FLOOD: usize = 60_000;
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.subscribe("room");
    world.wait_ready();
    let (node, listens) = (&world.nodes[0], world.nodes[0].engine.readings()[0].listens);
    node.ear.is_full.store(true, Ordering::SeqCst);
    node.ear.is_slow.store(true, Ordering::SeqCst);
    let began = Instant::now();
    flood(&redis, FLOOD);
    let is_told =
        || world.is_unready_by("delivery") && world.reason("delivery") == "what is published is heard late";
    assert!(
        wait_until(PATIENCE, is_told),
        "nobody is told that messages come late: {:?}",
        world.reason("delivery")
    );
    println!("P1: not ready {:?} after it fell behind", began.elapsed());
    let heard = || node.ear.dropped.load(Ordering::SeqCst);
    let before = heard();
    assert!(wait_until(PATIENCE, || heard() > before + 3_000), "it stands still");
    assert!(heard() < FLOOD, "it was never behind");
    assert_eq!(node.engine.readings()[0].listens, listens, "it listened anew, and lost what was on its way");
    node.ear.is_slow.store(false, Ordering::SeqCst);
    assert!(wait_until(PATIENCE, || heard() == FLOOD), "{} of {FLOOD} were heard", heard());
    world.wait_ready();
    assert_eq!(node.engine.readings()[0].listens, listens);
    node.ear.is_full.store(false, Ordering::SeqCst);
    world.wait_all_hear_each_other("room", "after");
}

#[test]
fn p1_a_connection_that_hears_others_but_never_its_own_probes_is_begun_anew() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let world = World::of(1, &[plain(Seeds::Server(local(proxy.port())))]);
    world.subscribe("room");
    world.wait_ready();
    let (node, listens) = (&world.nodes[0], world.nodes[0].engine.readings()[0].listens);
    // Somebody publishes all the time to whom nothing happens.
    node.ear.is_full.store(true, Ordering::SeqCst);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                flood(&redis, 1);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        proxy.on_reply(|seen| {
            let is_probe = seen.command == "MESSAGE" && seen.reply.items()[1].text().contains("probe");
            if is_probe { OnReply::Swallow } else { OnReply::Pass }
        });
        let began = Instant::now();
        let anew = wait_until(PATIENCE, || node.engine.readings()[0].listens > listens);
        is_over.store(true, Ordering::SeqCst);
        assert!(anew, "it takes what others say for its own");
        println!(
            "P1: listens anew {:?} after its probes were lost in the messages of others",
            began.elapsed()
        );
    });
    proxy.pass();
    world.wait_ready();
}
