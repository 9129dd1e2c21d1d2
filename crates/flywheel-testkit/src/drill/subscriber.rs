use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Seen, Told, Witness};
use crate::{Connection, Encoding, Event};

/// A client with recovering subscriptions that comes back whenever it is sent away, as SDKs do.
#[derive(Debug)]
pub struct Subscriber {
    stop: Arc<AtomicBool>,
    record: Arc<Mutex<Record>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Record {
    name: String,
    seen: BTreeMap<String, Vec<Seen>>,
    connects: Vec<Instant>,
    closes: Vec<(Instant, u16, String)>,
    positions: BTreeMap<String, (String, u64)>,
}

/// How long a reply may take until the client gives the connection up, as SDKs do.
const REPLY: Duration = Duration::from_secs(5);
/// SDKs wait a random time before they come back; here it is always the same, and short.
const BACK: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(50);

impl Subscriber {
    /// Connects to `address`, anonymously, and subscribes to all channels.
    pub fn start(name: &str, address: SocketAddr, channels: &[String]) -> Self {
        Self::start_with(name, address, channels, None)
    }

    /// Connects to `address` with a token that subscribes it to all channels, on the part of the server.
    pub fn start_subscribed(name: &str, address: SocketAddr, channels: &[String], token: &str) -> Self {
        Self::start_with(name, address, channels, Some(token.to_owned()))
    }

    fn start_with(name: &str, address: SocketAddr, channels: &[String], token: Option<String>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let record = Arc::new(Mutex::new(Record { name: name.to_owned(), ..Record::default() }));
        let life = Life {
            stop: Arc::clone(&stop),
            record: Arc::clone(&record),
            address,
            channels: channels.to_vec(),
            token,
        };
        let thread = std::thread::spawn(move || {
            while !life.stop.load(Ordering::Relaxed) {
                life.one_connection();
                std::thread::sleep(BACK);
            }
        });
        Self { stop, record, thread: Some(thread) }
    }

    /// Whether it is subscribed, or was, to this many channels.
    pub fn has_subscribed(&self, channels: usize) -> bool {
        self.record.lock().unwrap().positions.len() >= channels
    }

    /// Where it stands in each channel.
    pub fn positions(&self) -> BTreeMap<String, (String, u64)> {
        self.record.lock().unwrap().positions.clone()
    }

    /// When it connected.
    pub fn connects(&self) -> Vec<Instant> {
        self.record.lock().unwrap().connects.clone()
    }

    /// When and how its connections ended; code 0 for those that ended without a word.
    pub fn closes(&self) -> Vec<(Instant, u16, String)> {
        self.record.lock().unwrap().closes.clone()
    }

    /// Numbers of the publications that it has seen after `since`, and when.
    pub fn seen_since(&self, since: Instant) -> Vec<(u64, Instant)> {
        let record = self.record.lock().unwrap();
        let mut found = Vec::new();
        for seen in record.seen.values() {
            for one in seen.iter().rev() {
                match one {
                    Seen::Publication { id, at, .. } if *at > since => found.push((*id, *at)),
                    Seen::Publication { .. } => break,
                    Seen::Told(_) => {}
                }
            }
        }
        found
    }

