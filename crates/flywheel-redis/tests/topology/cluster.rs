use std::time::{Duration, Instant};

use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{RedisCluster, wait_until};

use crate::rig::{Made, PATIENCE, Rig, assert_in_time, errors, local};

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
        load.wait_more(30);
        let slot = cluster.slot(&keys[victim]);
        if fault == "killed" {
            cluster.node_mut(victim).kill();
        } else {
            cluster.nodes()[victim].freeze();
        }
        let new = cluster.wait_moved(2, slot, victim);
        let promoted = Instant::now();
        let its_own =
            wait_until(PATIENCE, || cluster.nodes()[new].run(&["EXISTS", &keys[victim]]).int() == 1);
        assert!(its_own, "no write reaches the new owner");
        load.wait_more(60);
        println!("C1: {fault}: promoted, and after {:?} written to", promoted.elapsed());
        if fault == "frozen" {
            cluster.nodes()[victim].resume();
        }
        let calls = load.stop();
        assert_in_time(&calls, DEADLINE);
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
    load.wait_more(100);
    let calls = load.stop();
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
    cluster.begin_move(slot, 0, new);
    load.wait_more(60);
    cluster.finish_move(slot, 0, new);
    load.wait_more(60);
    for slot in (slot + 1)..(slot + 200).min(5_400) {
        cluster.move_slot(slot, 0, new);
    }
    load.wait_more(60);
    let calls = load.stop();
    assert_eq!(errors(&calls), Vec::<String>::new());
    let kept = cluster.nodes()[new].run(&["LLEN", &keys[0]]).int();
    let acknowledged = i64::try_from(of(&calls, &keys[0]).len()).unwrap();
    assert!(kept >= acknowledged, "{kept} of {acknowledged} are there");
    let learned = || {
        rig.shard
            .routes()
            .server_of(slot)
            .is_some_and(|server| *server.endpoint() == local(cluster.nodes()[new].port()))
    };
    assert!(wait_until(PATIENCE, learned), "the new owner is not learned");
}

#[test]
fn c4_slots_that_nobody_serves_are_named_and_the_others_served() {
    let mut cluster = RedisCluster::start();
    let rig = rig(&cluster, 3);
    let keys = keys(&cluster);
    cluster.node_mut(3).kill();
    cluster.node_mut(0).kill();
    assert!(rig.set(&keys[0], "1").is_err());
    rig.set(&keys[1], "1").unwrap();
    rig.set(&keys[2], "1").unwrap();
    rig.wait_reason("refused");
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
