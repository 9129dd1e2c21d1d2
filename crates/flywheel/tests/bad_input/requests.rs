//! Handshakes and other HTTP requests.

use std::time::Duration;

use flywheel_testkit::{RawSocket, Server, fixture, set};
use serde_json::json;

use crate::{ENDPOINT, server};

#[test]
fn a_request_that_is_no_upgrade_is_refused_with_the_version() {
    let server = server();
    for (what, header) in [
        ("no upgrade", ("Upgrade", "")),
        ("another upgrade", ("Upgrade", "h2c")),
        ("no connection header", ("Connection", "")),
        ("keep-alive only", ("Connection", "keep-alive")),
        ("no key", ("Sec-WebSocket-Key", "")),
        ("short key", ("Sec-WebSocket-Key", "AAAA")),
        ("no version", ("Sec-WebSocket-Version", "")),
        ("old version", ("Sec-WebSocket-Version", "8")),
    ] {
        let mut socket = RawSocket::open(server.address()).unwrap();
        let response = socket.handshake(ENDPOINT, &[header, ("Content-Length", "0")]);
        assert_eq!((response.status, response.header("sec-websocket-version")), (400, Some("13")), "{what}");
    }
    let response = server.request("POST", ENDPOINT, &[], b"");
    assert_eq!((response.status, response.header("sec-websocket-version")), (400, Some("13")));
}

#[test]
fn what_is_not_http_is_refused_and_harms_nobody() {
    let server = server();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    ] {
        let mut socket = RawSocket::open(server.address()).unwrap();
        socket.write(bytes).unwrap();
        let gone = flywheel_testkit::wait_until(Duration::from_secs(20), || socket.is_gone());
        assert!(gone, "the connection stays after {:?}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(server.request("GET", "/health", &[], b"").status, 200);
}

#[test]
fn an_origin_must_be_on_the_list() {
    let server = server();
    let try_origin = |server: &Server, origin: &str| {
        RawSocket::open(server.address()).unwrap().handshake(ENDPOINT, &[("Origin", origin)]).status
    };
    assert_eq!(try_origin(&server, "https://example.com"), 403, "the list is empty");
    let own = format!("http://{}", server.address());
    assert_eq!(try_origin(&server, &own), 403, "the own address is not special");
    let mut config = fixture();
    set(&mut config, "client.allowed_origins", json!(["https://example.com", "https://*.example.org"]));
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    assert_eq!(try_origin(&server, "https://example.com"), 101);
    assert_eq!(try_origin(&server, "HTTPS://EXAMPLE.com"), 101);
    assert_eq!(try_origin(&server, "https://a.b.example.org"), 101);
    assert_eq!(try_origin(&server, "https://example.com.evil.net"), 403);
    assert_eq!(try_origin(&server, "http://example.com"), 403);
    assert_eq!(try_origin(&server, "null"), 403);
}

#[test]
fn the_first_known_subprotocol_of_the_client_is_selected() {
    let server = server();
    for (offered, selected) in [
        ("centrifuge-json", Some("centrifuge-json")),
        ("centrifuge-protobuf", Some("centrifuge-protobuf")),
        ("chat, centrifuge-protobuf, centrifuge-json", Some("centrifuge-protobuf")),
        ("chat", None),
    ] {
        let mut socket = RawSocket::open(server.address()).unwrap();
        let response = socket.handshake(ENDPOINT, &[("Sec-WebSocket-Protocol", offered)]);
        assert_eq!(response.status, 101);
        assert_eq!(response.header("sec-websocket-protocol"), selected, "{offered}");
        assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
    // An empty header counts as none; the raw client leaves empty ones out, so it is written by hand.
    let mut socket = RawSocket::open(server.address()).unwrap();
    let response = socket.handshake(ENDPOINT, &[("X-Filler", "1\r\nSec-WebSocket-Protocol: ")]);
    assert_eq!((response.status, response.header("sec-websocket-protocol")), (101, None));
}

#[test]
fn unknown_paths_and_disabled_endpoints_are_404() {
    let server = server();
    for target in
        ["/nothing", "/connection", "/connection/websocket/", "/connection/sse", "/admin/init", "/metrics"]
    {
        let response = server.request("GET", target, &[], b"");
        assert_eq!((response.status, response.text().as_str()), (404, "404 page not found\n"), "{target}");
    }
}

#[test]
fn a_bad_body_of_an_api_call_is_400() {
    let server = server();
    let key = [("X-API-Key", "secret")];
    for body in [
        "",
        "{",
        "[]",
        "5",
        "\"publish\"",
        r#"{"channel":5}"#,
        r#"{"channel":"lobby","data":1,"version":"5"}"#,
        r#"{"channel":"lobby","data":1,"version":1.5}"#,
        r#"{"channel":"lobby","data":1,"version":-1}"#,
        r#"{"channel":"lobby","data":1,"tags":{"a":5}}"#,
        r#"{"channel":"lobby","data":1,"skip_history":"yes"}"#,
        r#"{"channel":"lobby","data":}"#,
        r#"{"channel":"lobby","data":1} more"#,
        r#"{"channel":"lobby","data":1}{}"#,
    ] {
        let response = server.request("POST", "/api/publish", &key, body.as_bytes());
        assert_eq!((response.status, response.text().as_str()), (400, "Bad Request\n"), "{body}");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"), "{body}");
    }
    for body in [r#"{"commands":5}"#, r#"{"commands":[5]}"#, r#"{"commands":[{"publish":{"channel":5}}]}"#] {
        assert_eq!(server.request("POST", "/api/batch", &key, body.as_bytes()).status, 400, "{body}");
    }
    assert_eq!(server.api("publish", "null").1, r#"{"error":{"code":107,"message":"bad request"}}"#);
    assert_eq!(server.api("publish", " {\"channel\":\"lobby\",\"data\":1}\r\n\t ").1, r#"{"result":{}}"#);
}

#[test]
fn a_bad_request_of_an_api_call_is_refused_by_status() {
    let server = server();
    let body = br#"{"channel":"lobby","data":1}"#;
    for (what, method, target, key, status) in [
        ("no key", "POST", "/api/publish", "", 401),
        ("wrong key", "POST", "/api/publish", "secreT", 401),
        ("longer key", "POST", "/api/publish", "secret2", 401),
        ("GET", "GET", "/api/publish", "secret", 405),
        ("GET without key", "GET", "/api/publish", "wrong", 405),
        ("PUT", "PUT", "/api/publish", "secret", 405),
        ("unknown method", "POST", "/api/publishh", "secret", 404),
        ("unknown method without key", "POST", "/api/publishh", "wrong", 404),
        ("unknown method by GET", "GET", "/api/publishh", "secret", 404),
        ("commercial method", "POST", "/api/connections", "secret", 404),
        ("upper case", "POST", "/api/Publish", "secret", 404),
        ("slash behind", "POST", "/api/publish/", "secret", 404),
    ] {
        let response = server.request(method, target, &[("X-API-Key", key)], body);
        assert_eq!(response.status, status, "{what}");
        if status != 404 {
            assert_eq!(response.text(), "", "{what}");
        }
    }
}
