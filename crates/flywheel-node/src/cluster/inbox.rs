use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flywheel_engine::ControlSink;
use flywheel_runtime::{Bell, Mailbox};
use tokio::sync::Notify;

/// Where messages of other nodes wait until they are read. An engine gets it as its [`ControlSink`] before the node
/// exists.
#[derive(Debug)]
pub struct ControlInbox {
    messages: Mailbox<Vec<u8>>,
    bell: Arc<Bell>,
    notify: Arc<Notify>,
    dropped: AtomicU64,
}

/// Bytes of messages that may wait. What does not fit is dropped and counted, as a message may be lost anyway.
const BYTES_MAX: usize = 64 << 20;

impl ControlInbox {
    /// Nothing has come yet.
    pub fn new() -> Arc<Self> {
        let notify = Arc::new(Notify::new());
        let woken = Arc::clone(&notify);
        let bell = Arc::new(Bell::new(move || woken.notify_one()));
        Arc::new(Self {
            messages: Mailbox::new(BYTES_MAX, Arc::clone(&bell)),
            bell,
            notify,
            dropped: AtomicU64::new(0),
        })
    }

    /// Waits for messages and takes all that there are. Cancel safe: nothing is taken before the end.
    pub(super) async fn take(&self) -> Vec<Vec<u8>> {
        loop {
            self.bell.prepare();
            let mut messages = Vec::new();
            self.messages.drain(&mut messages);
            if !messages.is_empty() {
                self.bell.awake();
                self.messages.release(messages.iter().map(Vec::len).sum());
                return messages;
            }
            self.notify.notified().await;
        }
    }

    /// Messages dropped since this was last asked.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

impl ControlSink for ControlInbox {
    fn receive(&self, message: &[u8]) {
        if self.messages.push(message.to_vec(), message.len()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
