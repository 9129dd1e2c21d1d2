use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Node;

/// A thread outside the runtime that looks after the node; it ends when this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time between two beats of the runtime.
const BEAT_EVERY: Duration = Duration::from_millis(250);

impl Watchdog {
    /// Looks at `node` and goes on doing so.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(node: &Arc<Node>) -> io::Result<Self> {
        let beating = Arc::downgrade(node);
        node.tasks().spawn_background(async move {
            let mut ticks = tokio::time::interval(BEAT_EVERY);
            while let Some(node) = beating.upgrade() {
                node.runtime_pulse().beat(node.clock().now().at);
                drop(node);
                ticks.tick().await;
            }
        });
        node.check_health();
        let stop = Arc::new(AtomicBool::new(false));
        let (node, stopped) = (Arc::downgrade(node), Arc::clone(&stop));
        let look = move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(node) = node.upgrade() else {
                    return;
                };
                node.check_health();
                drop(node);
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("flywheel-watchdog".to_owned()).spawn(look)?;
        Ok(Self { thread: Some(thread), stop })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watchdog panicked");
            }
        }
    }
}
