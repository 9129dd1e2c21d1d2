//! A user whose newest connection is the only one.

use std::time::Duration;

use flywheel_testkit::{JsonClient, Server, Stream, fixture, named_token, set, wait_until};
use serde_json::{Value, json};

const PERSONAL: &str = "room:#42";

fn server(single_connection: bool) -> Server {
    let mut config = fixture();
    let personal = json!({
        "enabled": true,
        "personal_channel_namespace": "room",
        "single_connection": single_connection,
    });
    set(&mut config, "client.subscribe_to_user_personal_channel", personal);
    set(&mut config, "http_stream.enabled", json!(true));
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

fn connect(server: &Server, token: &str) -> JsonClient {
    JsonClient::connect(server.address(), named_token(token).as_deref())
}

fn publish(server: &Server, channel: &str, data: &str) {
    server.api_result("publish", &json!({"channel": channel, "data": data}));
}

/// The data of the next publication; joins and leaves come in between.
fn received(client: &mut JsonClient) -> Value {
    loop {
        let push = client.push();
        if push["pub"].is_object() {
            return push["pub"]["data"].clone();
        }
    }
}

fn present(server: &Server) -> Value {
    server.api_result("presence_stats", &json!({"channel": PERSONAL}))["num_clients"].clone()
}

#[test]
fn the_newest_connection_of_a_user_ends_the_ones_before_it_and_nobody_elses() {
    let server = server(true);
    let mut another = connect(&server, "T43");
    let mut nobody = JsonClient::connect(server.address(), None);
    nobody.subscribe("lobby");
    let mut first = connect(&server, "T42");
    publish(&server, PERSONAL, "to the first");
    assert_eq!(received(&mut first), "to the first");

    let mut second = connect(&server, "T42");
    assert_eq!(first.closed(), (3504, "connection limit".to_owned()));
    publish(&server, PERSONAL, "to the second");
    assert_eq!(received(&mut second), "to the second");

    // Whatever carries it.
    let commands = json!({"id": 1, "connect": {"token": named_token("T42")}}).to_string();
    let length = commands.len();
    let request = format!(
        "POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{commands}"
    );
    let mut third = Stream::open(server.address(), request.as_bytes()).unwrap();
    assert!(third.until("\n").contains(PERSONAL));
    assert_eq!(second.closed(), (3504, "connection limit".to_owned()));
    let mut fourth = connect(&server, "T42");
    assert!(
        third
            .rest()
            .ends_with("{\"push\":{\"disconnect\":{\"code\":3504,\"reason\":\"connection limit\"}}}\n")
    );

    publish(&server, PERSONAL, "to the fourth");
    assert_eq!(received(&mut fourth), "to the fourth");
    publish(&server, "room:#43", "to another");
    assert_eq!(received(&mut another), "to another");
    publish(&server, "lobby", "to nobody");
    assert_eq!(received(&mut nobody), "to nobody");
    assert!(
        wait_until(Duration::from_secs(10), || present(&server) == 1),
        "{} are present",
        present(&server)
    );
}

#[test]
fn without_the_option_a_user_has_any_number() {
    let server = server(false);
    let mut clients = [(); 3].map(|()| connect(&server, "T42"));
    publish(&server, PERSONAL, "to all");
    for client in &mut clients {
        assert_eq!(received(client), "to all");
    }
    assert_eq!(present(&server), 3);
}
