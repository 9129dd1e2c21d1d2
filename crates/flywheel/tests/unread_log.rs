//! A log that nobody reads stops nobody: not clients, not the end of the process.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]

use std::fs;
use std::time::Duration;

use flywheel_testkit::{Fifo, JsonClient, Server, Signal, fixture, set, wait_until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
/// More than there are shards, so that each gets some.
const CLIENTS: usize = 16;

/// A server with subscribers whose log goes into a pipe that is full.
struct Unread {
    log: Fifo,
    server: Server,
    subscribers: Vec<JsonClient>,
}

impl Unread {
    fn start() -> Self {
        let mut log = Fifo::new();
        let mut config = fixture();
        for (key, value) in [
            ("log.file", json!(log.path())),
            ("node.shards", json!(2)),
            ("prometheus.enabled", json!(true)),
            ("shutdown.timeout", json!("5s")),
        ] {
            set(&mut config, key, value);
        }
        let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
        assert!(log.read().contains("listening"));
        let subscribers = (0..CLIENTS).map(|_| JsonClient::connect(server.address(), None));
        let mut subscribers: Vec<_> = subscribers.collect();
        for client in &mut subscribers {
            client.subscribe("room:all");
        }
        log.fill();
        Self { log, server, subscribers }
    }

    /// Clients come whose refusal is worth a line.
    fn refuse_some(&self) {
        for _ in 0..CLIENTS {
            let mut client = JsonClient::open(self.server.address());
            client.send(r#"{"id":1,"connect":{"token":"nonsense"}}"#);
            assert_eq!(client.closed().0, 3500);
        }
    }

    fn publish(&mut self, number: u64) {
        self.server.api_result("publish", &json!({"channel": "room:all", "data": number}));
        for client in &mut self.subscribers {
            assert_eq!(client.publication()["data"], json!(number));
        }
    }

    fn lines_lost(&self) -> u64 {
        let metrics = self.server.request("GET", "/metrics", &[], b"").text();
        let line = metrics.lines().find_map(|line| line.strip_prefix("flywheel_log_lines_lost_total "));
        line.unwrap().parse().unwrap()
    }
}

/// A configuration that is refused, and says so in a long line.
fn long_error(config: &Value) -> Value {
    let mut config = config.clone();
    set(&mut config, "log.level", json!("x".repeat(60_000)));
    config
}

#[test]
fn clients_are_served_and_what_was_lost_is_told_when_the_log_is_read_again() {
    let mut unread = Unread::start();
    unread.refuse_some();
    unread.publish(1);
    fs::write(unread.server.config_file(), long_error(unread.server.config()).to_string()).unwrap();
    // Lines wait up to a bound; reloading is refused, in a long line each time.
    let some_are_lost = wait_until(PATIENCE, || {
        unread.server.signal(Signal::HUP);
        unread.lines_lost() > 0
    });
    assert!(some_are_lost);
    unread.refuse_some();
    unread.publish(2);
    assert!(unread.server.is_ready(), "{}", unread.server.readiness().text());

    let mut read = String::new();
    let is_told = wait_until(PATIENCE, || {
        read += &unread.log.read();
        read.contains("lines were lost")
    });
    assert!(is_told, "{} bytes", read.len());
    assert!(read.contains("token refused"), "what had room is written");
    unread.publish(3);
}

#[test]
fn the_process_ends_when_it_is_told_to() {
    let mut unread = Unread::start();
    unread.server.signal(Signal::TERM);
    for client in &mut unread.subscribers {
        assert_eq!(client.closed(), (3001, "shutdown".to_owned()));
    }
    assert_eq!(unread.server.wait_exit(PATIENCE), Some(0));
}
