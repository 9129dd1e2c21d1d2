//! Frames and commands of the client protocol.

use flywheel_testkit::proto::from_hex;
use flywheel_testkit::{Encoding, JsonClient};
use serde_json::json;

use crate::{BAD_REQUEST, answer, answer_unconnected, error, next, open, server};

#[test]
fn what_is_no_connect_command_closes_an_unconnected_client() {
    let server = server();
    for frame in [
        "",
        "\n",
        "null",
        "[]",
        "5",
        "\"connect\"",
        "{",
        "hello",
        "{}",
        r#"{"id":1}"#,
        r#"{"id":1,"connect":null}"#,
        r#"{"id":1,"connect":5}"#,
        r#"{"id":1,"connect":{"token":5}}"#,
        r#"{"id":-1,"connect":{}}"#,
        r#"{"id":1.0,"connect":{}}"#,
        r#"{"id":1e0,"connect":{}}"#,
        r#"{"id":4294967296,"connect":{}}"#,
        r#"{"id":"1","connect":{}}"#,
        r#"{"id":1,"ping":{}}"#,
        r#"{"id":1,"subscribe":{"channel":"lobby"}}"#,
        r#"{"id":1,"publish":{"channel":"lobby","data":{}}}"#,
        r#"{"id":1,"history":{"channel":"log:a"}}"#,
        r#"{"send":{"data":{}}}"#,
    ] {
        assert_eq!(answer_unconnected(&server, frame), BAD_REQUEST, "{frame}");
    }
}

