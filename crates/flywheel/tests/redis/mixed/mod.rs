//! A node of ours beside one of the reference, on one Redis: row M1 of the failure matrix.
//!
//! Each layout of the data in turn, and every thing that both have to understand alike, in both directions. What the reference
//! does is done by [`reference`], command by command.

mod control;
mod histories;
mod once;
mod presences;
mod reference;
mod shared;

use flywheel_testkit::{RedisCluster, RedisServer};

use crate::node;
use shared::{Redis, Shared};

fn mixed(redis: Redis, lists: bool, users: bool) {
    let shared = &Shared { redis, lists, users };
    let server = &node(&shared.settings());
    // Each has channels of its own.
    histories::both_write_one_history(server, shared);
    histories::a_client_recovers_what_the_reference_published(server, shared);
    histories::a_stream_begins_with_whoever_reads_it_first(server, shared);
    histories::patches_are_made_from_what_the_other_published(server, shared);
    once::a_key_counts_on_both(server, shared);
    once::a_version_counts_on_both(server, shared);
    presences::both_see_who_is_present(server, shared);
    presences::joins_and_leaves_are_heard_on_both(server, shared);
    control::nodes_know_and_obey_each_other(server, shared);
    assert!(server.is_ready(), "{}", server.readiness().text());
    let log = server.log();
    assert!(!log.contains("not understood") && !log.contains("panicked"), "{log}");
}

#[test]
fn m1_one_server_is_shared_with_the_reference() {
    mixed(Redis::One(RedisServer::start()), false, false);
}

#[test]
fn m1_lists_and_users_are_shared_with_the_reference() {
    mixed(Redis::One(RedisServer::start()), true, true);
}

#[test]
fn m1_a_cluster_is_shared_with_the_reference() {
    mixed(Redis::Cluster(RedisCluster::start()), false, true);
}

#[test]
fn m1_partitions_of_a_cluster_are_shared_with_the_reference() {
    mixed(Redis::Partitions(RedisCluster::start()), false, false);
}
