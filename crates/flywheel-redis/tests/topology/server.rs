use std::time::{Duration, Instant};

use flywheel_testkit::{FaultProxy, RedisServer};

use crate::rig::{Rig, assert_in_time, errors};

#[test]
fn r1_a_killed_server_is_found_again_when_it_is_back() {
    let mut redis = RedisServer::start();
    let rig = Rig::at(redis.port());
    rig.wait_writable();
    let load = rig.load(&["a"]);
    load.wait_more(20);
    redis.kill();
    rig.wait_reason("refused");
    redis.start_again();
    let back = Instant::now();
    println!("R1: first write {:?} after the port opened", load.first_success(back));
    let calls = load.stop();
    assert_in_time(&calls, Duration::from_millis(1_500));
}

#[test]
fn r2_r3_a_server_that_is_frozen_or_cut_off_keeps_no_call_and_is_used_again() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let rig = Rig::at(proxy.port());
    rig.wait_writable();
    for fault in ["frozen", "cut off"] {
        let load = rig.load(&["a", "b"]);
        load.wait_more(20);
        if fault == "frozen" {
            redis.freeze();
        } else {
            proxy.black_hole();
        }
        rig.wait_reason("silent");
        load.wait_more(2);
        if fault == "frozen" {
            redis.resume();
        } else {
            proxy.heal();
        }
        let back = Instant::now();
        println!("R2/R3: {fault}: first write {:?} after it was back", load.first_success(back));
        assert_in_time(&load.stop(), Duration::from_millis(1_500));
    }
}

#[test]
fn r5_killed_connections_cost_no_more_than_what_was_under_way() {
    let redis = RedisServer::start();
    let rig = Rig::at(redis.port());
    rig.wait_writable();
    let load = rig.load(&["a", "b", "c"]);
    load.wait_more(30);
    for _ in 0..10 {
        redis.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let killed = Instant::now();
        println!("R5: first write {:?} after the kill", load.first_success(killed));
        load.wait_more(10);
    }
    let calls = load.stop();
    let lost = errors(&calls);
    assert!(lost.len() <= 30, "more failed than can have been under way: {lost:?}");
    assert!(lost.iter().all(|error| error.contains("outcome unknown")), "{lost:?}");
}

#[test]
fn r6_a_short_stall_breaks_nothing() {
    let redis = RedisServer::start();
    let rig = Rig::at(redis.port());
    rig.wait_writable();
    let generation = || rig.shard.routes().server_of(0).unwrap().states().borrow().generation;
    let before = generation();
    let load = rig.load(&["a"]);
    load.wait_more(10);
    redis.run(&["DEBUG", "SLEEP", "0.6"]);
    load.wait_more(20);
    assert_eq!(errors(&load.stop()), Vec::<String>::new());
    assert_eq!(generation(), before, "it was dialled again");
}

#[test]
fn r8_a_name_that_moves_is_followed_while_the_old_server_stays_up_read_only() {
    let old = RedisServer::start();
    let new = RedisServer::start();
    // The proxy stands for the name: what is dialled anew goes to the new server.
    let name = FaultProxy::start(old.port());
    let rig = Rig::at(name.port());
    rig.wait_writable();
    let load = rig.load(&["a"]);
    load.wait_more(10);
    name.retarget(new.port());
    old.run(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
    let moved = Instant::now();
    println!("R8: first write {:?} after the move", load.first_success(moved));
    load.wait_more(50);
    let calls = load.stop();
    assert_eq!(errors(&calls), Vec::<String>::new(), "READONLY reached a caller");
    assert!(new.run(&["LLEN", "a"]).int() >= 50);
}
