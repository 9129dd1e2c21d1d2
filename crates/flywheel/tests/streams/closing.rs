//! How streams end, on either side.

use std::time::Duration;

use flywheel_testkit::{Signal, Stream, set, wait_until};
use serde_json::json;

use super::{WITHIN, encoded, get, http_stream, post, server, sse};

/// Clients that the server counts.
fn clients(server: &flywheel_testkit::Server) -> u64 {
    server.api_result("info", &json!({}))["nodes"][0]["num_clients"].as_u64().unwrap()
}

#[test]
fn a_client_that_goes_away_is_forgotten() {
    let server = server(|_| ());
    let mut stream = sse(&server, r#"{"id":1,"connect":{}}"#);
    stream.until("\n\n");
    assert_eq!(clients(&server), 1);
    stream.hang_up();
    assert!(wait_until(WITHIN, || clients(&server) == 0));
}

#[test]
fn a_connection_whose_stream_has_ended_carries_the_next_request() {
    let server = server(|_| ());
    let mut stream = http_stream(&server, r#"{"id":1,"connect":{"token":"x"}}"#);
    assert_eq!(stream.header("connection"), Some("keep-alive"));
    assert!(stream.rest().contains("3500"));
    let mut stream = stream.again(get("/health").as_bytes()).unwrap();
    assert_eq!((stream.status, stream.rest().as_str()), (200, "{}"));
    // And then another stream, on the same connection.
    let next = post("/connection/http_stream", "", r#"{"id":1,"connect":{}}"#);
    let mut stream = stream.again(next.as_bytes()).unwrap();
    assert!(stream.until("\n").starts_with(r#"{"id":1,"connect":"#));
}

#[test]
fn a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection() {
    let server = server(|_| ());
    let target = format!("/connection/sse?cf_connect={}", encoded(r#"{"id":1,"connect":{"token":"x"}}"#));
    let request = format!("GET {target} HTTP/1.0\r\nHost: x\r\n\r\n");
    let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert_eq!((stream.header("connection"), stream.header("transfer-encoding")), (Some("close"), None));
    assert_eq!(
        stream.rest(),
        "\r\ndata: {\"push\":{\"disconnect\":{\"code\":3500,\"reason\":\"invalid token\"}}}\n\n"
    );
}

#[test]
fn a_client_that_wants_the_connection_closed_finds_it_closed() {
    let server = server(|_| ());
    let request = post("/connection/http_stream", "Connection: close\r\n", "no command");
    let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert_eq!(stream.header("connection"), Some("close"));
    assert_eq!(stream.rest(), "{\"push\":{\"disconnect\":{\"code\":3501,\"reason\":\"bad request\"}}}\n");
    assert!(stream.again(get("/health").as_bytes()).is_err());
}

#[test]
fn a_server_that_stops_says_so_and_ends_cleanly() {
    let mut server = server(|config| set(config, "shutdown.timeout", json!("10s")));
    let mut streams: Vec<_> = (0..20).map(|_| sse(&server, r#"{"id":1,"connect":{}}"#)).collect();
    streams.iter_mut().for_each(|stream| drop(stream.until("\n\n")));
    server.signal(Signal::TERM);
    for stream in &mut streams {
        assert_eq!(
            stream.rest(),
            "data: {\"push\":{\"disconnect\":{\"code\":3001,\"reason\":\"shutdown\"}}}\n\n"
        );
    }
    assert_eq!(server.wait_exit(Duration::from_secs(15)), Some(0), "{}", server.log());
}

#[test]
fn a_client_that_reads_too_slowly_is_dropped() {
    let server = server(|config| set(config, "client.queue_max_size", json!(100_000)));
    let mut stream =
        sse(&server, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}");
    stream.until("subscribe");
    let publication = json!({"channel": "lobby", "data": "x".repeat(60_000)}).to_string();
    // What the kernel holds for it is some megabytes.
    assert!(wait_until(Duration::from_mins(1), || {
        server.api("publish", &publication);
        clients(&server) == 0
    }));
}
