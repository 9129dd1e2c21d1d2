use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Http;

/// What a node said of itself at an instant.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// Whether it said that it is ready. A node that does not answer is not.
    pub ready: bool,
    /// Its words.
    pub body: String,
}

/// Asks a node again and again whether it is ready, as a load balancer does.
#[derive(Debug)]
pub struct ReadinessWatch {
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
    thread: Option<JoinHandle<()>>,
}

const PAUSE: Duration = Duration::from_millis(50);

impl ReadinessWatch {
    /// Asks `/health/ready` until it is stopped.
    pub fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (until, record) = (Arc::clone(&stop), Arc::clone(&samples));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let answer = Http::new(address).request("GET", "/health/ready", &[], b"");
                let (ready, body) = match answer {
                    Ok(response) => (response.status == 200, response.text()),
                    Err(error) => (false, error.to_string()),
                };
                record.lock().unwrap().push(Sample { at: Instant::now(), ready, body });
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, samples, thread: Some(thread) }
    }

    /// Everything it said so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap().clone()
    }

    /// What it said last.
    pub fn last(&self) -> Option<Sample> {
        self.samples.lock().unwrap().last().cloned()
    }

    /// Stops asking.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for ReadinessWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The longest time for which a node had done nothing useful and still said that it is ready: from the last useful thing
/// to when it said so for the last time. `useful` are the instants at which it accepted or delivered a publication while
/// there was always something to do.
pub fn green_while_useless(samples: &[Sample], useful: &[Instant]) -> Option<Range<Instant>> {
    let mut useful: Vec<_> = useful.to_vec();
    useful.sort_unstable();
    let green = samples.iter().filter(|sample| sample.ready).filter_map(|sample| {
        let before = useful.partition_point(|at| *at <= sample.at);
        useful[..before].last().map(|last| *last..sample.at)
    });
    green.max_by_key(|green| green.end - green.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_the_last_useful_thing_counts_only_while_ready() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let sample = |millis, ready| Sample { at: at(millis), ready, body: String::new() };
        let samples = [sample(10, true), sample(500, true), sample(900, false), sample(1000, true)];
        let longest = green_while_useless(&samples, &[at(980), at(5), at(100)]);
        assert_eq!(longest, Some(at(100)..at(500)));
        assert_eq!(green_while_useless(&samples[..1], &[at(980)]), None, "it has not begun yet");
    }
}
