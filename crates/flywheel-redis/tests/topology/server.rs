use std::sync::Arc;
use std::time::{Duration, Instant};

use flywheel_testkit::{Bound, FaultProxy, OnReply, RedisServer, wait_until};
use parking_lot::Mutex;

use crate::rig::{Kind, Rig, errors};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

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
    Bound::new("R1", ms(400)).holds("first write", load.first_success(back), "after the port opened");
    load.wait_more(20);
    let calls = load.stop("R1");
    let late = calls.iter().filter(|call| call.begun > back + ms(400) && call.result.is_err()).count();
    assert!(!Bound::is_strict() || late == 0, "{:?}", errors(&calls));
}

/// Freezes a server, or cuts it off, under this load, and lets it go on.
fn silence(row: &str, fault: &str, keys: &[String], kind: Kind, back_within: Duration) {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let is_frozen = fault == "frozen";
    let rig = Rig::at(if is_frozen { redis.port() } else { proxy.port() });
    rig.wait_writable();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let load = rig.load_of(&keys, kind);
    load.wait_more(20);
    if is_frozen {
        redis.freeze();
    } else {
        proxy.black_hole();
    }
    let begun = Instant::now();
    let dead = rig.wait_reason("silent");
    Bound::new(row, ms(1_250)).holds("link dead", dead, &format!("after it was {fault}"));
    load.wait_more(keys.len());
    if Bound::is_strict() {
        // As long as kernels send again what nobody acknowledged.
        assert!(!wait_until(Duration::from_secs(14).saturating_sub(begun.elapsed()), || false));
    }
    if is_frozen {
        redis.resume();
    } else {
        proxy.heal();
    }
    let back = load.first_success(Instant::now());
    Bound::new(row, back_within).holds("first write", back, &format!("after it was {fault} and back"));
    load.stop(row);
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key{number}")).collect()
}

#[test]
fn r2_a_server_that_is_frozen_keeps_no_call_and_is_used_again() {
    silence("R2", "frozen", &keys(2), Kind::default(), ms(500));
}

#[test]
fn r2_a_server_that_is_frozen_under_heavy_load_keeps_no_call_and_is_used_again() {
    let kind = Kind { payload: 64 << 10, pause: ms(200), ..Kind::default() };
    silence("R2 heavy", "frozen", &keys(200), kind, ms(500));
}

#[test]
fn r3_a_server_that_is_cut_off_keeps_no_call_and_is_used_again() {
    silence("R3", "cut off", &keys(2), Kind::default(), ms(1_000));
}

#[test]
fn r4_a_lost_or_doubled_reply_ends_what_is_pending_at_once_and_reaches_nobody_else() {
    let redis = RedisServer::start();
    for what in [OnReply::Swallow, OnReply::Duplicate] {
        let proxy = FaultProxy::start(redis.port());
        let rig = Rig::at(proxy.port());
        rig.wait_writable();
        let generation = || rig.shard.routes().server_of(0).unwrap().states().borrow().generation;
        let before = generation();
        let keys = keys(8);
        let load = rig.load(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        load.wait_more(50);
        let struck = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&struck);
        proxy.on_reply(move |reply| {
            if reply.command != "EVAL" || reply.nth != 20 {
                return OnReply::Pass;
            }
            *seen.lock() = Some(Instant::now());
            what
        });
        load.wait_more(200);
        let struck = struck.lock().unwrap();
        assert!(generation() > before, "{what:?}: the connection goes on");
        let failed = load.last_failure();
        let calls = load.stop("R4");
        // Nobody had to wait when the reply that was doubled was the last.
        let pending = failed.map(|ended| ended.saturating_duration_since(struck)).unwrap_or_default();
        Bound::new("R4", ms(500)).holds("last pending call failed", pending, &format!("after {what:?}"));
        assert!(errors(&calls).len() <= 8, "more failed than were pending: {:?}", errors(&calls));
    }
}

#[test]
fn r5_killed_connections_cost_no_more_than_what_was_under_way() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let rig = Rig::at(proxy.port());
    rig.wait_writable();
    let once = rig.load(&["a", "b", "c"]);
    let again = rig.load_of(&["d", "e", "f"], Kind { is_repeatable: true, ..Kind::default() });
    once.wait_more(30);
    for round in 0..10 {
        let how = if round % 2 == 0 {
            redis.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            "after CLIENT KILL"
        } else {
            proxy.reset();
            "after a reset"
        };
        let killed = Instant::now();
        Bound::new("R5", ms(300)).holds("first write", once.first_success(killed), how);
        once.wait_more(10);
    }
    let repeated = again.stop("R5");
    assert_eq!(errors(&repeated), Vec::<String>::new(), "calls that may be made again fail");
    let lost = errors(&once.stop("R5"));
    assert!(lost.len() <= 30, "more failed than can have been under way: {lost:?}");
    assert!(lost.iter().all(|error| error.contains("outcome unknown")), "{lost:?}");
}

#[test]
fn r6_a_short_stall_breaks_nothing() {
    // Where others run beside it, a stall takes longer than it is told to.
    let stall = if Bound::is_strict() { "0.8" } else { "0.6" };
    let redis = RedisServer::start();
    let rig = Rig::at(redis.port());
    rig.wait_writable();
    let generation = || rig.shard.routes().server_of(0).unwrap().states().borrow().generation;
    let before = generation();
    let load = rig.load(&["a"]);
    load.wait_more(10);
    redis.run(&["DEBUG", "SLEEP", stall]);
    load.wait_more(20);
    assert_eq!(errors(&load.stop("R6")), Vec::<String>::new());
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
    assert!(wait_until(crate::rig::PATIENCE, || new.run(&["LLEN", "a"]).int() > 0), "nothing moves");
    Bound::new("R8", ms(2_000)).holds("first write at the new server", moved.elapsed(), "after the move");
    load.wait_more(50);
    let calls = load.stop("R8");
    assert_eq!(errors(&calls), Vec::<String>::new(), "READONLY reached a caller");
    assert!(new.run(&["LLEN", "a"]).int() >= 50);
}
