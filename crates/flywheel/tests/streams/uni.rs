//! Clients that only listen.

use flywheel_testkit::{RawSocket, Server, Stream, client_frame, set, sign};
use serde_json::json;

use super::{WITHIN, encoded, member, post, server};

const CONNECT: &str = r#"{"subs":{"lobby":{}}}"#;

fn text(socket: &mut RawSocket) -> String {
    let frame = socket.frame(WITHIN).unwrap();
    assert_eq!(frame.head, 0x81);
    String::from_utf8(frame.payload).unwrap()
}

fn check_connected(message: &str) {
    let (client, version) = (member(message, "client"), member(message, "version"));
    let session = member(message, "session");
    let expected = format!(
        "{{\"connect\":{{\"client\":\"{client}\",\"version\":\"{version}\",\"subs\":{{\"lobby\":{{}}}},\"ping\":25,\
         \"session\":\"{session}\"}}}}"
    );
    assert_eq!(message.trim_end(), expected);
}

#[test]
fn a_websocket_that_only_listens_connects_by_its_query_or_its_first_message() {
    let server = server(|_| ());
    let target = format!("/connection/uni_websocket?cf_connect={}", encoded(CONNECT));
    for by_query in [true, false] {
        let target = if by_query { target.as_str() } else { "/connection/uni_websocket?cf_connect=null" };
        let mut socket = RawSocket::upgraded(server.address(), target);
        if !by_query {
            socket.write(&client_frame(0x81, CONNECT.as_bytes())).unwrap();
        }
        check_connected(&text(&mut socket));
        // What it says later is not heard.
        socket.write(&client_frame(0x81, b"no command")).unwrap();
        server.api("publish", r#"{"channel":"lobby","data":{"x":1}}"#);
        assert_eq!(text(&mut socket), r#"{"channel":"lobby","pub":{"data":{"x":1}}}"#);
        server.api("unsubscribe", r#"{"user":"","channel":"lobby"}"#);
        assert_eq!(
            text(&mut socket),
            r#"{"channel":"lobby","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}"#
        );
        server.api("disconnect", r#"{"user":""}"#);
        assert_eq!(text(&mut socket), r#"{"disconnect":{"code":3503,"reason":"force disconnect"}}"#);
        assert_eq!(socket.closed(WITHIN), Some((3503, "force disconnect".into())));
    }
}

#[test]
fn a_first_message_that_is_none_is_answered_with_a_close_frame_alone() {
    let server = server(|_| ());
    let mut socket = RawSocket::upgraded(server.address(), "/connection/uni_websocket");
    socket.write(&client_frame(0x81, b"[]")).unwrap();
    let frame = socket.frame(WITHIN).unwrap();
    assert_eq!(frame.close(), Some((3501, "bad request".into())));
    let mut socket = RawSocket::open(server.address()).unwrap();
    assert_eq!(socket.handshake("/connection/uni_websocket?cf_connect=x", &[]).status, 400);
}

#[test]
fn a_websocket_that_only_listens_is_pinged_twice_and_dropped_without_a_pong() {
    let server = server(|config| {
        set(config, "client.ping_interval", json!("400ms"));
        set(config, "client.pong_timeout", json!("300ms"));
    });
    let target = format!("/connection/uni_websocket?cf_connect={}", encoded("{}"));
    let mut socket = RawSocket::upgraded(server.address(), &target);
    text(&mut socket);
    for _ in 0..2 {
        assert_eq!(text(&mut socket), "{}");
        assert_eq!(socket.frame(WITHIN).unwrap().head, 0x89, "a ping frame");
        socket.write(&client_frame(0x8a, b"")).unwrap();
    }
    assert_eq!(text(&mut socket), "{}");
    assert_eq!(socket.closed(WITHIN), None, "no push, no close frame");
}

#[test]
fn how_such_a_websocket_ends_is_configured() {
    let end = |server: &Server| {
        let target = format!("/connection/uni_websocket?cf_connect={}", encoded(r#"{"token":"x"}"#));
        let mut socket = RawSocket::upgraded(server.address(), &target);
        let frame = socket.frame(WITHIN).unwrap();
        (frame.head, frame.close().or_else(|| socket.closed(WITHIN)).map(|(code, _)| code))
    };
    assert_eq!(end(&server(|_| ())), (0x81, Some(3500)));
    let no_push = server(|config| set(config, "uni_websocket.disable_disconnect_push", json!(true)));
    assert_eq!(end(&no_push), (0x88, Some(3500)));
    let no_close = server(|config| set(config, "uni_websocket.disable_closing_handshake", json!(true)));
    assert_eq!(end(&no_close), (0x81, None));
}

#[test]
fn a_connect_request_that_fails_is_a_disconnect() {
    let server = server(|config| {
        set(
            config,
            "client.connect_code_to_unidirectional_disconnect",
            json!({
                "enabled": true,
                "transforms": [{"code": 102, "to": {"code": 4001, "reason": "no such channel"}}],
            }),
        );
    });
    let expired = sign("appendix-secret", r#"{"sub":"42","exp":1}"#);
    let unknown = sign("appendix-secret", r#"{"sub":"42","subs":{"nowhere:x":{}}}"#);
    for (token, disconnect) in [
        (expired.as_str(), r#"{"code":3005,"reason":"connection expired"}"#),
        (unknown.as_str(), r#"{"code":4001,"reason":"no such channel"}"#),
        ("x", r#"{"code":3500,"reason":"invalid token"}"#),
    ] {
        let body = json!({"token": token}).to_string();
        let request = post("/connection/uni_http_stream", "", &body);
        let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
        assert_eq!((stream.status, stream.rest()), (200, format!("{{\"disconnect\":{disconnect}}}\n")));
    }
}

#[test]
fn a_connect_request_that_fails_is_a_status_where_that_is_configured() {
    let server = server(|config| {
        set(config, "client.allowed_origins", json!(["*"]));
        for transport in ["uni_sse", "uni_http_stream"] {
            set(
                config,
                &format!("{transport}.connect_code_to_http_response"),
                json!({
                    "enabled": true,
                    "transforms": [
                        {"code": 109, "to": {"status_code": 401, "body": "renew your token"}},
                        {"code": 3500, "to": {"status_code": 403}},
                    ],
                }),
            );
        }
    });
    let expired = sign("appendix-secret", r#"{"sub":"42","exp":1}"#);
    let unknown = sign("appendix-secret", r#"{"sub":"42","subs":{"nowhere:x":{}}}"#);
    for path in ["/connection/uni_sse", "/connection/uni_http_stream"] {
        for (token, status, body) in
            [(expired.as_str(), 401, "renew your token"), ("x", 403, ""), (unknown.as_str(), 500, "")]
        {
            let request = json!({"token": token}).to_string();
            let answer = server.request("POST", path, &[("Origin", "http://a")], request.as_bytes());
            assert_eq!((answer.status, answer.text().as_str()), (status, body), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("http://a"));
        }
        let good = Stream::open(server.address(), post(path, "", CONNECT).as_bytes()).unwrap();
        assert_eq!(good.status, 200);
    }
}

#[test]
fn a_listener_recovers_what_it_missed() {
    let server = server(|_| ());
    let request = post("/connection/uni_http_stream", "", r#"{"subs":{"log:u":{}}}"#);
    let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    let epoch = member(&stream.until("\n"), "epoch");
    stream.hang_up();
    for data in 1..=2 {
        server.api("publish", &json!({"channel": "log:u", "data": data}).to_string());
    }
    let body = json!({"subs": {"log:u": {"recover": true, "offset": 0, "epoch": epoch}}}).to_string();
    let request = post("/connection/uni_http_stream", "", &body);
    let connected = Stream::open(server.address(), request.as_bytes()).unwrap().until("\n");
    assert!(connected.contains(r#""publications":[{"data":1,"offset":1"#), "{connected}");
    assert!(connected.contains(r#""recovered":true"#), "{connected}");
}
