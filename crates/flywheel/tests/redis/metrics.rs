//! What becomes of Redis shows up in the metrics.

use flywheel_testkit::{FaultProxy, JsonClient, RedisServer, Server, fixture_on_redis, set, wait_until};
use serde_json::json;

use crate::{BINARY, PATIENCE};

/// The value of a series; `None` while there is none.
fn value(server: &Server, series: &str) -> Option<f64> {
    let text = server.request("GET", "/metrics", &[], b"").text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[test]
fn connections_probes_deadlines_gaps_and_messages_that_mean_nothing_are_counted() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let mut config = fixture_on_redis(&json!({"address": proxy.address()}));
    set(&mut config, "prometheus.enabled", true.into());
    let server = Server::start(BINARY, config);
    assert!(wait_until(PATIENCE, || server.is_ready()));
    let count = |series: &str| value(&server, series).unwrap_or_default();
    let grows = |series: &str, than: f64| {
        assert!(wait_until(PATIENCE, || count(series) > than), "{series} stays at {}", count(series));
    };
    for kind in ["command", "pubsub"] {
        grows(&format!("flywheel_redis_connects_total{{kind=\"{kind}\",shard=\"redis[0]\"}}"), 0.0);
    }
    for probe in ["write", "delivery"] {
        let labels = format!("{{probe=\"{probe}\",shard=\"redis[0]\"");
        grows(&format!("flywheel_redis_probe_seconds_count{labels}}}"), 1.0);
        grows(&format!("flywheel_redis_probe_seconds_sum{labels}}}"), 0.0);
        grows(&format!("flywheel_redis_probe_seconds_bucket{labels},le=\"2.5\"}}"), 1.0);
    }
    let calls = format!("flywheel_redis_calls{{server=\"{}\",shard=\"redis[0]\"}}", proxy.address());
    assert!(wait_until(PATIENCE, || value(&server, &calls).is_some()), "no link is shown");
    // Somebody else publishes something in a channel of ours.
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("log:counted");
    redis.run(&["PUBLISH", "centrifugo.client.log:counted", "__nonsense"]);
    grows("flywheel_redis_malformed_messages_total{shard=\"redis[0]\"}", 0.0);
    // Connections break: they are made again, and channels are checked.
    let connects = ["command", "pubsub"]
        .map(|kind| format!("flywheel_redis_connects_total{{kind=\"{kind}\",shard=\"redis[0]\"}}"));
    let before = [count(&connects[0]), count(&connects[1])];
    let gaps = "flywheel_redis_gaps_total{shard=\"redis[0]\"}";
    let gaps_before = count(gaps);
    proxy.reset();
    connects.iter().zip(before).for_each(|(series, before)| grows(series, before));
    grows(gaps, gaps_before);
    // Nothing answers: probes and calls end by their deadlines.
    let deadlines = "flywheel_redis_deadlines_total{shard=\"redis[0]\"}";
    let before = count(deadlines);
    proxy.black_hole();
    grows(deadlines, before);
    proxy.heal();
    assert!(count("flywheel_redis_switches_total{shard=\"redis[0]\"}") < 1.0, "there is one server only");
}
