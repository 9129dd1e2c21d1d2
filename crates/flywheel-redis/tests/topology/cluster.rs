use std::time::{Duration, Instant};

use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{Bound, RedisCluster, wait_until};

use crate::rig::{Kind, Made, PATIENCE, Rig, errors, local};

const DEADLINE: Duration = Duration::from_millis(1_500);

fn rig(cluster: &RedisCluster, seeds: usize) -> Rig {
    let seeds = cluster.nodes()[..seeds].iter().map(|node| local(node.port())).collect();
    let rig =
        Rig::start(ShardSettings::new(Seeds::Cluster(seeds), LinkSettings::default())).deadline(DEADLINE);
    rig.wait_writable();
    rig
}

/// A key for each of the first three nodes.
fn keys(cluster: &RedisCluster) -> Vec<String> {
    let owned_by = |owner| {
        let mut keys = (0..).map(|number| format!("key{number}"));
        keys.find(|key| cluster.owner_according_to(0, cluster.slot(key)) == Some(owner)).unwrap()
    };
    (0..3).map(owned_by).collect()
}

fn of<'c>(calls: &'c [Made], key: &str) -> Vec<&'c Made> {
    calls.iter().filter(|call| call.key == key).collect()
}

#[test]
fn c1_c2_a_lost_node_costs_its_own_slots_only_until_its_replica_takes_over() {
    let mut cluster = RedisCluster::start();
    let rig = rig(&cluster, 3);
    let keys = keys(&cluster);
    let names: Vec<_> = keys.iter().map(String::as_str).collect();
    for (victim, fault) in [(0, "killed"), (1, "frozen")] {
        let load = rig.load(&names);
        // Beside it, fifty calls at a time with 64 KiB each, for the slots that are lost.
        let heavy = Kind { payload: 64 << 10, pause: Duration::from_millis(200), ..Kind::default() };
        let heavy = rig.load_of(&[names[victim]; 50], heavy);
        load.wait_more(30);
        let slot = cluster.slot(&keys[victim]);
        if fault == "killed" {
            cluster.node_mut(victim).kill();
        } else {
            cluster.nodes()[victim].freeze();
        }
        let new = cluster.wait_moved(2, slot, victim);
        let promoted = Instant::now();
        let since = format!("after the promotion, when it was {fault}");
        let written = load.first_success_of(&keys[victim], promoted);
        Bound::new("C1", Duration::from_millis(250)).holds("first write", written, &since);
        let kept = cluster.nodes()[new].run(&["EXISTS", &keys[victim]]).int();
        assert_eq!(kept, 1, "no write reaches the new owner");
        load.wait_more(60);
        if fault == "frozen" {
            cluster.nodes()[victim].resume();
        }
        let calls = load.stop("C1");
        heavy.stop("C1");
        for other in (0..3).filter(|other| *other != victim) {
            let of_other: Vec<_> =
                of(&calls, &keys[other]).iter().filter_map(|call| call.result.as_ref().err()).collect();
            assert!(of_other.is_empty(), "{fault}: another node's slots failed: {of_other:?}");
        }
    }
    // C2: what is left of the third is moved to its replica on plan.
    let load = rig.load(&[names[2]]);
    load.wait_more(20);
    cluster.failover(5);
    Bound::new("C2", Duration::from_millis(500)).holds(
        "first write",
        load.first_success(Instant::now()),
        "after the failover",
    );
    load.wait_more(100);
    let calls = load.stop("C2");
    assert_eq!(errors(&calls), Vec::<String>::new());
    assert_eq!(cluster.nodes()[5].info("role"), "master");
}

#[test]
fn c3_c5_slots_move_under_load_and_a_new_node_is_learned() {
    let mut cluster = RedisCluster::start();
    let rig = rig(&cluster, 1);
    let keys = keys(&cluster);
    let names: Vec<_> = keys.iter().map(String::as_str).collect();
    let load = rig.load(&names);
    load.wait_more(30);
    let new = cluster.grow();
    let slot = cluster.slot(&keys[0]);
    let owner_is_known = || {
        let owner = rig.shard.routes().server_of(slot).map(|server| server.endpoint().clone());
        owner == Some(local(cluster.nodes()[new].port()))
    };
    cluster.begin_move(slot, 0, new);
    load.wait_more(60);
    cluster.finish_move(slot, 0, new);
    let moved = Instant::now();
    assert!(wait_until(PATIENCE, owner_is_known), "the new owner is not learned");
    Bound::new("C5", Duration::from_secs(1)).holds(
        "new owner known",
        moved.elapsed(),
        "after the first MOVED",
    );
    load.wait_more(60);
    // All that the node has.
    for other in (0..=5_460).filter(|other| *other != slot) {
        cluster.move_slot(other, 0, new);
    }
    load.wait_more(60);
    let calls = load.stop("C3");
    assert_eq!(errors(&calls), Vec::<String>::new());
    let kept = cluster.nodes()[new].run(&["LLEN", &keys[0]]).int();
    let acknowledged = i64::try_from(of(&calls, &keys[0]).len()).unwrap();
    assert!(kept >= acknowledged, "{kept} of {acknowledged} are there");
}

#[test]
fn c4_slots_that_nobody_serves_are_named_and_the_others_served() {
    let mut cluster = RedisCluster::start();
    let rig = rig(&cluster, 3);
    let keys = keys(&cluster);
    let (lost, others) = (rig.load(&[&keys[0]]), rig.load(&[&keys[1], &keys[2]]));
    others.wait_more(20);
    cluster.node_mut(3).kill();
    cluster.node_mut(0).kill();
    let named = rig.wait_reason("refused");
    Bound::new("C4", Duration::from_secs(3)).holds("reported", named, "after nobody served some slots");
    lost.wait_more(2);
    others.wait_more(100);
    let calls = lost.stop("C4");
    let tried = calls.iter().filter(|call| call.result.is_err()).map(|call| call.ended - call.begun).max();
    assert!(tried.is_some_and(|tried| tried >= DEADLINE), "{tried:?}: it is not tried until the deadline");
    assert_eq!(errors(&others.stop("C4")), Vec::<String>::new());
    cluster.node_mut(0).start_again();
}

#[test]
fn a_plain_address_of_a_node_stands_for_the_cluster() {
    let cluster = RedisCluster::start();
    let rig = Rig::at(cluster.nodes()[4].port()).deadline(DEADLINE);
    rig.wait_writable();
    for number in 0..200 {
        rig.set(&format!("k{number}"), "1").unwrap();
    }
}
