//! A WebSocket on a connection that carried other requests before, as a proxy that keeps its connections open makes it.

use std::time::Duration;

use flywheel_testkit::{RawSocket, Server, client_frame, fixture};

const FLYWHEEL: &str = env!("CARGO_BIN_EXE_flywheel");
const WITHIN: Duration = Duration::from_secs(10);

#[test]
fn a_connection_becomes_a_websocket_after_it_carried_other_requests() {
    let server = Server::start(FLYWHEEL, fixture());
    let mut socket = RawSocket::open(server.address()).unwrap();
    for _ in 0..3 {
        socket.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let answer = socket.response();
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    }
    let answer = socket.handshake("/connection/websocket", &[("Sec-WebSocket-Protocol", "centrifuge-json")]);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("centrifuge-json"));
    let commands = br#"{"id":1,"connect":{}}
{"id":2,"subscribe":{"channel":"lobby"}}"#;
    socket.write(&client_frame(0x81, commands)).unwrap();
    let reply = |socket: &mut RawSocket| String::from_utf8(socket.frame(WITHIN).unwrap().payload).unwrap();
    assert!(reply(&mut socket).starts_with(r#"{"id":1,"connect":{"client":"#));
    assert_eq!(reply(&mut socket), r#"{"id":2,"subscribe":{}}"#);
    server.api("publish", r#"{"channel":"lobby","data":1}"#);
    assert_eq!(reply(&mut socket), r#"{"push":{"channel":"lobby","pub":{"data":1}}}"#);
    // The close handshake works as on any other.
    socket.write(&client_frame(0x88, &1000u16.to_be_bytes())).unwrap();
    assert_eq!(socket.closed(WITHIN), Some((1000, String::new())));
}

#[test]
fn a_bad_handshake_on_a_kept_connection_is_refused_like_on_a_fresh_one() {
    let server = Server::start(FLYWHEEL, fixture());
    let mut socket = RawSocket::open(server.address()).unwrap();
    socket.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(socket.response().status, 200);
    let wrong_origin = socket.handshake("/connection/websocket", &[("Origin", "http://elsewhere")]);
    assert_eq!(wrong_origin.status, 403);
    let wrong_version = b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 12\r\n\r\n";
    socket.write(wrong_version).unwrap();
    let answer = socket.response();
    assert_eq!((answer.status, answer.header("sec-websocket-version")), (400, Some("13")));
}
