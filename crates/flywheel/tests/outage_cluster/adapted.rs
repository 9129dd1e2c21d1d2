//! One option for the other shape.

use flywheel_testkit::{FaultProxy, RedisServer, Server, fixture_on_redis};
use serde_json::json;

use crate::repaired::{lines_with, serves, serves_after};
use crate::{BINARY, assert_unharmed, cluster, wait_ready};

#[test]
fn the_cluster_option_at_a_standalone_serves_when_a_cluster_is_there() {
    let (cluster, alone) = (cluster(), RedisServer::start());
    let proxy = FaultProxy::start(alone.port());
    let told =
        ["with cluster support disabled", "engine.redis.address instead of engine.redis.cluster_address"];
    serves_after(&json!({"cluster_address": proxy.address(), "prefix": "repaired"}), &told, || {
        proxy.retarget(cluster.nodes()[0].port());
    });
}

#[test]
fn the_standalone_option_at_any_node_of_a_cluster_serves_with_one_warning() {
    let cluster = cluster();
    for (number, address) in cluster.addresses().iter().enumerate().step_by(4) {
        let settings = json!({"address": address, "prefix": format!("adapted{number}")});
        let server = Server::start(BINARY, fixture_on_redis(&settings));
        wait_ready(&server);
        serves(&server);
        let told = "write the address into engine.redis.cluster_address to say so";
        assert_eq!(lines_with(&server, told), 1, "{}", server.log());
        assert_unharmed(&server);
    }
}
