//! permessage-deflate between the real server and clients made by hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers fail the test")]

use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use flywheel_testkit::{Frame, RawSocket, Server, client_frame, fixture, set};
use serde_json::{Value, json};

const FLYWHEEL: &str = env!("CARGO_BIN_EXE_flywheel");
const WITHIN: Duration = Duration::from_secs(10);
const ENDPOINT: &str = "/connection/websocket";
const OFFER: &str = "permessage-deflate; client_max_window_bits";
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn server(settings: &Value) -> Server {
    let mut config = fixture();
    set(&mut config, "websocket.compression", json!(true));
    for (key, value) in settings.as_object().unwrap() {
        set(&mut config, &format!("websocket.{key}"), value.clone());
    }
    Server::start(FLYWHEEL, config)
}

/// A client that offers what it is given; answers what the server agreed to.
fn open(server: &Server, offer: &str) -> (RawSocket, Option<String>) {
    let mut socket = RawSocket::open(server.address()).unwrap();
    let response = socket.handshake(ENDPOINT, &[("Sec-WebSocket-Extensions", offer)]);
    assert_eq!(response.status, 101);
    let agreed = response.header("sec-websocket-extensions").map(str::to_owned);
    (socket, agreed)
}

/// A client that has subscribed to `lobby`.
fn subscriber(server: &Server, offer: &str) -> RawSocket {
    let (mut socket, _) = open(server, offer);
    socket.write(&client_frame(0x81, br#"{"id":1,"connect":{}}"#)).unwrap();
    socket.write(&client_frame(0x81, br#"{"id":2,"subscribe":{"channel":"lobby"}}"#)).unwrap();
    assert!(message(&mut socket).contains(r#""connect""#));
    assert_eq!(message(&mut socket), r#"{"id":2,"subscribe":{}}"#);
    socket
}

fn message(socket: &mut RawSocket) -> String {
    text(&socket.frame(WITHIN).unwrap())
}

/// The text of a frame, compressed or not.
fn text(frame: &Frame) -> String {
    let bytes = match frame.head {
        0x81 => frame.payload.clone(),
        0xC1 => {
            let mut message = Vec::with_capacity(1 << 20);
            let payload = [frame.payload.as_slice(), &[0, 0, 0xFF, 0xFF]].concat();
            let mut inflate = Decompress::new(false);
            inflate.decompress_vec(&payload, &mut message, FlushDecompress::Sync).unwrap();
            message
        }
        head => panic!("a frame that begins with {head:#x}"),
    };
    String::from_utf8(bytes).unwrap()
}

/// A payload for RSV1.
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(message.len() + 64);
    Compress::new(Compression::best(), false)
        .compress_vec(message, &mut payload, FlushCompress::Sync)
        .unwrap();
    payload.truncate(payload.len() - 4);
    payload
}

fn publish(server: &Server, data: &str) -> String {
    server.api("publish", &format!(r#"{{"channel":"lobby","data":{data}}}"#));
    format!(r#"{{"push":{{"channel":"lobby","pub":{{"data":{data}}}}}}}"#)
}

fn long() -> String {
    format!(r#"{{"text":"{}"}}"#, "words and ".repeat(30))
}

#[test]
fn compression_is_off_unless_it_is_configured_and_asked_for() {
    let plain = Server::start(FLYWHEEL, fixture());
    assert_eq!(open(&plain, OFFER).1, None);
    let server = server(&json!({}));
    assert_eq!(open(&server, OFFER).1.as_deref(), Some(AGREED));
    assert_eq!(open(&server, "").1, None);
    assert_eq!(open(&server, "permessage-deflate; nonsense").1, None);
    let limited = format!("{AGREED}; server_max_window_bits=10");
    let offer = "permessage-deflate; nonsense, permessage-deflate; server_max_window_bits=10";
    assert_eq!(open(&server, offer).1, Some(limited));
}

#[test]
fn plain_and_compressed_clients_of_one_channel_get_the_same() {
    let server = server(&json!({}));
    let mut compressed = [subscriber(&server, OFFER), subscriber(&server, OFFER)];
    let mut plain = subscriber(&server, "");
    for data in [long(), "1".to_owned(), long()] {
        let expected = publish(&server, &data);
        let frames = compressed.each_mut().map(|socket| socket.frame(WITHIN).unwrap());
        assert_eq!(frames[0], frames[1]);
        assert_eq!(frames[0].head, if data.len() > 1 { 0xC1 } else { 0x81 });
        assert!(data.len() == 1 || frames[0].payload.len() * 2 < expected.len());
        assert_eq!(text(&frames[0]), expected);
        let frame = plain.frame(WITHIN).unwrap();
        assert_eq!((frame.head, text(&frame)), (0x81, expected));
    }
}

#[test]
fn messages_below_the_configured_size_are_left_alone() {
    let server = server(&json!({"compression_min_size": 1000, "compression_level": 9}));
    let mut socket = subscriber(&server, OFFER);
    for (data, head) in [(long(), 0x81), (format!("[{0},{0},{0},{0}]", long()), 0xC1)] {
        let expected = publish(&server, &data);
        let frame = socket.frame(WITHIN).unwrap();
        assert_eq!((frame.head, text(&frame)), (head, expected));
    }
}

#[test]
fn commands_may_come_compressed_whole_or_in_pieces() {
    let server = server(&json!({}));
    let (mut socket, _) = open(&server, OFFER);
    socket.write(&client_frame(0xC1, &deflated(br#"{"id":1,"connect":{}}"#))).unwrap();
    assert!(message(&mut socket).contains(r#""connect""#));
    let payload = deflated(br#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    let (first, rest) = payload.split_at(10);
    socket.write(&client_frame(0x41, first)).unwrap();
    socket.write(&client_frame(0x89, b"between")).unwrap();
    socket.write(&client_frame(0x80, rest)).unwrap();
    let pong = socket.frame(WITHIN).unwrap();
    assert_eq!((pong.head, pong.payload.as_slice()), (0x8A, &b"between"[..]));
    assert_eq!(message(&mut socket), r#"{"id":2,"subscribe":{}}"#);
    // Who may compress need not.
    socket.write(&client_frame(0x81, br#"{"id":3,"unsubscribe":{"channel":"lobby"}}"#)).unwrap();
    assert_eq!(message(&mut socket), r#"{"id":3,"unsubscribe":{}}"#);
}

#[test]
fn a_bomb_is_refused_and_takes_no_memory() {
    let server = server(&json!({}));
    let bomb = deflated(&vec![b' '; 50 << 20]);
    assert!(bomb.len() < 65_536);
    let before = server.resident_bytes();
    for _ in 0..3 {
        let (mut socket, _) = open(&server, OFFER);
        socket.write(&client_frame(0xC1, &bomb)).unwrap();
        assert_eq!(socket.closed(WITHIN), Some((1009, String::new())));
    }
    assert!(server.resident_bytes().saturating_sub(before) < 16 << 20);
}

#[test]
fn the_limit_after_decompression_is_ten_times_that_before_unless_it_is_set() {
    for (settings, limit) in [
        (json!({"message_size_limit": 2000}), 20_000),
        (json!({"message_size_limit": 2000, "decompressed_message_size_limit": 3000}), 3000),
    ] {
        let server = server(&settings);
        let connect = |size: usize| {
            let empty = r#"{"id":1,"connect":{"data":""}}"#.len();
            let text = format!(r#"{{"id":1,"connect":{{"data":"{}"}}}}"#, "x".repeat(size - empty));
            let (mut socket, _) = open(&server, OFFER);
            socket.write(&client_frame(0xC1, &deflated(text.as_bytes()))).unwrap();
            socket
        };
        assert!(message(&mut connect(limit)).contains(r#""connect""#));
        assert_eq!(connect(limit + 1).closed(WITHIN), Some((1009, String::new())));
    }
}

#[test]
fn clients_that_only_listen_have_a_limit_after_decompression_of_their_own() {
    let mut config = fixture();
    for (key, value) in
        [("enabled", json!(true)), ("compression", json!(true)), ("message_size_limit", json!(2000))]
    {
        set(&mut config, &format!("uni_websocket.{key}"), value);
    }
    set(&mut config, "uni_websocket.decompressed_message_size_limit", json!(3000));
    let server = Server::start(FLYWHEEL, config);
    let connect = |size: usize| {
        let text = format!(r#"{{"data":"{}"}}"#, "x".repeat(size - r#"{"data":""}"#.len()));
        let mut socket = RawSocket::open(server.address()).unwrap();
        socket.handshake("/connection/uni_websocket", &[("Sec-WebSocket-Extensions", OFFER)]);
        socket.write(&client_frame(0xC1, &deflated(text.as_bytes()))).unwrap();
        socket
    };
    assert!(message(&mut connect(3000)).contains(r#""connect""#));
    assert_eq!(connect(3001).closed(WITHIN), Some((1009, String::new())));
}

#[test]
fn what_cannot_be_decompressed_is_1007_and_a_bit_out_of_place_is_1002() {
    let server = server(&json!({}));
    let payload = deflated(br#"{"id":1,"connect":{}}"#);
    let broken_off = client_frame(0xC1, &payload[..payload.len() - 3]);
    let continued = [client_frame(0x41, &payload[..5]), client_frame(0xC0, &payload[5..])].concat();
    for (what, bytes, code) in [
        ("garbage", client_frame(0xC1, &[0xFF; 50]), 1007),
        ("broken off", broken_off, 1007),
        ("a compressed ping", client_frame(0xC9, b""), 1002),
        ("a compressed close", client_frame(0xC8, b""), 1002),
        ("the bit on a continuation", continued, 1002),
    ] {
        let (mut socket, _) = open(&server, OFFER);
        socket.write(&bytes).unwrap();
        assert_eq!(socket.closed(WITHIN).map(|(code, _)| code), Some(code), "{what}");
    }
    let (mut socket, _) = open(&server, "");
    socket.write(&client_frame(0xC1, &payload)).unwrap();
    assert_eq!(socket.closed(WITHIN).map(|(code, _)| code), Some(1002), "nothing was agreed");
}

#[test]
fn a_connection_that_carried_other_requests_is_compressed_like_any_other() {
    let server = server(&json!({}));
    let mut socket = RawSocket::open(server.address()).unwrap();
    socket.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(socket.response().status, 200);
    let response = socket.handshake(ENDPOINT, &[("Sec-WebSocket-Extensions", OFFER)]);
    assert_eq!(response.header("sec-websocket-extensions"), Some(AGREED));
    let connect = deflated(
        br#"{"id":1,"connect":{}}
{"id":2,"subscribe":{"channel":"lobby"}}"#,
    );
    socket.write(&client_frame(0xC1, &connect)).unwrap();
    assert!(message(&mut socket).contains(r#""connect""#));
    assert_eq!(message(&mut socket), r#"{"id":2,"subscribe":{}}"#);
    let expected = publish(&server, &long());
    let frame = socket.frame(WITHIN).unwrap();
    assert_eq!((frame.head, text(&frame)), (0xC1, expected));
}

#[test]
fn clients_that_only_listen_are_compressed_for_by_a_setting_of_their_own() {
    for compression in [false, true] {
        let mut config = fixture();
        set(&mut config, "uni_websocket.enabled", json!(true));
        set(&mut config, "uni_websocket.compression", json!(compression));
        let server = Server::start(FLYWHEEL, config);
        let mut socket = RawSocket::open(server.address()).unwrap();
        let offer = [("Sec-WebSocket-Extensions", OFFER)];
        let response = socket.handshake("/connection/uni_websocket", &offer);
        assert_eq!(response.header("sec-websocket-extensions").is_some(), compression);
        let request = br#"{"subs":{"lobby":{}}}"#;
        let frame =
            if compression { client_frame(0xC1, &deflated(request)) } else { client_frame(0x81, request) };
        socket.write(&frame).unwrap();
        assert!(message(&mut socket).contains(r#""lobby""#));
        let (_, agreed) = open(&server, OFFER);
        assert_eq!(agreed, None, "the endpoint for both directions has a setting of its own");
        publish(&server, &long());
        let frame = socket.frame(WITHIN).unwrap();
        assert_eq!(frame.head, if compression { 0xC1 } else { 0x81 });
        assert!(text(&frame).contains(&long()));
    }
}
