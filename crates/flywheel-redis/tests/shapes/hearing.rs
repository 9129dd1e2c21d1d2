use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flywheel_engine::Broker;
use flywheel_redis::engine::RedisOptions;
use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{Bound, FaultProxy, OnReply, RedisOptions as ServerOptions, RedisServer, wait_until};
use parking_lot::Mutex;

use crate::nodes::{PATIENCE, World, local, options, plain};

/// From a fault to a node that says that it is not ready.
const UNREADY: Duration = Duration::from_secs(3);

#[test]
fn p1_z3_a_node_that_hears_nothing_says_so_and_listens_anew() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let world = World::of(1, &[plain(Seeds::Server(local(proxy.port())))]);
    world.subscribe("room");
    world.wait_ready();
    // Messages are lost on the way, on every connection there will be; acknowledgements are not.
    proxy.on_every("MESSAGE", OnReply::Swallow);
    Bound::new("Z3", UNREADY).holds("not ready", world.wait_unready("deaf"), "after it went deaf");
    assert_ne!(world.reason("delivery"), "", "it does not say why");
    assert_eq!(world.reason("write"), "", "writes are fine");
    proxy.pass();
    world.wait_ready();
    // This connection alone goes mute.
    world.forget_gaps();
    let mute = Arc::new(Mutex::new(None));
    let since = Arc::clone(&mute);
    proxy.on_reply(move |reply| {
        if reply.command != "MESSAGE" || reply.nth > 0 {
            return OnReply::Pass;
        }
        *since.lock() = Some(Instant::now());
        OnReply::Mute
    });
    world.wait_gap("room");
    let anew = mute.lock().unwrap().elapsed();
    Bound::new("P1", Duration::from_secs(2)).holds("listens anew", anew, "after the connection went mute");
    world.wait_all_hear_each_other("room", "after");
    world.finish("P1 and Z3");
}

#[test]
fn z3_a_node_that_hears_and_cannot_publish_says_so() {
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.subscribe("room");
    world.wait_ready();
    redis.run(&["ACL", "SETUSER", "default", "-publish"]);
    Bound::new("Z3", UNREADY).holds("not ready", world.wait_unready("mute"), "after it went mute");
    redis.run(&["ACL", "SETUSER", "default", "+publish"]);
    world.wait_ready();
    world.wait_all_hear_each_other("room", "after");
    world.finish("Z3");
}

#[test]
fn r2_r3_a_node_whose_redis_is_silent_says_so_and_serves_as_soon_as_it_speaks() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let world = World::of(1, &[plain(Seeds::Server(local(proxy.port())))]);
    world.subscribe("room");
    world.wait_ready();
    for (row, stated) in [("R2", 500), ("R3", 1_000)] {
        world.forget_gaps();
        if row == "R2" {
            redis.freeze();
        } else {
            proxy.black_hole();
        }
        Bound::new(row, UNREADY).holds("not ready", world.wait_unready(row), "after it fell silent");
        if row == "R2" {
            redis.resume();
        } else {
            proxy.heal();
        }
        let again = world.wait_publishes("room");
        Bound::new(row, Duration::from_millis(stated)).holds("publishes", again, "after it spoke again");
        world.wait_gap("room");
        world.wait_all_hear_each_other("room", row);
        world.wait_ready();
    }
    world.finish("R2 and R3");
}

#[test]
fn r4_a_lost_acknowledgement_costs_its_connection_and_the_caller_no_more_than_its_deadline() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let world = World::of(1, &[plain(Seeds::Server(local(proxy.port())))]);
    world.subscribe("before");
    world.wait_ready();
    proxy.on_nth("SUBSCRIBE", 0, OnReply::Swallow);
    let begun = Instant::now();
    let asked = world.wait(world.nodes[0].engine.subscribe(&"room".into()));
    Bound::of_calls("R4", options().command_timeout).holds("subscribing took", begun.elapsed(), "");
    assert!(
        asked.is_ok()
            || wait_until(PATIENCE, || {
                world.wait(world.nodes[0].engine.subscribe(&"room".into())).is_ok()
            })
    );
    for channel in ["before", "room"] {
        world.wait_all_hear_each_other(channel, "after");
    }
    world.finish("R4");
}

