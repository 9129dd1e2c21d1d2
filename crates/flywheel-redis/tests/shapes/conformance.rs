use std::time::Duration;

use flywheel_engine::conformance::{Harness, Recorder, run};
use flywheel_engine::{Answer, Broker, Presence};
use flywheel_redis::engine::RedisOptions;
use flywheel_redis::topology::{Seeds, ShardSettings};
use flywheel_testkit::{RedisCluster, RedisRelease, RedisServer, SentinelSet, wait_until};

use crate::cluster::{settings, shared_settings};
use crate::nodes::{PATIENCE, World, local, options, plain, watched_by};

struct OnShape(World);

impl Harness for OnShape {
    fn broker(&self) -> &dyn Broker {
        &self.0.nodes[0].engine
    }

    fn presence(&self) -> &dyn Presence {
        &self.0.nodes[0].engine
    }

    fn sink(&self) -> &Recorder {
        &self.0.nodes[0].ear.recorder
    }

    fn wait<T: Send + 'static>(&self, answer: Answer<T>) -> T {
        self.0.wait(answer)
    }

    fn pass(&self, time: Duration) {
        // Servers have no clock that could be moved.
        std::thread::sleep(time);
    }

    fn until(&self, condition: &mut dyn FnMut() -> bool) {
        assert!(wait_until(PATIENCE, condition), "the engine does not deliver");
    }
}

fn check(shards: &[ShardSettings], prefix: &str) {
    let mut world = World::new();
    // The suite checks what is answered, not how fast a busy machine is.
    let command_timeout = Duration::from_secs(10);
    world.add(shards, RedisOptions { prefix: prefix.to_owned(), command_timeout, ..options() });
    run(&OnShape(world));
}

#[test]
fn an_engine_that_sentinels_lead_conforms() {
    let set = SentinelSet::start();
    check(&[watched_by(&set)], "conforms");
}

#[test]
fn an_engine_on_a_cluster_conforms() {
    check(&[shared_settings(0)], "conforms");
}

#[test]
fn an_engine_on_partitions_of_a_cluster_conforms() {
    check(&[shared_settings(16)], "partitions");
}

#[test]
fn an_engine_on_partitions_of_a_cluster_of_valkey_8_conforms() {
    let servers = flywheel_testkit::RedisOptions::of(RedisRelease::Valkey8);
    let cluster = RedisCluster::with(Duration::from_secs(1), &servers);
    check(&[settings(&cluster, 16)], "valkey");
}

#[test]
fn an_engine_on_two_shards_conforms() {
    let servers = [RedisServer::start(), RedisServer::start()];
    let shards = servers.each_ref().map(|server| plain(Seeds::Server(local(server.port()))));
    check(&shards, "conforms");
    for server in servers {
        assert!(server.run(&["DBSIZE"]).int() > 0, "a shard has no channel");
    }
}
