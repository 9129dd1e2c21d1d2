//! A process one of whose threads is stuck says so and ends, so that its clients are free.
#![cfg(debug_assertions)]
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]
#![expect(clippy::disallowed_methods, reason = "what happens is timed from outside of the program")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flywheel_testkit::{Bound, Connection, Encoding, Event, Server, Signal, fixture, set, wait_until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const ABORT: i32 = 6;
/// When a process is ended that does not say otherwise.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);
/// How long an endpoint is waited for, before another connection is tried.
const ANSWERED: Duration = Duration::from_millis(500);
/// Until a node that is stuck is not ready; and until it is ended, by the limit that it has here and a second for its last
/// words.
const REPORTED: Duration = Duration::from_secs(3);
const ENDED: Duration = ABORT_AFTER.saturating_add(Duration::from_secs(2));
const ABORT_AFTER: Duration = Duration::from_secs(8);

fn server(settings: &[(&str, Value)]) -> Server {
    let mut config = fixture();
    set(&mut config, "node.shards", json!(2));
    for (key, value) in settings {
        set(&mut config, key, value.clone());
    }
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

/// What an endpoint answers; nothing when the connection came to a shard that does not turn.
fn get(server: &Server, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(server.address()).ok()?;
    stream.set_read_timeout(Some(ANSWERED)).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn client(server: &Server) -> Connection {
    let mut client = Connection::open(server.address(), Encoding::Json).unwrap();
    client.send(br#"{"id":1,"connect":{}}"#);
    assert!(matches!(client.next(PATIENCE), Some(Event::Message(_))));
    client
}

/// Waits for the moments of a process that gets stuck: not ready, written down, ended, its clients free.
#[track_caller]
fn check_end(mut server: Server, hang: Signal, patient: &str) {
    let mut clients: Vec<_> = (0..8).map(|_| client(&server)).collect();
    server.signal(hang);
    let began = Instant::now();
    let is_unready =
        || get(&server, "/health/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 503"));
    assert!(wait_until(PATIENCE, is_unready), "{}", server.log());
    Bound::new("Z4", REPORTED).holds("not ready", began.elapsed(), "after a thread was stuck");
    let log = server.log();
    assert!(log.contains("threads are stuck"), "it is written down before: {log}");
    assert!(log.contains(&format!("{patient} has not turned for")), "{log}");
    assert!(log.contains("what the threads of the process do") && log.contains("flywheel-node"), "{log}");
    assert!(!log.contains("the process is ended"), "it is too early: {log}");
    assert_eq!(server.wait_death(PATIENCE), Some(ABORT), "{}", server.log());
    Bound::new("Z4", ENDED).holds("ended", began.elapsed(), "after a thread was stuck");
    let log = server.log();
    assert_eq!(
        log.matches("the process is ended: threads are stuck, and its clients with them").count(),
        1,
        "{log}"
    );
    for client in &mut clients {
        let is_free = wait_until(PATIENCE, || {
            matches!(client.next(Duration::from_millis(100)), Some(Event::Dropped | Event::Closed { .. }))
        });
        assert!(is_free, "a client is still held");
    }
}

#[test]
fn a_process_whose_shard_hangs_on_a_lock_is_ended() {
    let server = server(&[("health.abort_after", json!(format!("{}s", ABORT_AFTER.as_secs())))]);
    check_end(server, Signal::USR2, "shard 0");
}

#[test]
fn a_process_with_a_blocked_worker_of_its_runtime_is_ended() {
    let server = server(&[("health.abort_after", json!(format!("{}s", ABORT_AFTER.as_secs())))]);
    check_end(server, Signal::USR1, "of the runtime");
}

#[test]
fn a_stuck_process_that_is_not_to_be_ended_only_says_so() {
    let mut server = server(&[("health.abort_after", json!("-1s")), ("health.stuck_after", json!("3s"))]);
    server.signal(Signal::USR1);
    let is_dead = || get(&server, "/health/live").is_some_and(|answer| answer.starts_with("HTTP/1.1 503"));
    assert!(wait_until(PATIENCE, is_dead), "{}", server.log());
    let names_it = || get(&server, "/health/live").is_some_and(|answer| answer.contains("worker"));
    assert!(wait_until(PATIENCE, names_it), "{}", server.log());
    assert_eq!(server.wait_death(DEFAULT_LIMIT), None, "{}", server.log());
}

#[test]
fn a_process_that_is_stopped_for_longer_than_the_limit_goes_on_as_before() {
    let mut server = server(&[("health.abort_after", json!("3s")), ("health.stuck_after", json!("3s"))]);
    let mut client = client(&server);
    server.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(4));
    server.signal(Signal::CONT);
    client.send(br#"{"id":2,"rpc":{"method":"none"}}"#);
    assert!(matches!(client.next(PATIENCE), Some(Event::Message(_))), "{}", server.log());
    assert_eq!(server.wait_death(Duration::from_secs(1)), None);
    assert!(!server.log().contains("stuck"), "{}", server.log());
}
