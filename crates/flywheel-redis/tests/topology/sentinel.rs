use std::time::{Duration, Instant};

use flywheel_redis::engine::RedisOptions as EngineOptions;
use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{Bound, MASTER_NAME, RedisOptions, RedisServer, SentinelSet, free_port, wait_until};

use crate::rig::{Load, Made, PATIENCE, Rig, errors, local};

const DEADLINE: Duration = Duration::from_millis(1_500);
/// From the first Sentinel's answer to a write.
const FOLLOWED: Duration = Duration::from_millis(250);
/// From a change that nobody tells of to the last write at the old primary.
const NOTICED: Duration = Duration::from_secs(1);

/// The first write after a Sentinel has named the new primary, which is now.
#[track_caller]
fn follows(row: &str, load: &Load) -> Instant {
    let answered = Instant::now();
    Bound::new(row, FOLLOWED).holds("first write", load.first_success(answered), "after a Sentinel's answer");
    answered
}

fn settings(set: &SentinelSet) -> ShardSettings {
    let seeds = Seeds::Sentinel {
        sentinels: set.sentinel_ports().into_iter().map(local).collect(),
        name: MASTER_NAME.to_owned(),
        settings: Box::default(),
    };
    ShardSettings::new(seeds, LinkSettings::default())
}

/// Acknowledged writes that the primary does not have, of those begun after `since`.
fn lost(set: &SentinelSet, primary: usize, calls: &[Made], since: Option<Instant>) -> Vec<u64> {
    let kept = set.servers()[primary].run(&["LRANGE", "a", "0", "-1"]);
    let kept: std::collections::HashSet<String> =
        kept.items().iter().map(flywheel_testkit::RedisReply::text).collect();
    let acknowledged = calls.iter().filter(|call| call.key == "a" && call.result.is_ok());
    let late = acknowledged.filter(|call| since.is_none_or(|since| call.begun > since));
    late.map(|call| call.number).filter(|number| !kept.contains(&number.to_string())).collect()
}

#[test]
fn s1_a_killed_primary_is_left() {
    let mut set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(DEADLINE);
    rig.wait_writable();
    let load = rig.load(&["a"]);
    load.wait_more(20);
    set.server_mut(0).kill();
    let new = set.wait_switched_from(0, &[0, 1, 2]);
    let answered = follows("S1 killed", &load);
    load.wait_more(50);
    let calls = load.stop("S1 killed");
    assert_eq!(lost(&set, new, &calls, Some(answered)), Vec::<u64>::new());
}

#[test]
fn s3_a_planned_failover_loses_nothing_and_fails_nothing() {
    let set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(EngineOptions::default().command_timeout);
    rig.wait_writable();
    let load = rig.load(&["a"]);
    load.wait_more(20);
    set.ask(0, &["SENTINEL", "FAILOVER", MASTER_NAME]).unwrap();
    let new = set.wait_switched_from(0, &[0, 1, 2]);
    follows("S3", &load);
    load.wait_more(200);
    let calls = load.stop("S3");
    assert_eq!(errors(&calls), Vec::<String>::new());
    set.wait_formed();
    assert_eq!(lost(&set, new, &calls, None), Vec::<u64>::new());
}

#[test]
fn s4_s5_what_happens_behind_our_back_is_noticed() {
    let set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(Duration::from_millis(2_500));
    rig.wait_writable();
    // The second time, the old primary is left writable.
    for (old, new, is_demoted) in [(0, 1, true), (1, 2, false)] {
        let load = rig.load(&["a"]);
        load.wait_more(20);
        let ports = set.servers().iter().map(|server| server.port().to_string()).collect::<Vec<_>>();
        set.servers()[new].run(&["REPLICAOF", "NO", "ONE"]);
        for other in (0..3).filter(|other| *other != new && (is_demoted || *other != old)) {
            set.servers()[other].run(&["REPLICAOF", "127.0.0.1", &ports[new]]);
        }
        announce(&set, set.servers()[new].port());
        let told = Instant::now();
        let length = || set.servers()[new].run(&["LLEN", "a"]).int();
        let before = length();
        assert!(wait_until(PATIENCE, || length() > before), "writes do not reach the new primary");
        let row = if is_demoted { "S4" } else { "S5" };
        Bound::new(row, NOTICED).holds(
            "writes reach the new primary",
            told.elapsed(),
            "after the Sentinels were told",
        );
        load.wait_more(50);
        let calls = load.stop(row);
        assert_eq!(errors(&calls), Vec::<String>::new());
        let late = told + if Bound::is_strict() { NOTICED } else { NOTICED * 5 };
        assert_eq!(lost(&set, new, &calls, Some(late)), Vec::<u64>::new());
    }
}

