use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flywheel_testkit::{
    Bound, Connection, Encoding, Event, JsonClient, RedisServer, Server, sign, wait_until,
};
use serde_json::{Value, json};

use crate::PATIENCE;

const SECRET: &str = "drill-secret";
const KEY: &str = "api-key";
/// Server-side subscriptions of a connection. A node has fewer locks and shards than that, so that some share one.
const CHANNELS: usize = 8;
/// Visits of each client, every third of which ends in the middle.
const VISITS: usize = 100;
const CLIENTS: usize = 8;
/// How long a command to Redis may take.
const DEADLINE: Duration = Duration::from_millis(1_500);

fn channels() -> Vec<String> {
    (0..CHANNELS).map(|number| format!("storm:{number}")).collect()
}

fn config(redis: &str) -> Value {
    json!({
        "engine": {"type": "redis", "redis": {"address": redis}},
        // Eight channels on two shards: each has several of them, and each connection is on one with all of its own.
        "node": {"shards": 2},
        "client": {"token": {"hmac_secret_key": SECRET}},
        "http_api": {"key": KEY},
        "channel": {"namespaces": [
            {"name": "storm", "history_size": 1_000, "history_ttl": "1h", "force_recovery": true},
            {
                "name": "room",
                "allow_subscribe_for_client": true,
                "presence": true,
                "join_leave": true,
                "force_push_join_leave": true,
            },
        ]},
    })
}

#[test]
fn z1_many_recoverable_subscriptions_joins_and_leaves_under_a_storm_are_all_answered_in_time() {
    let redis = RedisServer::start();
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config(&redis.address()));
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.log());
    let before = server.resident_bytes();
    let token = sign(SECRET, &json!({"sub": "visitor", "channels": channels()}).to_string());
    let published = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        for publisher in 0..2 {
            let (server, published, is_over) = (&server, &published, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    for channel in channels().iter().skip(publisher).step_by(2) {
                        server.api_result("publish", &json!({"channel": channel, "data": {"storm": true}}));
                        published.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let visits: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (address, token) = (server.address(), &token);
                scope.spawn(move || visit_again_and_again(client, address, token))
            })
            .collect();
        let longest = visits.into_iter().map(|visits| visits.join().unwrap()).max().unwrap();
        is_over.store(true, Ordering::SeqCst);
        longest
    });
    assert!(published.load(Ordering::SeqCst) > 100, "that was no storm");
    Bound::of_calls("Z1", DEADLINE).holds("longest command", longest, "under a storm");
    assert!(server.is_ready() && !server.log().contains("panicked"), "{}", server.log());
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    assert!(wait_until(PATIENCE, || present(&server) == 0), "{} are present for ever", present(&server));
}

/// Clients that are present, of those who have left.
fn present(server: &Server) -> u64 {
    server.api_result("presence_stats", &json!({"channel": "room:a"}))["num_clients"].as_u64().unwrap()
}

/// Answers how long the slowest command took. Every visit recovers from where the one before it ended.
fn visit_again_and_again(client: usize, address: SocketAddr, token: &str) -> Duration {
    let mut positions = json!({});
    let mut longest = Duration::ZERO;
    for visit in 0..VISITS {
        if (client + visit).is_multiple_of(3) {
            leave_in_the_middle(address, token, &positions);
            continue;
        }
        let mut guest = JsonClient::open(address);
        let mut timed = |method: &str, params: Value| {
            let begun = Instant::now();
            let reply = guest.command(method, params);
            longest = longest.max(begun.elapsed());
            assert!(reply["error"].is_null(), "{method}: {reply}");
            reply
        };
        let reply = timed("connect", json!({"token": token, "subs": positions}));
        let subs = reply["connect"]["subs"].as_object().unwrap();
        assert_eq!(subs.len(), CHANNELS, "{reply}");
        for (channel, sub) in subs {
            if !positions[channel].is_null() {
                assert_eq!(sub["recovered"], true, "{channel}: {sub}");
            }
            // What came with the answer was recovered too.
            let offset =
                sub["publications"].as_array().and_then(|all| all.last()).map(|last| &last["offset"]);
            positions[channel] =
                json!({"recover": true, "epoch": sub["epoch"], "offset": offset.unwrap_or(&sub["offset"])});
        }
        timed("subscribe", json!({"channel": "room:a"}));
        timed("unsubscribe", json!({"channel": "room:a"}));
        timed("subscribe", json!({"channel": "room:a"}));
    }
    longest
}

/// Connects and subscribes, and is gone before the answers are.
fn leave_in_the_middle(address: SocketAddr, token: &str, positions: &Value) {
    let mut guest = Connection::open(address, Encoding::Json).unwrap();
    let connect = json!({"id": 1, "connect": {"token": token, "subs": positions}});
    guest.send(connect.to_string().as_bytes());
    if let Some(Event::Message(_)) = guest.next(Duration::from_millis(1)) {
        guest.send(json!({"id": 2, "subscribe": {"channel": "room:a"}}).to_string().as_bytes());
    }
}
