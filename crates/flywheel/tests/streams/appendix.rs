//! The transcripts of the protocol's appendix C, byte for byte.

use flywheel_testkit::{Backing, Stream, set, with_status};
use serde_json::json;

use super::{Way, encoded, get, http_stream, member, post, server, sse};

const HEADERS: [&str; 4] = [
    "Content-Type: text/event-stream; charset=utf-8",
    "Cache-Control: private, no-cache, no-store, must-revalidate, max-age=0",
    "X-Accel-Buffering: no",
    "Expires: 0",
];

#[test]
fn server_sent_events_with_commands_through_emulation() {
    let backing = Backing::start(|_| Some(with_status(200, r#"{"result":{"data":5}}"#)));
    let server = server(|config| {
        set(config, "rpc.without_namespace.proxy_enabled", json!(true));
        set(config, "rpc.proxy.endpoint", json!(format!("http://{}/rpc", backing.address())));
        set(config, "client.ping_interval", json!("500ms"));
        set(config, "client.pong_timeout", json!("400ms"));
        set(config, "client.token.hmac_secret_key", json!("appendix-secret"));
    });
    let mut stream = sse(&server, r#"{"id":1,"connect":{"token":"@"}}"#.replace('@', &token()).as_str());
    for header in HEADERS {
        assert!(stream.headers.iter().any(|line| line == header), "{header}: {:?}", stream.headers);
    }
    let connected = stream.until("\n\n");
    let (client, session, node) =
        (member(&connected, "client"), member(&connected, "session"), member(&connected, "node"));
    let version = member(&connected, "version");
    assert_ne!(client, session);
    assert_eq!(
        connected,
        format!(
            "data: {{\"id\":1,\"connect\":{{\"client\":\"{client}\",\"version\":\"{version}\",\"ping\":1,\
             \"pong\":true,\"session\":\"{session}\",\"node\":\"{node}\"}}}}\n\n"
        )
    );
    let way = Way::of(&connected);
    let frame = "{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}\n\
                 {\"id\":3,\"rpc\":{\"method\":\"echo\",\"data\":5}}";
    let answer = way.send(&server, frame);
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(stream.until("\n\n"), "data: {\"id\":2,\"subscribe\":{}}\n\n");
    assert_eq!(next(&mut stream, &server, &way), "data: {\"id\":3,\"rpc\":{\"data\":5}}\n\n");
    assert_eq!(stream.until("\n\n"), "data: {}\n\n", "a ping");
    assert_eq!(way.send(&server, "{}").status, 204);
    server.api("disconnect", r#"{"user":"42"}"#);
    let push = "data: {\"push\":{\"disconnect\":{\"code\":3503,\"reason\":\"force disconnect\"}}}\n\n";
    assert_eq!(next(&mut stream, &server, &way), push);
    assert_eq!(stream.rest(), "");
}

fn token() -> String {
    flywheel_testkit::sign("appendix-secret", r#"{"sub":"42"}"#)
}

/// The next record that is no ping; pings are answered.
fn next(stream: &mut Stream, server: &flywheel_testkit::Server, way: &Way) -> String {
    loop {
        let record = stream.until("\n\n");
        if record != "data: {}\n\n" {
            return record;
        }
        way.send(server, "{}");
    }
}

#[test]
fn http_streaming_in_json() {
    let server = server(|config| {
        set(config, "client.ping_interval", json!("500ms"));
        set(config, "client.pong_timeout", json!("400ms"));
    });
    let mut stream = http_stream(&server, r#"{"id":1,"connect":{}}"#);
    let connected = stream.until("\n");
    let Way { session, node } = Way::of(&connected);
    let (client, version) = (member(&connected, "client"), member(&connected, "version"));
    assert_eq!(
        connected,
        format!(
            "{{\"id\":1,\"connect\":{{\"client\":\"{client}\",\"version\":\"{version}\",\"ping\":1,\
             \"pong\":true,\"session\":\"{session}\",\"node\":\"{node}\"}}}}\n"
        )
    );
    assert_eq!(stream.until("\n"), "{}\n");
    // Nobody answers the ping.
    assert_eq!(stream.rest(), "{\"push\":{\"disconnect\":{\"code\":3012,\"reason\":\"no pong\"}}}\n");
}

#[test]
fn http_streaming_in_protobuf() {
    let server = server(|_| ());
    let request = "POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Type: Application/Octet-Stream; x=y\r\n\
                   Content-Length: 5\r\n\r\n\x04\x08\x01\x22\x00";
    let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert_eq!(stream.header("content-type"), Some("application/octet-stream"));
    let length = stream.take(2);
    let length = usize::from(length[0] & 0x7f) | usize::from(length[1]) << 7;
    let reply = stream.take(length);
    assert_eq!(reply[..2], [8, 1], "the reply to command 1");
    let text = String::from_utf8_lossy(&reply);
    let uuids: Vec<_> = reply.windows(38).filter(|window| window[1] == 36 && window[10] == b'-').collect();
    assert_eq!(uuids.len(), 3, "client, session and node: {text:?}");
    let [_, session, node] = uuids[..] else { unreachable!() };
    let subscribe = b"\x0b\x08\x02\x2a\x07\x0a\x05lobby";
    let mut body = vec![0x0a, 36];
    body.extend_from_slice(&node[2..]);
    body.extend_from_slice(&[0x12, 36]);
    body.extend_from_slice(&session[2..]);
    body.extend_from_slice(&[0x1a, u8::try_from(subscribe.len()).unwrap()]);
    body.extend_from_slice(subscribe);
    let binary = [("Content-Type", "application/octet-stream")];
    assert_eq!(server.request("POST", "/emulation", &binary, &body).status, 204);
    assert_eq!(stream.take(5), b"\x04\x08\x02\x32\x00");
    server.api("publish", r#"{"channel":"lobby","data":1}"#);
    let push = b"\x0e\x22\x0c\x12\x05lobby\x22\x03\x22\x011";
    assert_eq!(stream.take(push.len()), push);
}

#[test]
fn a_rejected_connect_on_a_stream() {
    let server = server(|_| ());
    let mut stream = sse(&server, r#"{"id":1,"connect":{"token":"x"}}"#);
    assert_eq!(
        stream.rest(),
        "data: {\"push\":{\"disconnect\":{\"code\":3500,\"reason\":\"invalid token\"}}}\n\n"
    );
}

#[test]
fn an_error_reply_on_a_stream_which_stays_open_until_it_is_stale() {
    let server = server(|config| set(config, "client.stale_close_delay", json!("1s")));
    let expired = flywheel_testkit::sign("appendix-secret", r#"{"sub":"42","exp":1}"#);
    let mut stream = sse(&server, &format!(r#"{{"id":1,"connect":{{"token":"{expired}"}}}}"#));
    assert_eq!(
        stream.until("\n\n"),
        "data: {\"id\":1,\"error\":{\"code\":109,\"message\":\"token expired\"}}\n\n"
    );
    assert_eq!(stream.rest(), "data: {\"push\":{\"disconnect\":{\"code\":3502,\"reason\":\"stale\"}}}\n\n");
}

#[test]
fn unidirectional_server_sent_events() {
    let server = server(|config| {
        set(config, "client.ping_interval", json!("500ms"));
        set(config, "client.pong_timeout", json!("400ms"));
    });
    let target = format!("/connection/uni_sse?cf_connect={}", encoded(r#"{"subs":{"lobby":{}}}"#));
    let mut stream = Stream::open(server.address(), get(&target).as_bytes()).unwrap();
    for header in HEADERS {
        assert!(stream.headers.iter().any(|line| line == header), "{header}: {:?}", stream.headers);
    }
    assert_eq!(stream.until("\r\n"), "\r\n");
    let connected = stream.until("\n\n");
    let (client, session) = (member(&connected, "client"), member(&connected, "session"));
    let version = member(&connected, "version");
    assert_eq!(
        connected,
        format!(
            "data: {{\"connect\":{{\"client\":\"{client}\",\"version\":\"{version}\",\"subs\":{{\"lobby\":{{}}}},\
             \"ping\":1,\"session\":\"{session}\"}}}}\n\n"
        )
    );
    server.api("publish", r#"{"channel":"lobby","data":{"x":1}}"#);
    let mut records = vec![stream.until("\n\n")];
    // Nobody answers pings here, so there can be any number.
    while records.len() < 4 {
        records.push(stream.until("\n\n"));
    }
    let publication = "data: {\"channel\":\"lobby\",\"pub\":{\"data\":{\"x\":1}}}\n\n";
    assert_eq!(records.iter().filter(|record| *record == publication).count(), 1, "{records:?}");
    assert_eq!(records.iter().filter(|record| *record == "data: {}\n\n").count(), 3, "{records:?}");
    let empty = post("/connection/uni_sse", "", "");
    assert_eq!(Stream::open(server.address(), empty.as_bytes()).unwrap().status, 400);
}