#[test]
fn s6_s7_s8_sentinels_that_are_mute_dead_or_gone_do_no_harm() {
    let mut set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(DEADLINE);
    rig.wait_writable();
    // One is mute, and the primary dies.
    set.freeze_sentinel(0);
    let load = rig.load(&["a"]);
    load.wait_more(20);
    set.server_mut(0).kill();
    let new = set.wait_switched_from(0, &[1, 2]);
    follows("S6", &load);
    load.wait_more(20);
    // It comes back with an old epoch.
    set.resume_sentinel(0);
    load.wait_more(100);
    load.stop("S6");
    assert_eq!(rig.shard.routes().server_of(0).unwrap().endpoint(), &local(set.servers()[new].port()));
    // All die: service goes on.
    (0..3).for_each(|sentinel| set.kill_sentinel(sentinel));
    let load = rig.load(&["a"]);
    load.wait_more(200);
    assert_eq!(errors(&load.stop("S7")), Vec::<String>::new());
    // The primary too; then everything is back.
    set.server_mut(new).kill();
    Bound::new("S8", Duration::from_secs(3)).holds(
        "reported",
        rig.wait_reason("refused"),
        "after all were gone",
    );
    set.server_mut(new).start_again();
    (0..3).for_each(|sentinel| set.start_sentinel_again(sentinel));
    Bound::new("S8", Duration::from_secs(1)).holds("writable", rig.wait_writable(), "after all were back");
}

/// Names another server to all Sentinels, without an event.
fn announce(set: &SentinelSet, port: u16) {
    // One that still knows the old one would tell those that have forgotten it.
    for sentinel in 0..3 {
        set.ask(sentinel, &["SENTINEL", "REMOVE", MASTER_NAME]).unwrap();
    }
    for sentinel in 0..3 {
        set.ask(sentinel, &["SENTINEL", "MONITOR", MASTER_NAME, "127.0.0.1", &port.to_string(), "2"])
            .unwrap();
    }
}

#[test]
fn s9_an_announced_address_that_refuses_or_is_a_replica_is_told_of_and_not_used() {
    let set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(DEADLINE);
    rig.wait_writable();
    let primary = set.servers()[0].port();
    let other = RedisServer::start();
    let replica =
        RedisServer::with(&RedisOptions { replica_of: Some(other.port()), ..RedisOptions::default() });
    replica.wait_replicating();
    for (port, words) in [(free_port(), "refused"), (replica.port(), "replica")] {
        let load = rig.load(&["a"]);
        load.wait_more(20);
        announce(&set, port);
        Bound::new("S9", DEADLINE).holds(words, rig.wait_reason(words), "after it was announced");
        announce(&set, primary);
        let told = Instant::now();
        load.first_success(told);
        let calls = load.stop("S9");
        assert!(errors(&calls).iter().all(|error| !error.contains("READONLY")), "{:?}", errors(&calls));
        assert_eq!(lost(&set, 0, &calls, None), Vec::<u64>::new());
    }
    assert_eq!(other.run(&["EXISTS", "a"]).int(), 0, "the replica's primary was written to");
}

#[test]
fn a_name_that_no_sentinel_knows_is_answered_with_those_they_know() {
    let set = SentinelSet::start();
    let mut settings = settings(&set);
    let Seeds::Sentinel { name, .. } = &mut settings.seeds else { unreachable!() };
    *name = "other".to_owned();
    let rig = Rig::start(settings);
    rig.wait_reason(
        "no Sentinel watches \"other\"; they watch mymaster: correct engine.redis.sentinel_master_name",
    );
    let mut settings = self::settings(&set);
    let Seeds::Sentinel { sentinels, .. } = &mut settings.seeds else { unreachable!() };
    *sentinels = vec![local(set.servers()[0].port())];
    Rig::start(settings).wait_reason("is not a Sentinel but a server; write the addresses of Sentinels");
    let port = set.sentinel_ports()[0];
    Rig::at(port)
        .wait_reason(&format!("127.0.0.1:{port} is a Sentinel watching mymaster; write its address into"));
}

#[test]
fn s2_a_primary_that_was_frozen_gets_none_of_our_writes_although_it_stays_writable() {
    let set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(DEADLINE);
    rig.wait_writable();
    // The Sentinels cannot make a replica of it afterwards, so what it has is what was written to it.
    set.servers()[0].run(&["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    let load = rig.load(&["a"]);
    load.wait_more(20);
    set.servers()[0].freeze();
    let new = set.wait_switched_from(0, &[0, 1, 2]);
    let answered = follows("S1 frozen", &load);
    set.servers()[0].resume();
    load.wait_more(300);
    let calls = load.stop("S2");
    assert_eq!(set.servers()[0].info("role"), "master", "nobody could write to it anyway");
    let got = set.servers()[0].run(&["LRANGE", "a", "0", "-1"]);
    let got: Vec<_> = got.items().iter().map(|item| item.text().parse::<u64>().unwrap()).collect();
    let late = calls.iter().filter(|call| call.begun > answered && got.contains(&call.number)).count();
    assert_eq!(late, 0, "the old primary got writes");
    assert_eq!(lost(&set, new, &calls, Some(answered)), Vec::<u64>::new());
}
