use std::time::{Duration, Instant};

use flywheel_redis::topology::Seeds;
use flywheel_testkit::{Bound, MASTER_NAME, RedisServer, SentinelSet, wait_until};

use crate::nodes::{PATIENCE, World, options, watched_by};

#[test]
fn s1_to_s5_four_nodes_follow_every_switch_and_hear_each_other() {
    let mut set = SentinelSet::start();
    let world = World::of(4, &[watched_by(&set)]);
    world.subscribe("room");
    world.wait_all_hear_each_other("room", "before");
    world.wait_ready();
    for fault in ["killed", "frozen", "planned", "demoted", "detached"] {
        world.forget_gaps();
        let old = set.primary();
        let (new, answered) = match fault {
            "killed" | "frozen" | "planned" => {
                match fault {
                    "killed" => set.server_mut(old).kill(),
                    "frozen" => set.servers()[old].freeze(),
                    _ => drop(set.ask(0, &["SENTINEL", "FAILOVER", MASTER_NAME]).unwrap()),
                }
                let new = set.wait_switched_from(old, &[0, 1, 2]);
                (new, Instant::now())
            }
            _ => behind_our_back(&set, old, fault == "demoted"),
        };
        world.wait_all_hear_each_other("room", fault);
        world.wait_gap("room");
        // Nobody tells of the last two.
        let (row, stated) = match fault {
            "killed" | "frozen" => ("S1", 1),
            "planned" => ("S3", 1),
            "demoted" => ("S4", 2),
            _ => ("S5", 2),
        };
        let since = format!("after the answer, when the primary was {fault}");
        Bound::new(row, Duration::from_secs(stated)).holds("all hear each other", answered.elapsed(), &since);
        let new = set.servers()[new].port();
        for node in &world.nodes {
            let follows = wait_until(PATIENCE, || {
                let routes = node.shards[0].routes();
                routes.server_of(0).is_some_and(|server| *server.endpoint() == crate::nodes::local(new))
            });
            assert!(follows, "{fault}: a node stays where it is");
        }
        match fault {
            "killed" => set.server_mut(old).start_again(),
            "frozen" => set.servers()[old].resume(),
            "detached" => break,
            _ => {}
        }
        set.wait_formed();
        world.wait_ready();
    }
    world.finish("S1 to S5");
}

/// Makes another server the primary and tells the Sentinels, without an event that names it. Answers which one, and when
/// they knew.
fn behind_our_back(set: &SentinelSet, old: usize, is_demoted: bool) -> (usize, Instant) {
    let new = (old + 1) % 3;
    let port = set.servers()[new].port().to_string();
    set.servers()[new].run(&["REPLICAOF", "NO", "ONE"]);
    for other in (0..3).filter(|other| *other != new && (is_demoted || *other != old)) {
        set.servers()[other].run(&["REPLICAOF", "127.0.0.1", &port]);
    }
    // One that still knows the old one would tell those that have forgotten it.
    for sentinel in 0..3 {
        set.ask(sentinel, &["SENTINEL", "REMOVE", MASTER_NAME]).unwrap();
    }
    for sentinel in 0..3 {
        set.ask(sentinel, &["SENTINEL", "MONITOR", MASTER_NAME, "127.0.0.1", &port, "2"]).unwrap();
        set.ask(sentinel, &["SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", "1000"]).unwrap();
    }
    (new, Instant::now())
}

