use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use flywheel_runtime::Clock;
use flywheel_testkit::{Connection, Encoding, Event, sign};
use serde_json::{Value, json};

use crate::node::{CHANNELS, SECRET, channel};

pub(crate) const SUBSCRIPTIONS: usize = 20;

/// What the test and its clients tell each other.
pub(crate) struct Shared {
    pub address: SocketAddr,
    pub finished: AtomicBool,
    /// The longest that a connect command waited for what became of it.
    pub slowest_millis: AtomicU64,
    /// Clients that have everything.
    pub complete: AtomicUsize,
    /// How many times every fourth client has been told to drop its connection.
    pub drops: AtomicU64,
    pub connected: AtomicUsize,
    /// Offset of the newest publication of every channel.
    pub published: AtomicU64,
    /// Offset of the last one there will be; [`u64::MAX`] while publishing goes on.
    pub last: AtomicU64,
    /// Publications that all clients together have received.
    pub taken: AtomicU64,
    /// Bytes of memory that the process had in use at most.
    pub resident: AtomicU64,
}

/// A client that comes back whenever its connection ends, and recovers.
pub(crate) struct Client {
    number: usize,
    /// Offset and epoch of each channel that it has not been taken out of.
    positions: BTreeMap<String, (u64, String)>,
    drops: u64,
    counted: bool,
    complete: bool,
}

impl Client {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, positions: BTreeMap::new(), drops: 0, counted: false, complete: false }
    }

    pub(crate) fn run(mut self, shared: &Shared) {
        let clock = Clock::system();
        let names: Vec<_> =
            (0..SUBSCRIPTIONS).map(|index| channel((self.number + index) % CHANNELS)).collect();
        let token = sign(SECRET, &json!({"sub": format!("u{}", self.number), "channels": names}).to_string());
        while !shared.finished.load(Ordering::SeqCst) {
            let Ok(mut connection) = Connection::open(shared.address, Encoding::Json) else {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            let subs: BTreeMap<_, _> = self
                .positions
                .iter()
                .map(|(name, (offset, epoch))| {
                    (name, json!({"recover": true, "offset": offset, "epoch": epoch}))
                })
                .collect();
            let started = clock.elapsed();
            let connect = json!({"id": 1, "connect": {"token": token, "subs": subs}});
            connection.send(connect.to_string().as_bytes());
            let answered =
                connection.next(Duration::from_mins(1)).expect("a connect command without an answer");
            let waited = u64::try_from(clock.elapsed().saturating_sub(started).as_millis()).unwrap();
            shared.slowest_millis.fetch_max(waited, Ordering::SeqCst);
            let Event::Message(message) = answered else {
                continue;
            };
            let reply: Value = serde_json::from_slice(&message).unwrap();
            if reply.get("connect").is_none() {
                // The engine does not answer: it comes back, as an SDK does.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
            self.begin(&reply["connect"]["subs"], shared);
            if !std::mem::replace(&mut self.counted, true) {
                shared.connected.fetch_add(1, Ordering::SeqCst);
            }
            self.listen(&mut connection, shared);
        }
    }

    fn begin(&mut self, subs: &Value, shared: &Shared) {
        for (name, result) in subs.as_object().unwrap() {
            let epoch = result["epoch"].as_str().unwrap_or_default().to_owned();
            if self.positions.contains_key(name) {
                assert_eq!(result["recovered"], true, "{name} of client {}: {result}", self.number);
                for publication in result["publications"].as_array().into_iter().flatten() {
                    self.take(name, publication, shared);
                }
            } else {
                let offset = result["offset"].as_u64().unwrap_or_default();
                self.positions.insert(name.clone(), (offset, epoch));
            }
        }
    }

    fn take(&mut self, name: &str, publication: &Value, shared: &Shared) {
        let (position, _) = self.positions.get_mut(name).expect("a publication of a channel that it has");
        let offset = publication["offset"].as_u64().unwrap();
        assert_eq!(offset, *position + 1, "{name} of client {}", self.number);
        assert_eq!(publication["data"].as_u64(), Some(offset));
        *position = offset;
        shared.taken.fetch_add(1, Ordering::Relaxed);
    }

    fn listen(&mut self, connection: &mut Connection, shared: &Shared) {
        while !shared.finished.load(Ordering::SeqCst) {
            let last = shared.last.load(Ordering::SeqCst);
            let complete = self.positions.values().all(|(offset, _)| *offset == last);
            if complete && !std::mem::replace(&mut self.complete, true) {
                shared.complete.fetch_add(1, Ordering::SeqCst);
            }
            let told = shared.drops.load(Ordering::SeqCst);
            if told > self.drops && self.number.is_multiple_of(4) {
                self.drops = told;
                return;
            }
            match connection.next(Duration::from_millis(200)) {
                None => {}
                Some(Event::Message(message)) => {
                    let message: Value = serde_json::from_slice(&message).unwrap();
                    let push = &message["push"];
                    let name = push["channel"].as_str().unwrap_or_default().to_owned();
                    if let Some(publication) = push.get("pub") {
                        self.take(&name, publication, shared);
                    } else if push.get("unsubscribe").is_some() {
                        self.positions.remove(&name);
                    } else if message == json!({}) {
                        connection.send(b"{}");
                    }
                }
                Some(_) => return,
            }
        }
    }
}
