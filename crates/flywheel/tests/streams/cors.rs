//! What browsers are told, and limits of requests.

use flywheel_testkit::{Server, Stream, set};
use serde_json::json;

use super::{encoded, post, server};

fn allowed() -> Server {
    server(|config| {
        set(config, "client.allowed_origins", json!(["https://*.example.com"]));
        set(config, "http_stream.max_request_body_size", json!(1_000));
        set(config, "emulation.max_request_body_size", json!(1_000));
    })
}

const GOOD: &str = "https://App.example.com";
const BAD: &str = "https://example.org";

#[test]
fn an_allowed_origin_is_told_so_on_a_stream_and_another_one_is_not() {
    let server = allowed();
    let commands = r#"{"id":1,"connect":{}}"#;
    for (origin, expected) in [(GOOD, Some(GOOD)), (BAD, None), ("", None)] {
        let headers = format!("Origin: {origin}\r\nAccess-Control-Request-Headers: X-Odd\r\n");
        let target = format!("/connection/sse?cf_connect={}", encoded(commands));
        let get = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        for request in [get, post("/connection/http_stream", &headers, commands)] {
            let stream = Stream::open(server.address(), request.as_bytes()).unwrap();
            assert_eq!(stream.status, 200);
            assert_eq!(stream.header("access-control-allow-origin"), expected);
            assert_eq!(stream.header("access-control-allow-credentials"), expected.map(|_| "true"));
            assert_eq!(stream.header("access-control-allow-headers"), expected.map(|_| "X-Odd"));
        }
    }
}

#[test]
fn a_preflight_is_answered() {
    let server = allowed();
    let headers = [("Origin", GOOD), ("Access-Control-Request-Headers", "content-type")];
    for path in ["/connection/http_stream", "/connection/uni_http_stream", "/emulation"] {
        let answer = server.request("OPTIONS", path, &headers, b"");
        assert_eq!(answer.status, 204, "{path}");
        for (name, value) in [
            ("access-control-allow-origin", GOOD),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "content-type"),
            ("access-control-allow-methods", "POST, OPTIONS"),
            ("access-control-max-age", "300"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        let foreign = server.request("OPTIONS", path, &[("Origin", BAD)], b"");
        assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (204, None));
    }
}

#[test]
fn other_methods_missing_commands_and_long_bodies_have_their_statuses() {
    let server = allowed();
    let long = vec![b'x'; 1_001];
    for (method, target, body, status) in [
        ("PUT", "/connection/sse", &b""[..], 405),
        ("OPTIONS", "/connection/sse", b"", 405),
        ("GET", "/connection/sse", b"", 400),
        ("GET", "/connection/sse?cf_connect=%ff", b"", 400),
        ("GET", "/connection/http_stream", b"", 405),
        ("POST", "/connection/http_stream", &long, 413),
        ("GET", "/emulation", b"", 405),
        ("POST", "/emulation", &long, 413),
        ("PUT", "/connection/uni_sse", b"", 405),
        ("GET", "/connection/uni_http_stream", b"", 405),
        ("POST", "/connection/uni_http_stream", b"", 400),
        ("POST", "/connection/uni_http_stream", b"[]", 400),
        ("GET", "/connection/uni_sse?cf_connect=x", b"", 400),
    ] {
        let answer = server.request(method, target, &[("Origin", GOOD)], body);
        assert_eq!(answer.status, status, "{method} {target}");
    }
}

#[test]
fn endpoints_that_are_off_do_not_exist() {
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), flywheel_testkit::fixture());
    for path in ["/connection/sse", "/connection/http_stream", "/emulation", "/connection/uni_sse"] {
        assert_eq!(server.request("POST", path, &[], b"{}").status, 404, "{path}");
    }
}

#[test]
fn a_full_server_answers_503() {
    let server = server(|config| set(config, "client.connection_limit", json!(1)));
    let mut first = super::sse(&server, r#"{"id":1,"connect":{}}"#);
    first.until("\n\n");
    for path in ["/connection/http_stream", "/connection/uni_sse", "/connection/uni_http_stream"] {
        assert_eq!(server.request("POST", path, &[], b"{}").status, 503, "{path}");
    }
}
