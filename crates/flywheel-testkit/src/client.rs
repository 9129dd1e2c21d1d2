use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Connection, Encoding, Event};

/// How long a reply may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connected client in JSON that answers pings by itself.
#[derive(Debug)]
pub struct JsonClient {
    connection: Connection,
    id: u32,
    pushes: VecDeque<Value>,
    name: String,
}

impl JsonClient {
    /// Opens a connection and connects, with a token or anonymously; panics when the server refuses.
    pub fn connect(address: SocketAddr, token: Option<&str>) -> Self {
        let mut client = Self::open(address);
        let reply = client.command("connect", token.map_or(json!({}), |token| json!({"token": token})));
        let Some(name) = reply["connect"]["client"].as_str() else { panic!("connect was refused: {reply}") };
        name.clone_into(&mut client.name);
        client
    }

    /// Opens a connection without connecting.
    pub fn open(address: SocketAddr) -> Self {
        let connection = Connection::open(address, Encoding::Json).unwrap();
        Self { connection, id: 0, pushes: VecDeque::new(), name: String::new() }
    }

    /// The id that the server gave this connection; empty before it is connected.
    pub fn client(&self) -> &str {
        &self.name
    }

    /// Sends a command and returns its whole reply; pushes that come before it are kept.
    pub fn command(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let mut command = json!({"id": self.id});
        command[method] = params;
        self.connection.send(command.to_string().as_bytes());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next_value(deadline.saturating_duration_since(Instant::now())) {
                Ok(value) if value["id"] == self.id => return value,
                Ok(value) => self.pushes.push_back(value["push"].clone()),
                Err(event) => panic!("no reply to {command}, but {event:?}"),
            }
        }
    }

    /// Subscribes; panics when the server refuses. Returns the result.
    pub fn subscribe(&mut self, channel: &str) -> Value {
        let mut reply = self.command("subscribe", json!({"channel": channel}));
        assert!(reply["subscribe"].is_object(), "subscribing to {channel}: {reply}");
        reply["subscribe"].take()
    }

    /// Sends any text as one WebSocket message.
    pub fn send(&mut self, text: &str) {
        self.connection.send(text.as_bytes());
    }

    /// The next message that is no ping, whole; panics when the connection ends or none comes.
    pub fn message(&mut self) -> Value {
        self.next_value(PATIENCE).unwrap_or_else(|event| panic!("no message, but {event:?}"))
    }

    /// The next push, without its wrapper; panics when the connection ends or none comes.
    pub fn push(&mut self) -> Value {
        self.push_within(PATIENCE).expect("a push")
    }

    /// The next publication; other pushes before it are skipped. Panics as [`push`](Self::push) does.
    pub fn publication(&mut self) -> Value {
        loop {
            let mut push = self.push();
            if push["pub"].is_object() {
                return push["pub"].take();
            }
        }
    }

    /// The next push, or `None` when none comes within the time; panics when the connection ends.
    pub fn push_within(&mut self, within: Duration) -> Option<Value> {
        if let Some(push) = self.pushes.pop_front() {
            return Some(push);
        }
        match self.next_value(within) {
            Ok(mut value) => Some(value["push"].take()),
            Err(None) => None,
            Err(Some(event)) => panic!("no push, but {event:?}"),
        }
    }

    /// Waits for the end of the connection and returns code and reason; messages before it are skipped.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next_value(PATIENCE) {
                Ok(_) => {}
                Err(Some(Event::Closed { code, reason })) => return (code, reason),
                Err(event) => panic!("no close frame, but {event:?}"),
            }
        }
    }

    /// The next message that is no ping, or what came instead.
    fn next_value(&mut self, within: Duration) -> Result<Value, Option<Event>> {
        let deadline = Instant::now() + within;
        loop {
            match self.connection.next(deadline.saturating_duration_since(Instant::now())) {
                Some(Event::Message(message)) if message == b"{}" => self.connection.send(b"{}"),
                Some(Event::Message(message)) => {
                    return Ok(serde_json::from_slice(&message)
                        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&message))));
                }
                other => return Err(other),
            }
        }
    }
}
