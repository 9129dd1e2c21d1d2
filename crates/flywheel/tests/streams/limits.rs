//! Limits of each endpoint.

use flywheel_testkit::{RawSocket, Server, Stream, client_frame, set, wait_until};
use serde_json::json;

use super::{WITHIN, get, server, sse};

const BOTH_WAYS: &str = "/connection/websocket";
const LISTENING: &str = "/connection/uni_websocket";
/// More than the kernel keeps for a connection whose peer does not read.
const PUBLICATIONS: usize = 40;
const PUBLICATION_BYTES: usize = 512 << 10;

/// A connect request for `path` that is so long.
fn connect(path: &str, bytes: usize) -> Vec<u8> {
    let (before, after) = if path == LISTENING {
        (r#"{"data":""#, r#""}"#)
    } else {
        (r#"{"id":1,"connect":{"data":""#, r#""}}"#)
    };
    let filler = "x".repeat(bytes - before.len() - after.len());
    client_frame(0x81, format!("{before}{filler}{after}").as_bytes())
}

#[test]
fn each_websocket_endpoint_has_a_longest_message_of_its_own() {
    for (both_ways, listening) in [(1000, 3000), (3000, 1000)] {
        let server = server(|config| {
            set(config, "websocket.message_size_limit", json!(both_ways));
            set(config, "uni_websocket.message_size_limit", json!(listening));
        });
        for (path, limit) in [(BOTH_WAYS, both_ways), (LISTENING, listening)] {
            for is_kept in [false, true] {
                let sent = |bytes| {
                    let mut socket = RawSocket::open(server.address()).unwrap();
                    if is_kept {
                        socket.write(get("/health").as_bytes()).unwrap();
                        assert_eq!(socket.response().status, 200);
                    }
                    assert_eq!(socket.handshake(path, &[]).status, 101);
                    socket.write(&connect(path, bytes)).unwrap();
                    socket
                };
                assert_eq!(sent(limit).frame(WITHIN).unwrap().head, 0x81, "{path}, {limit} bytes");
                assert_eq!(sent(limit + 1).closed(WITHIN), Some((1009, String::new())), "{path}, {limit}");
            }
        }
    }
}

fn subscribed(server: &Server, path: &str) -> RawSocket {
    let mut socket = RawSocket::upgraded(server.address(), path);
    if path == LISTENING {
        socket.write(&client_frame(0x81, br#"{"subs":{"lobby":{}}}"#)).unwrap();
        socket.frame(WITHIN).unwrap();
    } else {
        socket.write(&client_frame(0x81, br#"{"id":1,"connect":{}}"#)).unwrap();
        socket.write(&client_frame(0x81, br#"{"id":2,"subscribe":{"channel":"lobby"}}"#)).unwrap();
        assert!((0..2).all(|_| socket.frame(WITHIN).unwrap().head == 0x81));
    }
    socket
}

/// A server that sends clients away for nothing but blocked writes.
fn patient_server(both_ways: &str, listening: &str) -> Server {
    server(|config| {
        set(config, "websocket.write_timeout", json!(both_ways));
        set(config, "uni_websocket.write_timeout", json!(listening));
        set(config, "client.queue_max_size", json!(2 * PUBLICATIONS * PUBLICATION_BYTES));
        set(config, "client.ping_interval", json!("10m"));
    })
}

fn publish(server: &Server) {
    let data = "x".repeat(PUBLICATION_BYTES);
    for _ in 0..PUBLICATIONS {
        server.api_result("publish", &json!({"channel": "lobby", "data": data}));
    }
}

fn clients(server: &Server) -> u64 {
    server.api_result("info", &json!({}))["nodes"][0]["num_clients"].as_u64().unwrap()
}

/// It was not sent away, and gets everything once it reads.
fn check_is_complete(socket: &mut RawSocket) {
    for number in 0..PUBLICATIONS {
        let frame = socket.frame(WITHIN).unwrap();
        assert!(frame.payload.len() > PUBLICATION_BYTES, "publication {number}: {:#x}", frame.head);
    }
}

#[test]
fn who_takes_nothing_is_dropped_at_the_timeout_of_its_endpoint() {
    for (both_ways, listening, patient, impatient) in
        [("1500ms", "1h", LISTENING, BOTH_WAYS), ("1h", "1500ms", BOTH_WAYS, LISTENING)]
    {
        let server = patient_server(both_ways, listening);
        let [mut waits, mut dropped] = [patient, impatient].map(|path| subscribed(&server, path));
        publish(&server);
        assert!(wait_until(WITHIN, || clients(&server) < 2), "{impatient} was not dropped");
        check_is_complete(&mut waits);
        assert_eq!(dropped.closed(WITHIN), None);
        assert_eq!(clients(&server), 1);
    }
}

#[test]
fn a_stream_that_takes_nothing_is_dropped_however_long_websockets_may_block() {
    let server = patient_server("1h", "1h");
    let mut socket = subscribed(&server, BOTH_WAYS);
    let commands = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}";
    let mut stream: Stream = sse(&server, commands);
    stream.until(r#""id":2"#);
    publish(&server);
    assert!(wait_until(WITHIN, || clients(&server) == 1), "the stream was not dropped");
    check_is_complete(&mut socket);
}
