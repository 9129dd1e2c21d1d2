//! The published examples of the Protobuf encoding over a real socket.
//!
//! What the client sends is byte-exact; answers are compared field by field, because ids, versions and epochs differ.

#![expect(clippy::panic, reason = "helpers fail the test")]

use std::time::Duration;

use flywheel_testkit::proto::{Message, print_reply};
use flywheel_testkit::{Bindings, Connection, Encoding, Event, Server, fixture, hex_example, set, sign};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

struct Client {
    connection: Connection,
    bindings: Bindings,
}

impl Client {
    fn open(server: &Server) -> Self {
        let connection =
            Connection::open(server.address(), Encoding::Protobuf).unwrap_or_else(|error| panic!("{error}"));
        Self { connection, bindings: Bindings::default() }
    }

    /// A client that has connected with the smallest command.
    fn connected(server: &Server) -> Self {
        let mut client = Self::open(server);
        let (sent, _) = hex_example("connect-minimal");
        client.send(&sent[0]);
        client.expect(&hex_example("connected").1[0]);
        client
    }

    fn send(&mut self, frame: &[u8]) {
        self.connection.send(frame);
    }

    fn next(&mut self) -> String {
        match self.connection.next(PATIENCE) {
            Some(Event::Message(message)) => {
                print_reply(&message).unwrap_or_else(|| panic!("not Protobuf: {message:02x?}"))
            }
            other => panic!("no message, but {other:?}"),
        }
    }

    fn expect(&mut self, expected: &str) {
        let got = self.next();
        assert!(self.bindings.matches(expected, &got), "expected {expected}\n     got {got}");
    }
}

fn server() -> Server {
    Server::start(env!("CARGO_BIN_EXE_flywheel"), fixture())
}

fn publish_b64(server: &Server, channel: &str, b64data: &str, count: usize) {
    let command = json!({"publish": {"channel": channel, "b64data": b64data}});
    let commands: Vec<Value> = vec![command; count];
    let (status, body) = server.api("batch", &json!({"commands": commands}).to_string());
    assert!(status == 200 && !body.contains("error"), "{status} {body}");
}

#[test]
fn both_connect_commands_are_answered_with_client_version_and_ping() {
    let server = server();
    for name in ["connect-minimal", "connect-named"] {
        let mut client = Client::open(&server);
        client.send(&hex_example(name).0[0]);
        client.expect(&hex_example("connected").1[0]);
    }
}

#[test]
fn two_commands_of_one_frame_are_answered_in_order_with_the_push_between() {
    let server = server();
    let mut client = Client::open(&server);
    let token = sign("appendix-secret", r#"{"sub":"7"}"#);
    let connect = Message::new().number(1, 1).message(4, &Message::new().bytes(1, token));
    client.send(&connect.framed());
    client.expect(&hex_example("connected").1[0]);
    let (sent, answered) = hex_example("pipelined");
    client.send(&sent[0]);
    for expected in &answered {
        client.expect(expected);
    }
}

#[test]
fn a_refused_subscribe_is_an_error_reply() {
    let server = server();
    let mut client = Client::connected(&server);
    let subscribe = Message::new().bytes(1, "lock:1");
    client.send(&Message::new().number(1, 4).message(5, &subscribe).framed());
    client.expect(&hex_example("denied").1[0]);
}

#[test]
fn a_ping_and_its_pong_are_one_zero_byte() {
    let mut config = fixture();
    set(&mut config, "client.ping_interval", json!("2s"));
    set(&mut config, "client.pong_timeout", json!("1s"));
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let mut client = Client::open(&server);
    client.send(&hex_example("connect-minimal").0[0]);
    let connected = client.next();
    assert!(connected.ends_with("ping:2,pong:1}}"), "{connected}");
    let (pong, ping) = hex_example("ping");
    for _ in 0..2 {
        client.expect(&ping[0]);
        client.send(&pong[0]);
    }
    // The pong of the third ping stays away.
    client.expect(&ping[0]);
    let closed = client.connection.next(PATIENCE);
    assert_eq!(closed, Some(Event::Closed { code: 3012, reason: "no pong".to_owned() }));
}

#[test]
fn recovery_returns_the_missed_publication_with_the_offset_that_was_asked_for() {
    let server = server();
    publish_b64(&server, "log:a", "eA==", 301);
    let mut client = Client::connected(&server);
    let (sent, answered) = hex_example("recover");
    let position = server.api_result("history", &json!({"channel": "log:a"}));
    assert_eq!(position["offset"], 301);
    let epoch = position["epoch"].as_str().unwrap_or_default();
    let subscribe = Message::new().bytes(1, "log:a").number(3, 1).bytes(6, epoch).number(7, 300);
    let command = Message::new().number(1, 5).message(5, &subscribe).framed();
    if epoch.len() == 8 {
        let example = String::from_utf8_lossy(&sent[0]).replace("AbCdEfGh", epoch);
        assert_eq!(String::from_utf8_lossy(&command), example);
    }
    client.send(&command);
    // The placeholders of an example are numbered anew, and the connect reply has bound the first one.
    client.expect(&answered[0].replace("any0", "epoch"));
    assert_eq!(client.bindings.value("epoch"), Some(epoch));
}

#[test]
fn an_unsubscribe_push_carries_channel_code_and_reason() {
    let server = server();
    let mut client = Client::connected(&server);
    let subscribe = Message::new().bytes(1, "chat");
    client.send(&Message::new().number(1, 2).message(5, &subscribe).framed());
    client.expect("{id:2,subscribe:{}}");
    server.api_result("unsubscribe", &json!({"user": "", "channel": "chat"}));
    // The example has the push of a lost position, which cannot be provoked from outside; the form is the same.
    let expected = hex_example("insufficient-state").1[0]
        .replace("2500", "2000")
        .replace("insufficient state", "server unsubscribe");
    client.expect(&expected);
}

#[test]
fn payloads_pass_as_they_are_even_when_they_are_not_json() {
    let server = server();
    let mut client = Client::connected(&server);
    let subscribe = Message::new().bytes(1, "log:raw");
    client.send(&Message::new().number(1, 2).message(5, &subscribe).framed());
    client.expect(r#"{id:2,subscribe:{recoverable:1,epoch:"<ep>",positioned:1}}"#);
    publish_b64(&server, "log:raw", "AP9ACg==", 1);
    client.expect(r#"{push:{channel:"log:raw",pub:{data:[00, ff, 40, 0a],offset:1,epoch:"<ep>"}}}"#);
}

#[test]
fn the_encoding_can_be_chosen_by_the_query() {
    let server = server();
    for query in ["format=protobuf", "cf_protocol=protobuf"] {
        let target = format!("/connection/websocket?{query}");
        let opened = Connection::open_with(server.address(), &target, Encoding::Protobuf, &[]);
        let connection = opened.unwrap_or_else(|error| panic!("{error}"));
        let mut client = Client { connection, bindings: Bindings::default() };
        client.send(&hex_example("connect-minimal").0[0]);
        client.expect(&hex_example("connected").1[0]);
    }
}
