//! Recovery as the published SDKs do it: connections are cut a hundred times at random moments, while publishing goes on.
//!
//! The seed of a run is in its output; `FLYWHEEL_SEED` repeats it as far as the timing allows.

use std::thread;
use std::time::{Duration, SystemTime};

use flywheel_testkit::{Cutter, Sdk, add_namespace, fixture, set};
use serde_json::json;

use crate::site::Site;
use crate::{arguments, enable_emulation};

const PATIENCE: Duration = Duration::from_mins(2);
/// Number of publications that a channel of the namespace `brief` remembers.
const BRIEF: usize = 20;
/// Channels that the token subscribes to.
const SERVER_SIDE: [&str; 5] = ["long:a", "long:b", "long:c", "long:d", "long:e"];
const RECOVERED: [&str; 4] =
    ["subscribed", "enough-reconnects", "every-message-once-and-in-order", "always-recovered"];
const OUTLIVED: [&str; 2] = ["told-of-every-loss", "recovered-otherwise"];

/// One run of a script.
struct Run<'a> {
    /// `recovered`, `outlived` or `server-side`.
    scenario: &'a str,
    /// How often each client must have come back.
    reconnects: usize,
    channels: &'a [&'a str],
    /// What each client is: transport, encoding, then `delta` and `deflate` if it wants them.
    clients: &'a [&'a str],
}

impl Run<'_> {
    /// Runs it at this site, with a wire of its own for each client.
    fn check(&self, site: &Site, sdk: &Sdk, script: &str, checks: &[&str]) {
        let wires: Vec<_> = self.clients.iter().map(|_| Cutter::start(site.address())).collect();
        let clients: Vec<_> = self
            .clients
            .iter()
            .zip(&wires)
            .map(|(kind, wire)| format!("{kind}@{}", wire.address()))
            .collect();
        let control = Cutter::obey(wires);
        let claims = if self.scenario == "server-side" {
            format!(r#","channels":{}"#, json!(self.channels))
        } else {
            String::new()
        };
        let mut arguments = arguments(site.address(), &claims);
        arguments.extend([
            format!("scenario={}", self.scenario),
            format!("control={}", control.address()),
            format!("seed={}", seed()),
            format!("reconnects={}", self.reconnects),
            format!("history={BRIEF}"),
            format!("channels={}", self.channels.join(",")),
            format!("clients={}", clients.join(",")),
        ]);
        sdk.run(script, &arguments, PATIENCE).assert_all(checks);
        // Shards hand their counts over once a second.
        thread::sleep(Duration::from_millis(1100));
        assert_eq!(site.gaps_found(), 0, "something was lost on the way, and healed");
    }
}

/// Namespaces whose streams outlast every absence, and one whose do not.
fn config() -> serde_json::Value {
    let mut config = fixture();
    for (name, size) in [("long", 10_000), ("brief", BRIEF)] {
        add_namespace(
            &mut config,
            json!({
                "name": name,
                "history_size": size,
                "history_ttl": "300s",
                "force_recovery": true,
                "allowed_delta_types": ["fossil"],
                "allow_subscribe_for_client": true,
            }),
        );
    }
    set(&mut config, "client.recovery_max_publication_limit", json!(10_000));
    set(&mut config, "websocket.compression", json!(true));
    // Whoever is cut off again and again comes back to more than a queue of the default size holds.
    set(&mut config, "client.queue_max_size", json!(64 << 20));
    enable_emulation(&mut config);
    set(&mut config, "client.channel_limit", json!(10));
    set(&mut config, "prometheus.enabled", json!(true));
    config
}

fn seed() -> u32 {
    let given = std::env::var("FLYWHEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos())
}

/// Each kind of client that an SDK has for a transport: both encodings, with delta and without.
const WEBSOCKET: [&str; 4] =
    ["websocket/json", "websocket/json/delta", "websocket/protobuf", "websocket/protobuf/delta"];

fn javascript(scenario: &str, reconnects: usize, channels: &[&str], clients: &[&str], checks: &[&str]) {
    let run = Run { scenario, reconnects, channels, clients };
    run.check(&Site::alone(config()), &Sdk::javascript(), "recovery.mjs", checks);
}

fn python(scenario: &str, reconnects: usize, channels: &[&str], clients: &[&str], checks: &[&str]) {
    let run = Run { scenario, reconnects, channels, clients };
    run.check(&Site::alone(config()), &Sdk::python(), "recovery.py", checks);
}

#[test]
fn javascript_clients_get_every_message_once_over_websocket() {
    javascript("recovered", 100, &["long:prices"], &WEBSOCKET, &RECOVERED);
}

#[test]
fn javascript_clients_get_every_message_once_over_compressed_websocket() {
    let clients = ["websocket/json/deflate", "websocket/json/delta/deflate", "websocket/protobuf/deflate"];
    javascript("recovered", 100, &["long:prices"], &clients, &RECOVERED);
}

#[test]
fn javascript_clients_get_every_message_once_over_http_stream() {
    let clients =
        ["http_stream/json", "http_stream/json/delta", "http_stream/protobuf", "http_stream/protobuf/delta"];
    javascript("recovered", 100, &["long:prices"], &clients, &RECOVERED);
}

#[test]
fn javascript_clients_get_every_message_once_over_sse() {
    javascript("recovered", 100, &["long:prices"], &["sse/json", "sse/json/delta"], &RECOVERED);
}

#[test]
fn javascript_clients_recover_server_side_subscriptions() {
    let clients = ["websocket/json", "websocket/protobuf"];
    javascript("server-side", 100, &SERVER_SIDE, &clients, &RECOVERED);
}

#[test]
fn javascript_clients_are_told_when_they_missed_more_than_the_history_holds() {
    let clients = ["websocket/json", "websocket/protobuf/delta", "http_stream/protobuf", "sse/json/delta"];
    javascript("outlived", 25, &["brief:prices"], &clients, &OUTLIVED);
}

#[test]
fn python_clients_get_every_message_once() {
    python("recovered", 100, &["long:prices"], &WEBSOCKET, &RECOVERED);
}

#[test]
fn python_clients_recover_server_side_subscriptions() {
    python("server-side", 100, &SERVER_SIDE, &["websocket/json", "websocket/protobuf"], &RECOVERED);
}

#[test]
fn python_clients_are_told_when_they_missed_more_than_the_history_holds() {
    python("outlived", 25, &["brief:prices"], &WEBSOCKET, &OUTLIVED);
}

/// A connection that comes back finds the other node, which has to know from Redis what the first one delivered.
#[test]
fn javascript_clients_get_every_message_once_from_two_nodes_on_redis() {
    let run = Run { scenario: "recovered", reconnects: 100, channels: &["long:prices"], clients: &WEBSOCKET };
    run.check(&Site::two_on_redis(config()), &Sdk::javascript(), "recovery.mjs", &RECOVERED);
}

#[test]
fn python_clients_get_every_message_once_from_two_nodes_on_redis() {
    let run = Run { scenario: "recovered", reconnects: 100, channels: &["long:prices"], clients: &WEBSOCKET };
    run.check(&Site::two_on_redis(config()), &Sdk::python(), "recovery.py", &RECOVERED);
}
