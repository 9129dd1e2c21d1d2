//! The transcripts of the protocol's appendix C: its bytes as they are printed there, compared byte for byte.

use flywheel_testkit::{Backing, Bindings, Server, Stream, set, with_status};
use serde_json::json;

use super::{Way, http_stream, post, server, sse};

const HEADERS: [&str; 3] = [
    "Content-Type: text/event-stream; charset=utf-8",
    "Cache-Control: private, no-cache, no-store, must-revalidate, max-age=0",
    "X-Accel-Buffering: no",
];

/// A member, its value in the examples, and what the value of another server looks like.
type Own = (&'static str, &'static str, fn(&str) -> bool);

/// All for which every server has its own values: ids that it makes up, and its version.
const OWN: [Own; 4] = [
    ("client", "c1", is_uuid),
    ("session", "s1", is_uuid),
    ("node", "n1", is_uuid),
    ("version", "0.0.1", is_version),
];

fn is_uuid(value: &str) -> bool {
    let groups: Vec<_> = value.split('-').map(str::len).collect();
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    groups == [8, 4, 4, 4, 12] && value.bytes().all(is_digit)
}

fn is_version(value: &str) -> bool {
    value == env!("CARGO_PKG_VERSION")
}

/// One example, with the values of this server for the four that are its own.
#[derive(Default)]
struct Example(Bindings);

impl Example {
    /// Compares what came with the example.
    #[track_caller]
    fn check(&mut self, example: &str, came: &str) {
        assert!(self.0.matches(&named(example), came), "{came:?}\nis not\n{example:?}");
        for (member, _, is_such) in OWN {
            let value = self.0.value(member);
            assert!(value.is_none_or(is_such), "{member} is {value:?}");
        }
    }

    /// What a client sends in the example.
    fn fill(&mut self, example: &str) -> String {
        self.0.fill(&named(example)).unwrap()
    }

    fn client(&self) -> &str {
        self.0.value("client").unwrap()
    }
}

/// The example with names in place of the values that are the server's own.
fn named(example: &str) -> String {
    OWN.iter().fold(example.to_owned(), |text, (member, value, _)| {
        text.replace(&format!(r#""{member}":"{value}""#), &format!(r#""{member}":"<{member}>""#))
    })
}

/// Sends the request with the missing `Host`; the answer has status 200 and the headers of the example.
fn event_stream(server: &Server, request: &str) -> Stream {
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert_eq!(stream.status, 200);
    for header in HEADERS {
        assert!(stream.headers.iter().any(|line| line == header), "{header}: {:?}", stream.headers);
    }
    assert_eq!(stream.until("\r\n"), "\r\n");
    stream
}

#[test]
fn server_sent_events_with_commands_through_emulation() {
    let backing = Backing::start(|_| Some(with_status(200, r#"{"result":{"data":5}}"#)));
    let server = server(|config| {
        set(config, "rpc.without_namespace.proxy_enabled", json!(true));
        set(config, "rpc.proxy.endpoint", json!(format!("http://{}/rpc", backing.address())));
    });
    let request = "GET /connection/sse?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D";
    let mut stream = event_stream(&server, request);
    let mut example = Example::default();
    example.check(
        "data: {\"id\":1,\"connect\":{\"client\":\"c1\",\"version\":\"0.0.1\",\"ping\":25,\"pong\":true,\
         \"session\":\"s1\",\"node\":\"n1\"}}\n\n",
        &stream.until("\n\n"),
    );
    assert_ne!(example.0.value("client"), example.0.value("session"), "a session is a secret");
    let body = example.fill(
        r#"{"session":"s1","node":"n1","data":"{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}\n{\"id\":3,\"rpc\":{\"method\":\"echo\",\"data\":5}}"}"#,
    );
    let answer =
        server.request("POST", "/emulation", &[("Content-Type", "application/json")], body.as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    example.check("data: {\"id\":2,\"subscribe\":{}}\n\n", &stream.until("\n\n"));
    example.check("data: {\"id\":3,\"rpc\":{\"data\":5}}\n\n", &stream.until("\n\n"));
    server.api_result("disconnect", &json!({"user": "", "client": example.client()}));
    example.check(
        "data: {\"push\":{\"disconnect\":{\"code\":3503,\"reason\":\"force disconnect\"}}}\n\n",
        &stream.rest(),
    );
}

#[test]
fn http_streaming_in_json() {
    let server = server(|_| ());
    let request =
        post("/connection/http_stream", "Content-Type: application/json\r\n", r#"{"id":1,"connect":{}}"#);
    let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert_eq!(stream.status, 200);
    Example::default().check(
        "{\"id\":1,\"connect\":{\"client\":\"c1\",\"version\":\"0.0.1\",\"ping\":25,\"pong\":true,\"session\":\"s1\",\
         \"node\":\"n1\"}}\n",
        &stream.until("\n"),
    );
}

#[test]
fn unidirectional_server_sent_events() {
    let server = server(|_| ());
    let request = "GET /connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B%22lobby%22%3A%7B%7D%7D%7D";
    let mut stream = event_stream(&server, request);
    let mut example = Example::default();
    example.check(
        "data: {\"connect\":{\"client\":\"c1\",\"version\":\"0.0.1\",\"subs\":{\"lobby\":{}},\"ping\":25,\
         \"session\":\"s1\"}}\n\n",
        &stream.until("\n\n"),
    );
    server.api_result("publish", &json!({"channel": "lobby", "data": {"x": 1}}));
    example.check("data: {\"channel\":\"lobby\",\"pub\":{\"data\":{\"x\":1}}}\n\n", &stream.until("\n\n"));
    let empty = post("/connection/uni_sse", "", "");
    assert_eq!(Stream::open(server.address(), empty.as_bytes()).unwrap().status, 400);
}

/// A server that pings soon, for the lines of the examples that are pings. Connect replies tell another interval for it.
fn pinging() -> Server {
    server(|config| {
        set(config, "client.ping_interval", json!("500ms"));
        set(config, "client.pong_timeout", json!("400ms"));
    })
}

#[test]
fn a_ping_of_server_sent_events_is_answered_through_emulation() {
    let server = pinging();
    let mut stream = sse(&server, r#"{"id":1,"connect":{}}"#);
    let way = Way::of(&stream.until("\n\n"));
    for _ in 0..3 {
        assert_eq!(stream.until("\n\n"), "data: {}\n\n");
        assert_eq!(way.send(&server, "{}").status, 204);
    }
}

#[test]
fn a_ping_of_http_streaming_that_nobody_answers_is_the_last() {
    let server = pinging();
    let mut stream = http_stream(&server, r#"{"id":1,"connect":{}}"#);
    stream.until("\n");
    assert_eq!(stream.rest(), "{}\n{\"push\":{\"disconnect\":{\"code\":3012,\"reason\":\"no pong\"}}}\n");
}

#[test]
fn a_ping_of_unidirectional_server_sent_events_wants_no_answer() {
    let server = pinging();
    let mut stream = event_stream(&server, "GET /connection/uni_sse");
    stream.until("\n\n");
    for _ in 0..3 {
        assert_eq!(stream.until("\n\n"), "data: {}\n\n");
    }
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
