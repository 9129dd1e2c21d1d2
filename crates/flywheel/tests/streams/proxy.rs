//! Streams behind a proxy that keeps connections open on both sides.

use std::net::SocketAddr;

use flywheel_testkit::{HaProxy, Stream, free_port};

use super::{Way, encoded, get, post, server};

#[test]
fn a_proxy_that_keeps_connections_carries_streams_and_commands_over_and_over() {
    let server = server(|_| ());
    let port = free_port();
    let config = format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         frontend in\n bind 127.0.0.1:{port}\n default_backend out\n\
         backend out\n http-reuse always\n server one {}\n",
        server.address()
    );
    let _proxy = HaProxy::start(&config, &[port]);
    let proxy = SocketAddr::from(([127, 0, 0, 1], port));
    let commands = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}";
    let sse = format!("/connection/sse?cf_connect={}", encoded(commands));
    let mut stream = Stream::open(proxy, get("/health").as_bytes()).unwrap();
    for round in 0..5 {
        stream.rest();
        let request = if round % 2 == 0 { get(&sse) } else { post("/connection/http_stream", "", commands) };
        // On the client's side it is one connection all the time.
        stream = stream.again(request.as_bytes()).unwrap();
        let way = Way::of(&stream.until("}}\n"));
        stream.until(r#"{"id":2,"subscribe":{}}"#);
        let publish = r#"{"id":3,"publish":{"channel":"lobby","data":7}}"#;
        let body = serde_json::json!({"session": way.session, "node": way.node, "data": publish}).to_string();
        let answer = Stream::open(proxy, post("/emulation", "", &body).as_bytes()).unwrap();
        assert_eq!(answer.status, 204);
        stream.until(r#"{"push":{"channel":"lobby","pub":{"data":7"#);
        stream.until(r#"{"id":3,"publish":{}}"#);
        server.api("disconnect", r#"{"user":""}"#);
        stream.until("3503");
    }
    assert!(stream.rest().contains("force disconnect"));
}
