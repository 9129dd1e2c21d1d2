//! What the server does on signals.

use std::fs;
use std::time::Duration;

use flywheel_testkit::{JsonClient, Server, Signal, fixture, set, wait_until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

fn start() -> Server {
    let mut config = fixture();
    set(&mut config, "shutdown.timeout", json!("5s"));
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

/// Publishes into a channel until the server answers as wanted, or gives up.
fn answers(server: &Server, channel: &str, wanted: &str) -> bool {
    let body = json!({"channel": channel, "data": 1}).to_string();
    wait_until(PATIENCE, || server.api("publish", &body).1.contains(wanted))
}

/// The configuration of the server with one more namespace.
fn with_namespace(server: &Server, namespace: Value) -> Value {
    let mut config = server.config().clone();
    config["channel"]["namespaces"].as_array_mut().map(|list| list.push(namespace)).unwrap_or_default();
    config
}

#[test]
fn termination_closes_clients_with_shutdown_and_exits_with_success() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = start();
        let mut clients: Vec<_> = (0..20).map(|_| JsonClient::connect(server.address(), None)).collect();
        for client in &mut clients {
            client.subscribe("room:all");
        }
        server.signal(signal);
        for client in &mut clients {
            assert_eq!(client.closed(), (3001, "shutdown".to_owned()));
        }
        assert_eq!(server.wait_exit(PATIENCE), Some(0), "{}", server.log());
    }
}

#[test]
fn a_client_that_does_not_answer_the_close_does_not_hold_up_the_shutdown() {
    let mut server = start();
    let mut silent = flywheel_testkit::RawSocket::upgraded(server.address(), "/connection/websocket");
    silent.write(&flywheel_testkit::client_frame(0x81, br#"{"id":1,"connect":{}}"#)).unwrap();
    silent.frame(PATIENCE).unwrap();
    server.signal(Signal::TERM);
    assert_eq!(silent.closed(PATIENCE), Some((3001, "shutdown".to_owned())));
    assert_eq!(server.wait_exit(PATIENCE), Some(0), "{}", server.log());
}

#[test]
fn hangup_loads_a_changed_namespace() {
    let server = start();
    assert!(answers(&server, "fresh:a", "\"code\":102"));
    let mut client = JsonClient::connect(server.address(), None);
    let config = with_namespace(
        &server,
        json!({"name": "fresh", "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true}),
    );
    fs::write(server.config_file(), config.to_string()).unwrap();
    server.signal(Signal::HUP);
    assert!(wait_until(PATIENCE, || server.log().contains("configuration reloaded")), "{}", server.log());
    // Once the log says so, the API and connections of before see the new rules.
    assert!(answers(&server, "fresh:a", r#"{"result":{}}"#), "{}", server.log());
    client.subscribe("fresh:a");
}

#[test]
fn hangup_with_a_broken_file_keeps_the_old_configuration_and_says_why() {
    let server = start();
    let mut client = JsonClient::connect(server.address(), None);
    let misspelt = with_namespace(&server, json!({"name": "fresh", "histroy_size": 5}));
    let invalid = with_namespace(&server, json!({"name": "fresh", "history_size": 5}));
    for (text, words) in [
        ("{".to_owned(), &["config.json"][..]),
        (misspelt.to_string(), &["config.json", "histroy_size"]),
        (invalid.to_string(), &["history_size"]),
    ] {
        let before = server.log().len();
        fs::write(server.config_file(), text).unwrap();
        server.signal(Signal::HUP);
        let told = wait_until(PATIENCE, || {
            let log = server.log();
            words.iter().all(|word| log[before..].contains(word))
        });
        assert!(told, "the log does not speak of {words:?}: {}", &server.log()[before..]);
        assert!(answers(&server, "fresh:a", "\"code\":102"));
        assert!(answers(&server, "log:a", "\"offset\""));
    }
    client.subscribe("log:a");
}
