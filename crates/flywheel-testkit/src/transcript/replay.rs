use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::payloads::Payloads;
use super::{Bindings, Step, Transcript};
use crate::{Connection, Encoding, Event};

/// Calls the server API: method and body in, the reason of a failure out.
type Api<'a> = dyn Fn(&str, &str) -> Result<(), String> + 'a;

/// Plays transcripts against a server.
pub struct Replay<'a> {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Runs the `A` lines.
    pub api: &'a Api<'a>,
    /// How long an expected message may take.
    pub patience: Duration,
}

/// The first line at which a server did something else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// The transcript.
    pub transcript: String,
    /// The line in its file, from 1; one past the end when something came that nobody expected.
    pub line: usize,
    /// What the line says.
    pub expected: String,
    /// What happened.
    pub got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transcript, line, expected, got } = self;
        write!(out, "{transcript}.replay:{line}\n  expected: {expected}\n       got: {got}")
    }
}

impl fmt::Debug for Replay<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Replay").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Replay<'_> {
    /// Plays one transcript on fresh connections.
    ///
    /// # Errors
    /// The first line that did not come true.
    pub fn run(&self, transcript: &Transcript) -> Result<(), Mismatch> {
        let mut connections = BTreeMap::new();
        let mut bindings = Bindings::default();
        let mut payloads = Payloads::default();
        for line in &transcript.lines {
            self.step(&line.step, &mut connections, &mut bindings, &mut payloads).map_err(
                |(expected, got)| Mismatch {
                    transcript: transcript.name.clone(),
                    line: line.number,
                    expected,
                    got,
                },
            )?;
        }
        for (number, connection) in &mut connections {
            if connection.left_over() > 0 {
                return Err(Mismatch {
                    transcript: transcript.name.clone(),
                    line: transcript.lines.last().map_or(1, |line| line.number + 1),
                    expected: format!("nothing more on connection {number}"),
                    got: describe(connection.next(Duration::ZERO)),
                });
            }
        }
        Ok(())
    }

    fn step(
        &self,
        step: &Step,
        connections: &mut BTreeMap<usize, Connection>,
        bindings: &mut Bindings,
        payloads: &mut Payloads,
    ) -> Result<(), (String, String)> {
        match step {
            Step::Client { connection, text } => {
                let text = bindings.fill(text).map_err(|error| ("a known token".to_owned(), error))?;
                if !connections.contains_key(connection) {
                    let opened = Connection::open(self.address, Encoding::Json)
                        .map_err(|error| ("an open connection".to_owned(), error.to_string()))?;
                    connections.insert(*connection, opened);
                }
                payloads.send(*connection, &text);
                if let Some(connection) = connections.get_mut(connection) {
                    connection.send(text.as_bytes());
                }
                Ok(())
            }
            Step::Server { connection, text } => {
                let event = next(connections, *connection, self.patience);
                match &event {
                    Some(Event::Message(message))
                        if bindings.matches(text, &String::from_utf8_lossy(message)) =>
                    {
                        let received = payloads.receive(*connection, &String::from_utf8_lossy(message));
                        received.map_err(|wrong| (text.clone(), wrong))
                    }
                    _ => Err((text.clone(), describe(event))),
                }
            }
            Step::Close { connection, code, reason } => {
                let expected = Event::Closed { code: *code, reason: reason.clone() };
                let event = next(connections, *connection, self.patience);
                if event.as_ref() == Some(&expected) {
                    Ok(())
                } else {
                    Err((describe(Some(expected)), describe(event)))
                }
            }
            Step::Api { method, body } => {
                let body = bindings.fill(body).map_err(|error| ("a known token".to_owned(), error))?;
                if method == "publish" {
                    payloads.publish(&body);
                }
                (self.api)(method, &body).map_err(|got| (format!("success of {method} {body}"), got))
            }
            Step::Quiet(time) => {
                let share = *time / u32::try_from(connections.len().max(1)).unwrap_or(1);
                for connection in connections.values_mut() {
                    if let Some(event) = connection.next(share) {
                        return Err((format!("nothing for {time:?}"), describe(Some(event))));
                    }
                }
                Ok(())
            }
        }
    }
}

fn next(connections: &mut BTreeMap<usize, Connection>, number: usize, patience: Duration) -> Option<Event> {
    connections.get_mut(&number).and_then(|connection| connection.next(patience))
}

fn describe(event: Option<Event>) -> String {
    match event {
        None => "nothing".to_owned(),
        Some(Event::Message(message)) => String::from_utf8_lossy(&message).into_owned(),
        Some(Event::Closed { code, reason }) => format!("close {code} {reason}"),
        Some(Event::Dropped) => "the connection was dropped without a close frame".to_owned(),
    }
}

#[cfg(test)]
mod tests;
