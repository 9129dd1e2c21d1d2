use std::time::{Duration, Instant};

use flywheel_redis::engine::RedisOptions;
use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{MASTER_NAME, SentinelSet, wait_until};

use crate::rig::{Made, PATIENCE, Rig, assert_in_time, errors, local};

const DEADLINE: Duration = Duration::from_millis(1_500);

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
fn s1_a_killed_and_a_frozen_primary_are_left() {
    let mut set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(DEADLINE);
    rig.wait_writable();
    for fault in ["killed", "frozen"] {
        let load = rig.load(&["a"]);
        load.wait_more(20);
        let old = set.primary();
        if fault == "killed" {
            set.server_mut(old).kill();
        } else {
            set.servers()[old].freeze();
        }
        let new = set.wait_switched_from(old, &[0, 1, 2]);
        let answered = Instant::now();
        println!("S1: {fault}: first write {:?} after a Sentinel's answer", load.first_success(answered));
        load.wait_more(50);
        if fault == "frozen" {
            let before = set.servers()[new].run(&["LLEN", "a"]).int();
            set.servers()[old].resume();
            load.wait_more(100);
            let calls = load.stop();
            assert!(set.servers()[new].run(&["LLEN", "a"]).int() > before);
            assert_in_time(&calls, DEADLINE);
            assert_eq!(lost(&set, new, &calls, Some(answered)), Vec::<u64>::new());
        } else {
            let calls = load.stop();
            assert_in_time(&calls, DEADLINE);
            assert_eq!(lost(&set, new, &calls, Some(answered)), Vec::<u64>::new());
            set.server_mut(old).start_again();
        }
        set.servers()[set.primary()].run(&["DEL", "a"]);
        set.wait_formed();
    }
}

#[test]
fn s3_a_planned_failover_loses_nothing_and_fails_nothing() {
    let set = SentinelSet::start();
    let rig = Rig::start(settings(&set)).deadline(RedisOptions::default().command_timeout);
    rig.wait_writable();
    let load = rig.load(&["a"]);
    load.wait_more(20);
    set.ask(0, &["SENTINEL", "FAILOVER", MASTER_NAME]).unwrap();
    let new = set.wait_switched_from(0, &[0, 1, 2]);
    println!("S3: first write {:?} after the answer", load.first_success(Instant::now()));
    load.wait_more(200);
    let calls = load.stop();
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
        // One that still knows the old one would tell those that have forgotten it.
        for sentinel in 0..3 {
            set.ask(sentinel, &["SENTINEL", "REMOVE", MASTER_NAME]).unwrap();
        }
        for sentinel in 0..3 {
            set.ask(sentinel, &["SENTINEL", "MONITOR", MASTER_NAME, "127.0.0.1", &ports[new], "2"]).unwrap();
        }
        let told = Instant::now();
        let length = || set.servers()[new].run(&["LLEN", "a"]).int();
        let before = length();
        assert!(wait_until(PATIENCE, || length() > before), "writes do not reach the new primary");
        println!("S4/S5: writes reach the new primary {:?} after the Sentinels were told", told.elapsed());
        load.wait_more(50);
        let calls = load.stop();
        assert_eq!(errors(&calls), Vec::<String>::new());
        let late = told + Duration::from_secs(5);
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
    println!("S6: first write {:?} after the answer", load.first_success(Instant::now()));
    load.wait_more(20);
    // It comes back with an old epoch.
    set.resume_sentinel(0);
    load.wait_more(100);
    let calls = load.stop();
    assert_in_time(&calls, DEADLINE);
    assert_eq!(rig.shard.routes().server_of(0).unwrap().endpoint(), &local(set.servers()[new].port()));
    // All die: service goes on.
    (0..3).for_each(|sentinel| set.kill_sentinel(sentinel));
    let load = rig.load(&["a"]);
    load.wait_more(200);
    assert_eq!(errors(&load.stop()), Vec::<String>::new());
    // The primary too; then everything is back.
    set.server_mut(new).kill();
    rig.wait_reason("refused");
    set.server_mut(new).start_again();
    (0..3).for_each(|sentinel| set.start_sentinel_again(sentinel));
    let back = Instant::now();
    rig.wait_writable();
    println!("S8: writable {:?} after everything was back", back.elapsed());
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
    let answered = Instant::now();
    load.first_success(answered);
    set.servers()[0].resume();
    load.wait_more(300);
    let calls = load.stop();
    assert_eq!(set.servers()[0].info("role"), "master", "nobody could write to it anyway");
    let got = set.servers()[0].run(&["LRANGE", "a", "0", "-1"]);
    let got: Vec<_> = got.items().iter().map(|item| item.text().parse::<u64>().unwrap()).collect();
    let late = calls.iter().filter(|call| call.begun > answered && got.contains(&call.number)).count();
    assert_eq!(late, 0, "the old primary got writes");
    assert_eq!(lost(&set, new, &calls, Some(answered)), Vec::<u64>::new());
}
