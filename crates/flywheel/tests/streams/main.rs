//! Clients whose messages are the body of a response, and those that only listen.
#![expect(clippy::unwrap_used, reason = "helpers fail the test")]

use std::time::Duration;

use flywheel_testkit::{Response, Server, Stream, fixture, set};
use serde_json::{Value, json};

mod appendix;
mod closing;
mod cors;
mod emulation;
mod kept;
mod limits;
mod memory;
mod proxy;
mod uni;

const WITHIN: Duration = Duration::from_secs(10);

/// A server with every transport, configured otherwise as `change` wants.
fn server(change: impl FnOnce(&mut Value)) -> Server {
    let mut config = fixture();
    for transport in ["sse", "http_stream", "uni_websocket", "uni_sse", "uni_http_stream"] {
        set(&mut config, &format!("{transport}.enabled"), json!(true));
    }
    change(&mut config);
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

/// The text of a query parameter.
fn encoded(text: &str) -> String {
    let escaped: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    escaped.concat()
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
}

fn post(target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

/// Opens server-sent events with these commands.
fn sse(server: &Server, commands: &str) -> Stream {
    let target = format!("/connection/sse?cf_connect={}", encoded(commands));
    let mut stream = Stream::open(server.address(), get(&target).as_bytes()).unwrap();
    assert_eq!((stream.status, stream.until("\r\n").as_str()), (200, "\r\n"));
    stream
}

/// Opens a streamed response with these commands.
fn http_stream(server: &Server, commands: &str) -> Stream {
    let request = post("/connection/http_stream", "", commands);
    let stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert_eq!(stream.status, 200);
    stream
}

/// The value of a member that is a string.
fn member(text: &str, name: &str) -> String {
    let start = text.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
    text[start..].split('"').next().unwrap().to_owned()
}

/// Where commands of a stream go: session and node.
struct Way {
    session: String,
    node: String,
}

impl Way {
    fn of(connected: &str) -> Self {
        Self { session: member(connected, "session"), node: member(connected, "node") }
    }

    fn send(&self, server: &Server, frame: &str) -> Response {
        let Self { session, node } = self;
        let body = json!({"session": session, "node": node, "data": frame}).to_string();
        server.request("POST", "/emulation", &[("Content-Type", "application/json")], body.as_bytes())
    }
}
