//! What clients must not send, and what the server does about it.

#![expect(clippy::panic, reason = "helpers fail the test")]

mod commands;
mod frames;
mod refusals;
mod requests;
mod witness;

use std::time::Duration;

use flywheel_testkit::{Connection, Encoding, Event, Server, fixture};

const PATIENCE: Duration = Duration::from_secs(10);
const ENDPOINT: &str = "/connection/websocket";
const BAD_REQUEST: &str = "close 3501 bad request";

fn server() -> Server {
    Server::start(env!("CARGO_BIN_EXE_flywheel"), fixture())
}

fn open(server: &Server, encoding: Encoding) -> Connection {
    Connection::open(server.address(), encoding).unwrap_or_else(|error| panic!("{error}"))
}

/// The next thing the server does, as text.
fn next(connection: &mut Connection) -> String {
    match connection.next(PATIENCE) {
        Some(Event::Message(message)) => String::from_utf8_lossy(&message).into_owned(),
        Some(Event::Closed { code, reason }) => format!("close {code} {reason}"),
        Some(Event::Dropped) => "dropped".to_owned(),
        None => "nothing".to_owned(),
    }
}

/// The first answer to a frame, sent before connecting.
fn answer_unconnected(server: &Server, frame: &str) -> String {
    let mut connection = open(server, Encoding::Json);
    connection.send(frame.as_bytes());
    next(&mut connection)
}

/// The first answer to a frame of a client that is connected.
fn answer(server: &Server, frame: &str) -> String {
    let mut connection = open(server, Encoding::Json);
    connection.send(br#"{"id":1,"connect":{}}"#);
    let connected = next(&mut connection);
    assert!(connected.starts_with(r#"{"id":1,"connect":{"client":""#), "{connected}");
    connection.send(frame.as_bytes());
    next(&mut connection)
}

fn error(code: u32, message: &str) -> String {
    format!(r#"{{"id":2,"error":{{"code":{code},"message":"{message}"}}}}"#)
}