#[test]
fn commands_that_say_nothing_close_a_connected_client() {
    let server = server();
    for frame in [
        "",
        "[]",
        "{",
        r#"{"id":2}"#,
        r#"{"id":2,"future":{}}"#,
        r#"{"id":2,"ping":{}}"#,
        r#"{"id":0,"presence":{"channel":"room:a"}}"#,
        r#"{"presence":{"channel":"room:a"}}"#,
        r#"{"id":"2","presence":{"channel":"room:a"}}"#,
        r#"{"id":2,"history":{"channel":"log:a","limit":"5"}}"#,
        r#"{"id":2,"history":{"channel":"log:a","limit":1.5}}"#,
        r#"{"id":2,"subscribe":{"channel":"log:a","offset":-1}}"#,
        r#"{"id":2,"subscribe":{"channel":"log:a","delta":"bsdiff"}}"#,
        r#"{"id":2,"connect":{}}"#,
        r#"{"id":2,"refresh":{}}"#,
    ] {
        assert_eq!(answer(&server, frame), BAD_REQUEST, "{frame}");
    }
    for method in
        ["subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history", "sub_refresh"]
    {
        let frame = format!(r#"{{"id":2,"{method}":{{}}}}"#);
        assert_eq!(answer(&server, &frame), BAD_REQUEST, "{frame}");
    }
}

#[test]
fn a_refused_command_is_answered_and_the_client_stays() {
    let server = server();
    let long = "c".repeat(256);
    for (command, expected) in [
        (r#""rpc":{"method":"anything"}"#.to_owned(), error(108, "not available")),
        (r#""subscribe":{"channel":"nowhere:1"}"#.to_owned(), error(102, "unknown channel")),
        (r#""publish":{"channel":"nowhere:1","data":1}"#.to_owned(), error(102, "unknown channel")),
        (format!(r#""subscribe":{{"channel":"{long}"}}"#), error(107, "bad request")),
        (r#""subscribe":{"channel":"caf\u00e9"}"#.to_owned(), error(107, "bad request")),
        (r#""publish":{"channel":"lobby"}"#.to_owned(), error(107, "bad request")),
        (r#""subscribe":{"channel":"lobby","type":1}"#.to_owned(), error(103, "permission denied")),
        (r#""subscribe":{"channel":"lobby","type":2}"#.to_owned(), error(103, "permission denied")),
        (r#""subscribe":{"channel":"lobby","type":3}"#.to_owned(), error(103, "permission denied")),
        (r#""subscribe":{"channel":"lobby","type":4}"#.to_owned(), error(108, "not available")),
        (r#""subscribe":{"channel":"lobby","type":5}"#.to_owned(), error(107, "bad request")),
        (r#""publish":{"channel":"lobby","data":1,"type":1}"#.to_owned(), error(103, "permission denied")),
        (r#""publish":{"channel":"lock:a","data":1}"#.to_owned(), error(103, "permission denied")),
        (r#""presence":{"channel":"log:a"}"#.to_owned(), error(108, "not available")),
    ] {
        let frame = format!(r#"{{"id":2,{command}}}"#);
        let mut connection = open(&server, Encoding::Json);
        connection.send(br#"{"id":1,"connect":{}}"#);
        next(&mut connection);
        connection.send(frame.as_bytes());
        assert_eq!(next(&mut connection), expected, "{frame}");
        connection.send(br#"{"id":3,"unsubscribe":{"channel":"lobby"}}"#);
        assert_eq!(next(&mut connection), r#"{"id":3,"unsubscribe":{}}"#, "after {frame}");
    }
}

#[test]
fn what_is_merely_unknown_is_ignored() {
    let server = server();
    for (frame, expected) in [
        (r#"{"id":2,"subscribe":{"channel":"lobby","future":[1]},"other":{}}"#, r#"{"id":2,"subscribe":{}}"#),
        (r#"{"id":2,"subscribe":{"channel":"lobby","flag":1024}}"#, r#"{"id":2,"subscribe":{}}"#),
        (
            r#"{"id":2,"subscribe":{"channel":"lobby","recoverable":true,"positioned":true,"join_leave":true}}"#,
            r#"{"id":2,"subscribe":{}}"#,
        ),
        (r#"{"id":2,"subscribe":{"channel":"lobby","delta":"fossil"}}"#, r#"{"id":2,"subscribe":{}}"#),
        (r#"{"id":2,"subscribe":{"channel":"lobby","token":null}}"#, r#"{"id":2,"subscribe":{}}"#),
        (r#"{"id":7,"id":2,"unsubscribe":{"channel":"lobby"}}"#, r#"{"id":2,"unsubscribe":{}}"#),
    ] {
        assert_eq!(answer(&server, frame), expected, "{frame}");
    }
    let longest = "c".repeat(255);
    let frame = format!(r#"{{"id":2,"subscribe":{{"channel":"{longest}"}}}}"#);
    assert_eq!(answer(&server, &frame), r#"{"id":2,"subscribe":{}}"#);
}

#[test]
fn an_unknown_delta_of_a_channel_in_the_connect_command_is_ignored() {
    let server = server();
    let mut client = JsonClient::open(server.address());
    let reply = client.command("connect", json!({"subs": {"log:u": {"delta": "bsdiff"}}, "flag": 64}));
    assert_eq!(reply["connect"]["subs"]["log:u"]["recoverable"], true, "{reply}");
}

#[test]
fn carriage_returns_and_binary_messages_are_accepted_from_json_clients() {
    let server = server();
    let mut connection = open(&server, Encoding::Json);
    connection
        .send_binary(b"{\"id\":1,\"connect\":{}}\r\n{\"id\":2,\"unsubscribe\":{\"channel\":\"lobby\"}}\r\n");
    assert!(next(&mut connection).starts_with(r#"{"id":1,"connect":{"#));
    assert_eq!(next(&mut connection), r#"{"id":2,"unsubscribe":{}}"#);
}

#[test]
fn replies_of_the_commands_before_a_malformed_one_are_sent_first() {
    let server = server();
    let mut connection = open(&server, Encoding::Json);
    connection.send(b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}\nnonsense\n{\"id\":3,\"unsubscribe\":{\"channel\":\"lobby\"}}");
    assert!(next(&mut connection).starts_with(r#"{"id":1,"connect":{"#));
    assert_eq!(next(&mut connection), r#"{"id":2,"subscribe":{}}"#);
    assert_eq!(next(&mut connection), BAD_REQUEST);
}

#[test]
fn malformed_protobuf_closes_and_a_length_costs_no_memory() {
    let server = server();
    let before = server.resident_bytes();
    for _ in 0..25 {
        for frame in [
            "",
            "ff ff ff ff 7f",
            "ff ff ff ff 07",
            "ff ff ff ff ff ff ff ff ff 01",
            "ff ff ff ff ff ff ff ff ff ff ff 01",
            "80",
            "05 08 01",
            "01 07",
            "04 08 01 22 7f",
            "00",
            "02 08 01",
            "06 08 01 2a 02 0a 00",
        ] {
            let mut connection = open(&server, Encoding::Protobuf);
            connection.send(&from_hex(frame));
            assert_eq!(next(&mut connection), BAD_REQUEST, "{frame}");
        }
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 24 << 20, "300 malformed frames took {grown} bytes");
}