    /// Everything it saw.
    pub fn witnesses(&self) -> Vec<Witness> {
        let record = self.record.lock().unwrap();
        let of = |(channel, seen): (&String, &Vec<Seen>)| Witness {
            name: record.name.clone(),
            channel: channel.clone(),
            seen: seen.clone(),
        };
        record.seen.iter().map(of).collect()
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Life {
    stop: Arc<AtomicBool>,
    record: Arc<Mutex<Record>>,
    address: SocketAddr,
    channels: Vec<String>,
    /// Of a client whose subscriptions are the server's.
    token: Option<String>,
}

/// The commands of one connection that wait for a reply: what they were for, and since when.
#[derive(Default)]
struct Commands {
    last: u32,
    open: BTreeMap<u32, (String, Instant)>,
    /// Subscriptions to ask for again, and when.
    again: Vec<(String, Instant)>,
}

impl Life {
    fn one_connection(&self) {
        let Ok(mut connection) = Connection::open(self.address, Encoding::Json) else { return };
        let mut commands = Commands::default();
        commands.send(&mut connection, "", &self.connect());
        loop {
            if self.stop.load(Ordering::Relaxed) {
                connection.close(1000, "");
                return;
            }
            self.ask_again(&mut connection, &mut commands);
            if commands.open.values().any(|(_, since)| since.elapsed() > REPLY) {
                return self.closed(0, "no reply");
            }
            match connection.next(TICK) {
                None => {}
                Some(Event::Message(message)) if message == b"{}" => connection.send(b"{}"),
                Some(Event::Message(message)) => {
                    let message: Value = serde_json::from_slice(&message).unwrap();
                    if !self.take(&message, &mut connection, &mut commands) {
                        return self.closed(0, &message.to_string());
                    }
                }
                Some(Event::Closed { code, reason }) => return self.closed(code, &reason),
                Some(Event::Dropped) => return self.closed(0, "dropped"),
            }
        }
    }

    fn connect(&self) -> Value {
        let Some(token) = &self.token else { return json!({"connect": {}}) };
        let record = self.record.lock().unwrap();
        let position = |(channel, (epoch, offset)): (&String, &(String, u64))| {
            (channel.clone(), json!({"recover": true, "epoch": epoch, "offset": offset}))
        };
        let subs: serde_json::Map<_, _> = record.positions.iter().map(position).collect();
        json!({"connect": {"token": token, "subs": subs}})
    }

    fn closed(&self, code: u16, reason: &str) {
        self.record.lock().unwrap().closes.push((Instant::now(), code, reason.to_owned()));
    }

    fn ask_again(&self, connection: &mut Connection, commands: &mut Commands) {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut commands.again).into_iter().partition(|(_, at)| *at <= now);
        commands.again = later;
        for (channel, _) in due {
            self.subscribe(&channel, connection, commands);
        }
    }

    fn subscribe(&self, channel: &str, connection: &mut Connection, commands: &mut Commands) {
        let position = self.record.lock().unwrap().positions.get(channel).cloned();
        let request = match position {
            Some((epoch, offset)) => {
                json!({"channel": channel, "recover": true, "epoch": epoch, "offset": offset})
            }
            None => json!({"channel": channel}),
        };
        commands.send(connection, channel, &json!({"subscribe": request}));
    }

    /// Takes one message; false when the connection is of no use any more.
    fn take(&self, message: &Value, connection: &mut Connection, commands: &mut Commands) -> bool {
        if let Some(id) = message["id"].as_u64() {
            let Some((channel, _)) = u32::try_from(id).ok().and_then(|id| commands.open.remove(&id)) else {
                return true;
            };
            if message["connect"].is_object() {
                self.record.lock().unwrap().connects.push(Instant::now());
                for (channel, result) in message["connect"]["subs"].as_object().into_iter().flatten() {
                    self.subscribed(channel, result);
                }
                for channel in self.channels.iter().filter(|_| self.token.is_none()) {
                    self.subscribe(channel, connection, commands);
                }
            } else if message["subscribe"].is_object() {
                self.subscribed(&channel, &message["subscribe"]);
            } else if channel.is_empty() {
                return false;
            } else {
                // A temporary error: SDKs ask again on the same connection.
                commands.again.push((channel, Instant::now() + BACK));
            }
            return true;
        }
        let push = &message["push"];
        let Some(channel) = push["channel"].as_str() else { return true };
        if push["pub"].is_object() {
            self.published(channel, &push["pub"]);
        } else if push["unsubscribe"].is_object() {
            commands.again.push((channel.to_owned(), Instant::now()));
        }
        true
    }

    fn subscribed(&self, channel: &str, result: &Value) {
        let epoch = result["epoch"].as_str().unwrap_or_default().to_owned();
        let offset = result["offset"].as_u64().unwrap_or(0);
        let recovered = result["recovered"].as_bool().unwrap_or(false);
        {
            let mut record = self.record.lock().unwrap();
            if !recovered {
                let told = Told { epoch: epoch.clone(), offset };
                record.seen.entry(channel.to_owned()).or_default().push(Seen::Told(told));
                record.positions.insert(channel.to_owned(), (epoch, offset));
            }
        }
        if recovered {
            for publication in result["publications"].as_array().into_iter().flatten() {
                self.published(channel, publication);
            }
        }
    }

    fn published(&self, channel: &str, publication: &Value) {
        let mut record = self.record.lock().unwrap();
        let Some((epoch, position)) = record.positions.get_mut(channel) else { return };
        let offset = publication["offset"].as_u64().unwrap_or(0);
        *position = offset;
        let epoch = epoch.clone();
        let id = publication["data"]["id"].as_u64().unwrap_or(0);
        let seen = Seen::Publication { id, epoch, offset, at: Instant::now() };
        record.seen.entry(channel.to_owned()).or_default().push(seen);
    }
}

impl Commands {
    fn send(&mut self, connection: &mut Connection, channel: &str, request: &Value) {
        self.last += 1;
        let mut command = request.clone();
        command["id"] = json!(self.last);
        self.open.insert(self.last, (channel.to_owned(), Instant::now()));
        connection.send(command.to_string().as_bytes());
    }
}
