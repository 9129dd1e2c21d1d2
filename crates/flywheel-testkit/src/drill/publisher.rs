use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Http;

/// A publication that the server said it has made.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The number it was given.
    pub id: u64,
    /// Where.
    pub channel: String,
    /// Epoch the server named.
    pub epoch: String,
    /// Offset the server named.
    pub offset: u64,
    /// Which of the nodes was asked.
    pub node: usize,
    /// When the call began.
    pub asked: Instant,
    /// When the answer was there.
    pub at: Instant,
}

/// Publishes numbers through one node's server API, one call after the other, until it is stopped.
#[derive(Debug)]
pub struct Publisher {
    stop: Arc<AtomicBool>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    accepted: Mutex<Vec<Accepted>>,
    failed: Mutex<Vec<(Instant, String)>>,
    longest: Mutex<Duration>,
}

/// Numbers that no two publishers share.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Publisher {
    /// Publishes into `channels` in turn with a pause between calls. `key` is the key of the server API.
    pub fn start(node: usize, address: SocketAddr, key: &str, channels: &[String], pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared::default());
        let (until, record) = (Arc::clone(&stop), Arc::clone(&shared));
        let (key, channels) = (key.to_owned(), channels.to_vec());
        let thread = std::thread::spawn(move || {
            for channel in channels.iter().cycle() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                let asked = Instant::now();
                let id = NEXT.fetch_add(1, Ordering::Relaxed);
                let answer = publish(address, &key, channel, id);
                let mut longest = record.longest.lock().unwrap();
                *longest = longest.max(asked.elapsed());
                drop(longest);
                match answer {
                    Ok((epoch, offset)) => {
                        let channel = channel.clone();
                        let at = Instant::now();
                        record.accepted.lock().unwrap().push(Accepted {
                            id,
                            channel,
                            epoch,
                            offset,
                            node,
                            asked,
                            at,
                        });
                    }
                    Err(why) => record.failed.lock().unwrap().push((asked, why)),
                }
                std::thread::sleep(pause);
            }
        });
        Self { stop, shared, thread: Some(thread) }
    }

    /// What was accepted so far.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.shared.accepted.lock().unwrap().clone()
    }

    /// What failed so far: when it was asked, and the answer.
    pub fn failed(&self) -> Vec<(Instant, String)> {
        self.shared.failed.lock().unwrap().clone()
    }

    /// How long the longest call took so far, well or badly.
    pub fn longest_call(&self) -> Duration {
        *self.shared.longest.lock().unwrap()
    }

    /// Whether something that was asked after `since` has been accepted; when.
    pub fn accepted_since(&self, since: Instant) -> Option<Instant> {
        let accepted = self.shared.accepted.lock().unwrap();
        accepted
            .iter()
            .rev()
            .take_while(|one| one.at > since)
            .filter(|one| one.asked > since)
            .map(|one| one.at)
            .min()
    }

    /// Waits for the call in flight and stops.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn publish(address: SocketAddr, key: &str, channel: &str, id: u64) -> Result<(String, u64), String> {
    let body = json!({"channel": channel, "data": {"id": id}}).to_string();
    let response = Http::new(address)
        .request("POST", "/api/publish", &[("X-API-Key", key)], body.as_bytes())
        .map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&response.body).map_err(|_| response.text())?;
    let result = &answer["result"];
    match (result["epoch"].as_str(), result["offset"].as_u64()) {
        (Some(epoch), Some(offset)) if response.status == 200 => Ok((epoch.to_owned(), offset)),
        _ => Err(answer.to_string()),
    }
}
