//! Commands that come in requests of their own.

use std::thread;

use flywheel_testkit::{Backing, Server, set, with_status};
use serde_json::json;

use super::{Way, http_stream, server, sse};

fn emulate(server: &Server, body: &str) -> u16 {
    server.request("POST", "/emulation", &[], body.as_bytes()).status
}

#[test]
fn a_request_finds_its_session_in_whatever_shard_it_is() {
    let server = server(|config| set(config, "node.shards", json!(4)));
    for number in 0..24 {
        let mut stream = http_stream(&server, r#"{"id":1,"connect":{}}"#);
        let way = Way::of(&stream.until("\n"));
        let channel = format!("c{number}");
        let command = json!({"id": 2, "subscribe": {"channel": channel}}).to_string();
        assert_eq!(way.send(&server, &command).status, 204);
        assert_eq!(stream.until("\n"), "{\"id\":2,\"subscribe\":{}}\n");
    }
}

#[test]
fn statuses_tell_what_is_wrong_with_the_request_and_the_stream_what_is_wrong_with_the_frame() {
    let server = server(|_| ());
    let mut stream = sse(&server, r#"{"id":1,"connect":{}}"#);
    let Way { session, node } = Way::of(&stream.until("\n\n"));
    let of = |session: &str, node: &str, data: &str| {
        emulate(&server, &format!(r#"{{"session":"{session}","node":"{node}","data":{data}}}"#))
    };
    let nobody = "00000000-0000-4000-8000-000000000000";
    assert_eq!(of(&session, nobody, r#""{}""#), 404);
    assert_eq!(of(&session, "", r#""{}""#), 404);
    assert_eq!(of(nobody, &node, r#""{}""#), 204);
    assert_eq!(of("nonsense", &node, r#""{}""#), 204);
    assert_eq!(emulate(&server, "{"), 400);
    assert_eq!(emulate(&server, ""), 400);
    for ignored in ["{}", "5", "[]"] {
        assert_eq!(of(&session, &node, ignored), 204, "{ignored}");
    }
    let bad_request = "data: {\"push\":{\"disconnect\":{\"code\":3501,\"reason\":\"bad request\"}}}\n\n";
    assert_eq!(of(&session, &node, "null"), 204);
    assert_eq!(stream.rest(), bad_request);
    let mut stream = sse(&server, r#"{"id":1,"connect":{}}"#);
    let way = Way::of(&stream.until("\n\n"));
    assert_eq!(way.send(&server, "no command").status, 204);
    assert_eq!(stream.rest(), bad_request);
    assert_eq!(way.send(&server, "{}").status, 204, "a session that is gone");
}

#[test]
fn the_session_of_a_client_that_only_listens_takes_no_commands() {
    let server = server(|_| ());
    let request = super::post("/connection/uni_http_stream", "", r#"{"subs":{"lobby":{}}}"#);
    let mut stream = flywheel_testkit::Stream::open(server.address(), request.as_bytes()).unwrap();
    let session = super::member(&stream.until("\n"), "session");
    let node = Way::of(&sse(&server, r#"{"id":1,"connect":{}}"#).until("\n\n")).node;
    let way = Way { session, node };
    let publish = r#"{"id":2,"publish":{"channel":"lobby","data":1}}"#;
    assert_eq!(way.send(&server, publish).status, 204);
    server.api("publish", r#"{"channel":"lobby","data":2}"#);
    assert_eq!(stream.until("\n"), "{\"channel\":\"lobby\",\"pub\":{\"data\":2}}\n");
}

#[test]
fn requests_of_one_session_are_worked_off_one_after_the_other_also_when_the_backend_is_slow() {
    let backing = Backing::start(|asked| {
        thread::sleep(std::time::Duration::from_millis(30));
        let question: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        Some(with_status(200, &json!({"result": {"data": question["data"]}}).to_string()))
    });
    let server = server(|config| {
        set(config, "rpc.without_namespace.proxy_enabled", json!(true));
        set(config, "rpc.proxy.endpoint", json!(format!("http://{}/rpc", backing.address())));
        set(config, "client.concurrency", json!(1));
    });
    let mut stream = http_stream(&server, r#"{"id":1,"connect":{}}"#);
    let way = Way::of(&stream.until("\n"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for id in 2..10 {
                let command = json!({"id": id, "rpc": {"method": "echo", "data": id}}).to_string();
                assert_eq!(way.send(&server, &command).status, 204);
            }
        });
        for id in 2..10 {
            assert_eq!(stream.until("\n"), format!("{{\"id\":{id},\"rpc\":{{\"data\":{id}}}}}\n"));
        }
    });
}

#[test]
fn everything_is_counted_under_its_own_transport() {
    let server = server(|config| set(config, "prometheus.enabled", json!(true)));
    let mut stream =
        sse(&server, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}");
    stream.until("subscribe");
    server.api("publish", r#"{"channel":"lobby","data":1}"#);
    stream.until("pub");
    let shown = |line: &str| {
        server.request("GET", "/metrics", &[], b"").text().lines().any(|known| known.starts_with(line))
    };
    let all = flywheel_testkit::wait_until(super::WITHIN, || {
        shown(
            "centrifugo_transport_messages_sent{channel_namespace=\"\",frame_type=\"push_publication\",\
             transport=\"sse\"} 1",
        ) && shown(
            "centrifugo_client_connections_inflight{accept_protocol=\"\",client_name=\"unnamed\",\
             client_version=\"unversioned\",transport=\"sse\"} 1",
        )
    });
    assert!(all, "{}", server.request("GET", "/metrics", &[], b"").text());
}
