use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flywheel_redis::engine::RedisOptions;
use flywheel_redis::keys::key_slot;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{Bound, FaultProxy, OnReply, RedisCluster, RedisServer, wait_until};

use crate::nodes::{PATIENCE, World, local, options, plain};

/// A cluster for tests that do it no harm. It dies with the process.
pub(crate) fn shared() -> &'static RedisCluster {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    CLUSTER.get_or_init(RedisCluster::start)
}

pub(crate) fn shared_settings(partitions: u16) -> ShardSettings {
    settings(shared(), partitions)
}

pub(crate) fn settings(cluster: &RedisCluster, partitions: u16) -> ShardSettings {
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
        world.wait_all_hear_each_other(channel, "before");
    }
    for (victim, fault) in [(0, "killed"), (1, "frozen")] {
        if fault == "killed" {
            cluster.node_mut(victim).kill();
        } else {
            cluster.nodes()[victim].freeze();
        }
        cluster.wait_moved(2, channels[victim].1, victim);
        let promoted = Instant::now();
        for (channel, _) in &channels {
            world.wait_all_hear_each_other(channel, fault);
        }
        let since = format!("after the promotion, when a node was {fault}");
        Bound::new("C1", Duration::from_secs(1)).holds("all hear each other", promoted.elapsed(), &since);
        world.wait_ready();
        if fault == "frozen" {
            cluster.nodes()[victim].resume();
        }
    }
    cluster.failover(5);
    for (channel, _) in &channels {
        let took = world.wait_all_hear_each_other(channel, "planned");
        Bound::new("C2", Duration::from_millis(500)).holds("all hear each other", took, "after the failover");
    }
    world.wait_gap(&channels[0].0);
    world.finish("C1 and C2");
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
    // Calls go on while the slot moves, and so does a channel with history.
    let others: Vec<_> = (0..500).map(|number| format!("other{number}")).collect();
    let mut rounds = vec![world.publish_all(&others)];
    cluster.begin_move(slot, from, to);
    rounds.push(world.publish_all(&others));
    world.publish(0, "moving", "open").unwrap();
    let under_way = world.begin_all(&others);
    cluster.finish_move(slot, from, to);
    let moved = Instant::now();
    world.wait_all_hear_each_other("moving", "after");
    world.wait_gap("moving");
    let since = format!("after the move, with {} calls under way", others.len());
    let what = "all hear each other and look for what is missing";
    Bound::new("C3", Duration::from_millis(500)).holds(what, moved.elapsed(), &since);
    rounds.push(world.end_all(under_way));
    for (round, positions) in rounds.iter().enumerate() {
        for (channel, position) in others.iter().zip(positions) {
            let offset = position.as_ref().map(|position| position.offset);
            assert_eq!(offset, Ok(round as u64 + 1), "{channel}: the answer is another's");
        }
    }
    // What was accepted is in the stream, from where whoever missed it gets it.
    let top = world.top(1, "moving").unwrap();
    let kept = world.history(1, "moving");
    assert_eq!(kept.len() as u64, top.offset, "the stream has a hole");
    assert_eq!(kept.iter().filter(|data| data.as_str() == "open").count(), 1);
    world.finish("C3");
}

#[test]
fn r4_a_lost_or_doubled_answer_in_a_cluster_costs_its_connection_and_reaches_nobody_else() {
    let cluster = RedisCluster::start();
    let proxies: Vec<_> = cluster.nodes().iter().map(|node| FaultProxy::start(node.port())).collect();
    for (node, proxy) in cluster.nodes().iter().zip(&proxies) {
        node.run(&["CONFIG", "SET", "cluster-announce-port", &proxy.port().to_string()]);
    }
    // Every node has to have heard of every other's.
    let announced = |node: &RedisServer| {
        let nodes = node.run(&["CLUSTER", "NODES"]).text();
        proxies.iter().all(|proxy| nodes.contains(&format!(":{}@", proxy.port())))
    };
    assert!(wait_until(PATIENCE, || cluster.nodes().iter().all(announced)), "addresses are not announced");
    let seeds = proxies[..3].iter().map(|proxy| local(proxy.port())).collect();
    let world = World::of(1, &[plain(Seeds::Cluster(seeds))]);
    let channels: Vec<_> = (0..24).map(|number| format!("room{number}")).collect();
    channels.iter().for_each(|channel| world.subscribe(channel));
    world.wait_ready();
    let mut made = vec![0_u64; channels.len()];
    let mut failed = 0;
    for what in [OnReply::Swallow, OnReply::Duplicate] {
        proxies.iter().for_each(|proxy| proxy.on_nth("EVALSHA", 5, what));
        for round in 0..10 {
            for (channel, top) in channels.iter().zip(&mut made) {
                match world.publish(0, channel, &format!("{channel}-{round}")) {
                    Ok(published) => {
                        let offset = published.position().unwrap().offset;
                        assert!(offset > *top, "{channel}: offset {offset} after {top} is another channel's");
                        *top = offset;
                    }
                    Err(_) => failed += 1,
                }
            }
        }
    }
    assert!(failed <= 2 * proxies.len(), "{failed} failed: more than the answers that were lost");
    let accepted: usize = proxies.iter().map(FaultProxy::accepted).sum();
    assert!(accepted > proxies.len(), "nothing went through the proxies");
    for (channel, top) in channels.iter().zip(made) {
        assert!(world.top(0, channel).unwrap().offset >= top);
        world.wait_all_hear_each_other(channel, "after");
    }
    world.finish("R4");
}

#[test]
fn a_prefix_in_use_is_not_taken_for_an_empty_one_when_the_layout_changes() {
    let mut world = World::new();
    let prefixed = |prefix: &str| RedisOptions { prefix: prefix.to_owned(), ..options() };
    world.add(&[shared_settings(16)], prefixed("layout"));
    world.wait_ready();
    // The same name comes of it, with other partitions.
    world.nodes.clear();
    world.add(&[shared_settings(0)], prefixed("layout16"));
    let refused = wait_until(PATIENCE, || {
        let said = world.reason("write");
        ["layout16.layout", "partitioned:16", "\"cluster\""].iter().all(|part| said.contains(part))
    });
    assert!(refused, "{}", world.reason("write"));
    let published = world.publish(0, "room", "x").unwrap_err().to_string();
    assert!(published.contains("partitioned:16"), "{published}");
    // Who keeps presence only does not care.
    world.nodes.clear();
    world.add(&[shared_settings(0)], RedisOptions { keeps_streams: false, ..prefixed("layout16") });
    world.wait_ready();
}
