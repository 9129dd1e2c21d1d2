//! Commands of streams that reach another node than the stream's.

use std::time::Duration;

use flywheel_testkit::{
    Cutter, HaProxy, RedisServer, Sdk, Server, Stream, add_namespace, fixture_on_redis, free_port, set, sign,
    wait_until,
};
use serde_json::{Value, json};

use crate::{PATIENCE, at, two_of};

/// Two nodes whose clients may come over streams.
fn streaming(redis: &RedisServer) -> (Server, Server) {
    let mut config = fixture_on_redis(&at(redis));
    for transport in ["sse", "http_stream"] {
        set(&mut config, &format!("{transport}.enabled"), json!(true));
    }
    add_namespace(
        &mut config,
        json!({
            "name": "sdk",
            "history_size": 10_000,
            "history_ttl": "300s",
            "force_recovery": true,
            "allowed_delta_types": ["fossil"],
            "allow_subscribe_for_client": true,
        }),
    );
    // Whoever is cut off again and again comes back to more than a queue of the default size holds.
    set(&mut config, "client.recovery_max_publication_limit", json!(10_000));
    set(&mut config, "client.queue_max_size", json!(64 << 20));
    two_of(&config)
}

/// A client of a streamed response.
struct Streamed {
    stream: Stream,
    way: Value,
}

impl Streamed {
    fn connect(server: &Server) -> Self {
        let body = r#"{"id":1,"connect":{}}"#;
        let length = body.len();
        let request = format!(
            "POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
        let reply: Value = serde_json::from_str(&stream.until("\n")).unwrap();
        let way = json!({"session": reply["connect"]["session"], "node": reply["connect"]["node"]});
        Self { stream, way }
    }

    /// Sends a frame to this server, and answers the status.
    fn send(&self, server: &Server, frame: &str) -> u16 {
        let mut body = self.way.clone();
        body["data"] = frame.into();
        server.request("POST", "/emulation", &[], body.to_string().as_bytes()).status
    }
}

#[test]
fn commands_find_their_stream_through_whatever_node_they_come() {
    let redis = RedisServer::start();
    let (one, mut other) = streaming(&redis);
    let mut client = Streamed::connect(&other);
    for number in 2..30 {
        let server = if number % 3 == 0 { &other } else { &one };
        let command = json!({"id": number, "publish": {"channel": "nowhere:ü\"\\", "data": {}}}).to_string();
        assert_eq!(client.send(server, &command), 204);
        let reply: Value = serde_json::from_str(&client.stream.until("\n")).unwrap();
        assert_eq!((&reply["id"], &reply["error"]["code"]), (&json!(number), &json!(102)), "{reply}");
    }
    let subscribe = json!({"id": 30, "subscribe": {"channel": "plain"}}).to_string();
    assert_eq!(client.send(&one, &subscribe), 204);
    assert_eq!(client.stream.until("\n"), "{\"id\":30,\"subscribe\":{}}\n");
    // A frame that is none is told on the stream.
    assert_eq!(client.send(&one, "nonsense"), 204);
    assert!(client.stream.until("\n").contains("3501"));
    assert_eq!(client.send(&one, "{}"), 204, "a session that is gone");
    other.kill();
    assert!(wait_until(PATIENCE, || client.send(&one, "{}") == 404), "a node that is gone");
}

#[test]
fn the_javascript_sdk_is_cut_off_and_comes_back_through_a_load_balancer() {
    let redis = RedisServer::start();
    let (one, other) = streaming(&redis);
    let port = free_port();
    let config = format!(
        "defaults\n mode http\n option http-no-delay\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         frontend in\n bind 127.0.0.1:{port}\n default_backend out\n\
         backend out\n balance roundrobin\n http-reuse always\n server one {}\n server other {}\n",
        one.address(),
        other.address(),
    );
    let _balancer = HaProxy::start(&config, &[port]);
    let kinds = ["http_stream/json/delta", "http_stream/protobuf", "sse/json"];
    let wires: Vec<_> = kinds.iter().map(|_| Cutter::start(([127, 0, 0, 1], port).into())).collect();
    let clients: Vec<_> =
        kinds.iter().zip(&wires).map(|(kind, wire)| format!("{kind}@{}", wire.address())).collect();
    let control = Cutter::obey(wires);
    let arguments = [
        format!("address={}", one.address()),
        "key=secret".to_owned(),
        format!("token={}", sign("appendix-secret", r#"{"sub":"sdk-user"}"#)),
        "scenario=recovered".to_owned(),
        format!("control={}", control.address()),
        "seed=1".to_owned(),
        "reconnects=30".to_owned(),
        "history=10000".to_owned(),
        "channels=sdk:prices".to_owned(),
        format!("clients={}", clients.join(",")),
    ];
    let checks = Sdk::javascript().run("recovery.mjs", &arguments, Duration::from_mins(2));
    checks.assert_all(&[
        "subscribed",
        "enough-reconnects",
        "every-message-once-and-in-order",
        "always-recovered",
    ]);
}
