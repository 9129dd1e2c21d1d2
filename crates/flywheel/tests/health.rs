//! Liveness, readiness, draining.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]

use std::time::Duration;

use flywheel_testkit::{
    Connection, Encoding, Event, JsonClient, Response, Server, Signal, fixture, set, wait_until,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
const CLIENTS: usize = 20;

fn server(settings: &[(&str, Value)]) -> Server {
    let mut config = fixture();
    for (key, value) in settings {
        set(&mut config, key, value.clone());
    }
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

fn get(server: &Server, path: &str) -> Response {
    server.request("GET", path, &[], b"")
}

/// The status of `/health/ready` and the reason of each entry that fails.
fn readiness(server: &Server) -> (u16, Vec<String>) {
    let response = get(server, "/health/ready");
    let report = response.json();
    assert_eq!(report["ready"], json!(response.status == 200), "{report}");
    let entries = report["dependencies"].as_array().unwrap();
    let failing = entries.iter().filter(|entry| entry["ok"] == json!(false));
    (response.status, failing.map(|entry| entry["reason"].as_str().unwrap().to_owned()).collect())
}

/// The status that a WebSocket handshake is answered with.
fn handshake(server: &Server) -> u16 {
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    server.request("GET", "/connection/websocket", &headers, b"").status
}

/// Clients that note when and how they are closed.
struct Crowd(Vec<(Connection, Option<Event>)>);

impl Crowd {
    fn join(server: &Server) -> Self {
        let client = |_| {
            let mut client = Connection::open(server.address(), Encoding::Json).unwrap();
            client.send(br#"{"id":1,"connect":{}}"#);
            assert!(matches!(client.next(PATIENCE), Some(Event::Message(_))));
            (client, None)
        };
        Self((0..CLIENTS).map(client).collect())
    }

    /// How many have been closed so far; each as it should.
    fn gone(&mut self) -> usize {
        let closed = Event::Closed { code: 3001, reason: "shutdown".to_owned() };
        for (client, end) in self.0.iter_mut().filter(|(_, end)| end.is_none()) {
            *end = client.next(Duration::ZERO);
            assert!(end.is_none() || *end == Some(closed.clone()), "{end:?}");
        }
        self.0.iter().filter(|(_, end)| end.is_some()).count()
    }

    fn wait_for(&mut self, wanted: impl Fn(usize) -> bool) -> usize {
        let mut gone = 0;
        let met = wait_until(PATIENCE, || {
            gone = self.gone();
            wanted(gone)
        });
        assert!(met, "{gone} of {CLIENTS} are gone");
        gone
    }
}

#[test]
fn a_healthy_node_is_alive_ready_and_answers_the_old_check_as_ever() {
    let server = server(&[("prometheus.enabled", json!(true))]);
    let old = get(&server, "/health");
    assert_eq!((old.status, old.text().as_str()), (200, "{}"));
    let live = get(&server, "/health/live");
    assert_eq!((live.status, live.text().as_str()), (200, r#"{"live":true}"#));
    assert_eq!(live.header("content-type"), Some("application/json"));
    assert_eq!(readiness(&server), (200, vec![]));
    assert_eq!(get(&server, "/health/ready/").status, 404);
    let metrics = get(&server, "/metrics").text();
    for line in ["flywheel_ready 1", "flywheel_live 1", "flywheel_dependency_up{dependency=\"threads\"} 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
}

#[test]
fn a_drained_node_sends_its_clients_away_and_takes_them_again_when_told() {
    let server = server(&[("prometheus.enabled", json!(true))]);
    let mut clients = Crowd::join(&server);
    assert_eq!(server.api("drain", "{}"), (200, r#"{"result":{}}"#.to_owned()));
    assert_eq!(readiness(&server), (503, vec!["drained by the server API".to_owned()]));
    assert_eq!(get(&server, "/health/live").status, 200);
    clients.wait_for(|gone| gone == CLIENTS);
    assert_eq!(handshake(&server), 503);
    assert_eq!(server.api("drain", "{}").0, 200, "again, it changes nothing");
    assert_eq!(server.api("publish", r#"{"channel":"room:a","data":1}"#).0, 200);
    assert_eq!(server.api("drain", r#"{"undo":true}"#).0, 200);
    assert_eq!(readiness(&server), (200, vec![]));
    JsonClient::connect(server.address(), None).subscribe("room:a");
    assert!(get(&server, "/metrics").text().contains("\nflywheel_hand_overs_total 1\n"));
    assert_eq!(server.api("drain", r#"{"undo":1}"#).0, 400);
}

#[test]
fn a_drain_is_spread_and_can_be_taken_back_half_way() {
    let server = server(&[("shutdown.spread", json!("10s"))]);
    let mut clients = Crowd::join(&server);
    server.api("drain", "{}");
    clients.wait_for(|gone| gone > 2);
    assert_eq!(handshake(&server), 503);
    server.api("drain", r#"{"undo":true}"#);
    JsonClient::connect(server.address(), None).subscribe("room:a");
    let gone = clients.gone();
    assert!(gone < CLIENTS, "nobody is left to stay");
    // A shard answers a call after the mail that told it to let them stay, so that nobody goes any more.
    server.api_result("channels", &json!({}));
    assert!(clients.gone() - gone <= 1, "somebody went after all");
}

#[test]
fn termination_fails_readiness_waits_and_sends_clients_away_over_the_spread() {
    let mut server = server(&[
        ("shutdown.delay", json!("3s")),
        ("shutdown.spread", json!("2s")),
        ("shutdown.timeout", json!("20s")),
    ]);
    let mut clients = Crowd::join(&server);
    server.signal(Signal::TERM);
    assert!(wait_until(PATIENCE, || readiness(&server).0 == 503), "{}", server.log());
    assert_eq!(readiness(&server).1, ["shutting down"]);
    assert_eq!(handshake(&server), 101, "load balancers may not have noticed yet");
    assert_eq!(clients.gone(), 0);
    clients.wait_for(|gone| gone > 0);
    assert_eq!(handshake(&server), 503);
    let some = clients.gone();
    assert!(some < CLIENTS, "all at once is no spread");
    clients.wait_for(|gone| gone == CLIENTS);
    assert_eq!(server.wait_exit(PATIENCE), Some(0), "{}", server.log());
    assert_eq!(server.log().matches("the node is not ready").count(), 1, "{}", server.log());
}

#[test]
fn a_second_signal_cuts_the_drain_short() {
    let mut server = server(&[("shutdown.delay", json!("1h")), ("shutdown.timeout", json!("2h"))]);
    let mut client = JsonClient::connect(server.address(), None);
    server.signal(Signal::TERM);
    assert!(wait_until(PATIENCE, || readiness(&server).0 == 503), "{}", server.log());
    server.signal(Signal::TERM);
    assert_eq!(client.closed(), (3001, "shutdown".to_owned()));
    assert_eq!(server.wait_exit(PATIENCE), Some(0), "{}", server.log());
}

#[test]
fn a_process_that_was_stopped_for_a_while_is_not_stuck() {
    let server = server(&[("health.stuck_after", json!("3s"))]);
    server.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(4));
    server.signal(Signal::CONT);
    for _ in 0..20 {
        assert_eq!(get(&server, "/health/live").status, 200, "{}", get(&server, "/health/live").text());
    }
    assert!(!server.log().contains("stuck"), "{}", server.log());
}

#[test]
fn drain_settings_are_reloaded() {
    let server = server(&[]);
    let mut config = server.config().clone();
    set(&mut config, "shutdown.spread", json!("20s"));
    std::fs::write(server.config_file(), config.to_string()).unwrap();
    server.signal(Signal::HUP);
    assert!(wait_until(PATIENCE, || server.log().contains("configuration reloaded")), "{}", server.log());
    assert!(server.log().contains("shutdown.spread"), "{}", server.log());
    let mut clients = Crowd::join(&server);
    server.api("drain", "{}");
    clients.wait_for(|gone| gone > 0);
    assert!(clients.gone() < CLIENTS, "all at once is no spread");
}
