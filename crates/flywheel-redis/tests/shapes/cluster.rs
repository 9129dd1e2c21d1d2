use std::sync::OnceLock;
use std::time::Duration;

use flywheel_redis::keys::key_slot;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::RedisCluster;

use crate::nodes::{World, local, plain};

/// A cluster for tests that do it no harm. It dies with the process.
pub(crate) fn shared() -> &'static RedisCluster {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    CLUSTER.get_or_init(RedisCluster::start)
}

pub(crate) fn shared_settings(partitions: u16) -> ShardSettings {
    settings(shared(), partitions)
}

fn settings(cluster: &RedisCluster, partitions: u16) -> ShardSettings {
    let seeds = cluster.nodes()[..3].iter().map(|node| local(node.port())).collect();
    ShardSettings { partitions, ..plain(Seeds::Cluster(seeds)) }
}

fn lost_nodes_are_not_missed(partitions: u16, name_of: impl Fn(usize, u64) -> (String, u16)) {
    let mut cluster = RedisCluster::with(Duration::from_secs(1), &flywheel_testkit::RedisOptions::default());
    let world = World::of(3, &[settings(&cluster, partitions)]);
    // A channel in a slot of each of the three.
    let channels: Vec<_> = (0..3)
        .map(|owner| {
            let mut names = (0..).map(|number| name_of(owner, number));
            names.find(|(_, slot)| cluster.owner_according_to(0, *slot) == Some(owner)).unwrap()
        })
        .collect();
    for (channel, _) in &channels {
        world.subscribe(channel);
        println!("C1: at first {:?}", world.wait_all_hear_each_other(channel, "before"));
    }
    for (victim, fault) in [(0, "killed"), (1, "frozen")] {
        if fault == "killed" {
            cluster.node_mut(victim).kill();
        } else {
            cluster.nodes()[victim].freeze();
        }
        cluster.wait_moved(2, channels[victim].1, victim);
        for (channel, _) in &channels {
            let took = world.wait_all_hear_each_other(channel, fault);
            println!("C1: {fault}: all hear each other {took:?} after the promotion");
        }
        world.wait_ready();
        if fault == "frozen" {
            cluster.nodes()[victim].resume();
        }
    }
    cluster.failover(5);
    for (channel, _) in &channels {
        println!(
            "C2: all hear each other {:?} after the failover",
            world.wait_all_hear_each_other(channel, "planned")
        );
    }
    world.wait_gap(&channels[0].0);
}

#[test]
fn c1_c2_nodes_that_fail_are_not_missed() {
    lost_nodes_are_not_missed(0, |owner, number| {
        let name = format!("lost{owner}-{number}");
        let slot = key_slot(name.as_bytes());
        (name, slot)
    });
}

#[test]
fn c1_c2_nodes_that_fail_are_not_missed_with_partitions() {
    lost_nodes_are_not_missed(12, |owner, number| {
        let name = format!("lost{owner}-{number}");
        let partition =
            flywheel_redis::placement::jump(flywheel_redis::placement::fnv1a(name.as_bytes()), 12);
        (name, key_slot(partition.to_string().as_bytes()))
    });
}

#[test]
fn c3_a_partition_whose_slot_moves_is_heard_where_it_is() {
    let cluster = RedisCluster::start();
    let world = World::of(2, &[settings(&cluster, 1)]);
    world.subscribe("moving");
    world.wait_all_hear_each_other("moving", "before");
    let slot = key_slot(b"0");
    let from = cluster.owner_according_to(0, slot).unwrap();
    let to = (from + 1) % 3;
    cluster.move_slot(slot, from, to);
    let took = world.wait_all_hear_each_other("moving", "after");
    println!("C3: all hear each other {took:?} after the move");
    world.wait_gap("moving");
}
