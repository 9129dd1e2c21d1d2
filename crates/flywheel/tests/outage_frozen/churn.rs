use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flywheel_testkit::{Connection, Encoding, Event};
use serde_json::json;

/// Clients that connect with a token, wait for the answer, and leave, again and again, on every node.
pub(crate) struct Churn {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    stuck: Arc<Mutex<Vec<Duration>>>,
    threads: Vec<JoinHandle<()>>,
}

/// By then a connect is answered, well or badly, or the connection is closed.
const ANSWER_WITHIN: Duration = Duration::from_secs(12);
const THREADS_PER_NODE: usize = 2;
const PAUSE: Duration = Duration::from_millis(20);

impl Churn {
    pub(crate) fn start(nodes: Vec<SocketAddr>, token: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let stuck = Arc::new(Mutex::new(Vec::new()));
        let connect = json!({"id": 1, "connect": {"token": token}}).to_string();
        let threads = nodes.into_iter().flat_map(|address| std::iter::repeat_n(address, THREADS_PER_NODE));
        let threads = threads.map(|address| {
            let (stop, answered, stuck) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&stuck));
            let connect = connect.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match visit(address, &connect) {
                        Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Err(waited) => stuck.lock().unwrap().push(waited),
                    }
                    std::thread::sleep(PAUSE);
                }
            })
        });
        let threads = threads.collect();
        Self { stop, answered, stuck, threads }
    }

    /// Connects that were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Connects that were not, and how long they waited.
    pub(crate) fn stuck(&self) -> Vec<Duration> {
        self.stuck.lock().unwrap().clone()
    }

    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// Connects and leaves. A node that refuses the connection has answered.
fn visit(address: SocketAddr, connect: &str) -> Result<(), Duration> {
    let Ok(mut connection) = Connection::open(address, Encoding::Json) else { return Ok(()) };
    let asked = Instant::now();
    connection.send(connect.as_bytes());
    match connection.next(ANSWER_WITHIN) {
        Some(Event::Message(_) | Event::Closed { .. } | Event::Dropped) => Ok(()),
        None => Err(asked.elapsed()),
    }
}