#[test]
fn r5_a_killed_connection_that_listens_is_replaced_at_once() {
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.subscribe("room");
    world.wait_all_hear_each_other("room", "before");
    world.wait_ready();
    for round in 0..5 {
        world.forget_gaps();
        redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let told = world.wait_gap("room");
        Bound::new("R5", Duration::from_millis(300)).holds("listens again", told, "after CLIENT KILL");
        world.wait_all_hear_each_other("room", &round.to_string());
    }
    world.finish("R5");
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
        if command == "EVALSHA" {
            let since = format!("after {command} was never answered");
            Bound::new("Z2", UNREADY).holds("not ready", world.wait_unready(command), &since);
        }
        for number in 0..3 {
            drop(world.publish(0, "room", &number.to_string()));
        }
        proxy.pass();
        world.wait_all_hear_each_other("room", command);
        world.finish("Z2");
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
        "&centrifugo.client.other*",
        "&centrifugo.*probe*",
    ]);
    // Others ask meanwhile, and each of them gets its own answer.
    let others: Vec<_> = (0..500).map(|number| format!("other{number}")).collect();
    let begun = Instant::now();
    let asked = world.nodes[0].engine.subscribe(&"forbidden".into());
    let published = world.begin_all(&others);
    let refused = world.wait(asked);
    Bound::of_calls("P2", options().command_timeout).holds(
        "refused",
        begun.elapsed(),
        "after it was asked for",
    );
    assert!(refused.is_err_and(|error| error.to_string().contains("NOPERM")));
    let published = world.end_all(published);
    assert!(published.iter().all(|position| position.as_ref().is_ok_and(|position| position.offset == 1)));
    for (channel, position) in others.iter().zip(published) {
        assert_eq!(world.top(0, channel), position, "{channel}: the answer was another's");
    }
    world.wait_all_hear_each_other("allowed", "still");
    world.finish("P2");
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
    // Ten seconds of fifty thousand a second in a drill, elsewhere as fast as they come.
    const FLOOD: usize = 500_000;
    let pace = if Bound::is_strict() { Duration::from_millis(20) } else { Duration::ZERO };
    let redis = RedisServer::start();
    let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
    world.subscribe("room");
    world.wait_ready();
    let (node, listens) = (&world.nodes[0], world.nodes[0].engine.readings()[0].listens);
    node.ear.is_full.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let mut publisher = redis.client().unwrap();
    for thousand in 1..=FLOOD / 1_000 {
        // A publication without history, whose data is one letter.
        (0..1_000).for_each(|_| {
            publisher.send(&[&b"PUBLISH"[..], b"centrifugo.client.room", b"\x22\x01x"]).unwrap();
        });
        (0..1_000).for_each(|_| assert_eq!(publisher.read().unwrap().int(), 1));
        let due = pace * u32::try_from(thousand).unwrap();
        assert!(!wait_until(due.saturating_sub(began.elapsed()), || false));
    }
    let dropped = || node.ear.dropped.load(Ordering::SeqCst);
    assert!(wait_until(PATIENCE, || dropped() == FLOOD), "the reader stopped at {}", dropped());
    println!("P3: {FLOOD} messages were read and dropped in {:?}", began.elapsed());
    assert_eq!(redis.info("client_output_buffer_limit_disconnections").trim_start_matches('0'), "");
    assert_eq!(node.engine.readings()[0].listens, listens, "it listened anew");
    // Where the reader is slow, probes lie behind the flood.
    assert!(!Bound::is_strict() || !world.is_unready(), "it gave its probes up");
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