#[test]
fn a_stream_that_lost_what_was_delivered_has_a_new_epoch_and_gives_no_offset_out_twice() {
    let mut set = SentinelSet::start();
    let world = World::of(2, &[watched_by(&set)]);
    world.subscribe("room");
    world.wait_all_hear_each_other("room", "before");
    // From here on nothing is replicated.
    let mut primary = set.servers()[0].client().unwrap();
    for replica in &set.servers()[1..] {
        replica.run(&["CONFIG", "SET", "masterauth", "wrong"]);
    }
    primary.run(&["CONFIG", "SET", "requirepass", "secret"]);
    primary.run(&["CLIENT", "KILL", "TYPE", "replica"]);
    let lost: Vec<_> =
        (0..5).map(|number| world.publish(0, "room", &format!("lost{number}")).unwrap()).collect();
    let before = lost.last().and_then(|published| published.position()).unwrap().clone();
    let heard = |data: &str| {
        let begin = format!("{data}@");
        world.nodes.iter().all(|node| {
            node.ear.recorder.events(&"room".into()).iter().any(|event| event.starts_with(&begin))
        })
    };
    assert!(wait_until(PATIENCE, || heard("lost4")));
    world.forget_gaps();
    set.server_mut(0).kill();
    set.wait_switched_from(0, &[0, 1, 2]);
    world.wait_gap("room");
    let told = wait_until(Duration::from_secs(5), || {
        world.top(1, "room").is_ok_and(|top| top.epoch != before.epoch)
    });
    assert!(told, "the stream goes on under the same epoch: {:?}", world.top(1, "room"));
}

#[test]
fn s9_an_announced_primary_with_other_data_is_used_and_nobody_takes_its_positions_for_the_old_ones() {
    let set = SentinelSet::start();
    let other = RedisServer::start();
    let world = World::of(2, &[watched_by(&set)]);
    world.subscribe("room");
    world.wait_all_hear_each_other("room", "before");
    let before = world.top(0, "room").unwrap();
    world.forget_gaps();
    for sentinel in 0..3 {
        set.ask(sentinel, &["SENTINEL", "REMOVE", MASTER_NAME]).unwrap();
    }
    let port = other.port().to_string();
    for sentinel in 0..3 {
        set.ask(sentinel, &["SENTINEL", "MONITOR", MASTER_NAME, "127.0.0.1", &port, "2"]).unwrap();
    }
    world.wait_all_hear_each_other("room", "after");
    world.wait_gap("room");
    let after = world.top(1, "room").unwrap();
    assert_ne!(after.epoch, before.epoch, "positions of the old data seem to be good still");
    assert_eq!(other.run(&["EXISTS", "centrifugo.stream.meta.room"]).int(), 1, "it is not used");
    world.finish("S9");
}

#[test]
fn s10_a_node_that_reaches_no_sentinel_says_so_or_follows_and_the_others_do_not_care() {
    let mut set = SentinelSet::start();
    for sentinel in 0..3 {
        set.ask(sentinel, &["ACL", "SETUSER", "lonely", "on", ">secret", "allcommands", "allchannels"])
            .unwrap();
    }
    let mut lonely = watched_by(&set);
    let Seeds::Sentinel { settings, .. } = &mut lonely.seeds else { unreachable!() };
    (settings.user, settings.password) = ("lonely".into(), "secret".into());
    let mut world = World::new();
    world.add(&[lonely], options());
    (0..3).for_each(|_| world.add(&[watched_by(&set)], options()));
    world.subscribe("room");
    world.wait_all_hear_each_other("room", "before");
    for sentinel in 0..3 {
        set.ask(sentinel, &["ACL", "SETUSER", "lonely", "off"]).unwrap();
        set.ask(sentinel, &["CLIENT", "KILL", "USER", "lonely"]).unwrap();
    }
    // Without Sentinels it serves as before.
    world.wait_all_hear_each_other("room", "cut");
    let killed = Instant::now();
    set.server_mut(0).kill();
    world.wait_unready("the lonely node");
    Bound::new("S10", Duration::from_secs(3)).holds(
        "lonely node not ready",
        killed.elapsed(),
        "after the kill",
    );
    set.wait_switched_from(0, &[0, 1, 2]);
    let follow = wait_until(PATIENCE, || (1..4).all(|node| world.publish(node, "room", "others").is_ok()));
    assert!(follow, "the others do not follow");
    assert!(world.publish(0, "room", "astray").is_err() && world.is_unready(), "{}", world.reason("write"));
    for sentinel in 0..3 {
        set.ask(sentinel, &["ACL", "SETUSER", "lonely", "on"]).unwrap();
    }
    world.wait_all_hear_each_other("room", "healed");
    world.wait_ready();
    world.finish("S10");
}
