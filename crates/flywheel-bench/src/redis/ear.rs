//! What a node hears: how much, when the last of it, and how late.

use std::sync::atomic::{AtomicU64, Ordering};

use flywheel_engine::Sink;
use flywheel_model::{Channel, ChannelEvent, ChannelEventKind};
use parking_lot::Mutex;

use crate::clock;

/// Digits of the time in a publication, after the quote with which it begins.
pub(super) const STAMP: std::ops::Range<usize> = 1..21;

/// Counts publications.
#[derive(Default)]
pub(super) struct Ear {
    heard: AtomicU64,
    expected: AtomicU64,
    /// When the last of those that are expected came.
    at: AtomicU64,
    gaps: AtomicU64,
    /// Nanoseconds on the way, of publications that say when they began.
    latencies: Mutex<Vec<u64>>,
}

impl Ear {
    /// Begins anew, and expects so many.
    pub(super) fn expect(&self, count: u64) {
        self.latencies.lock().clear();
        self.at.store(0, Ordering::SeqCst);
        self.heard.store(0, Ordering::SeqCst);
        self.expected.store(count, Ordering::SeqCst);
    }

    /// When all had come; `None` while they have not. An error when there are too many.
    pub(super) fn complete(&self) -> anyhow::Result<Option<u64>> {
        let (heard, expected) = (self.heard.load(Ordering::SeqCst), self.expected.load(Ordering::SeqCst));
        anyhow::ensure!(heard <= expected, "heard {heard} publications of {expected}");
        let at = self.at.load(Ordering::SeqCst);
        Ok((at > 0).then_some(at))
    }

    /// How many came.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }

    /// How often something may have been missed.
    pub(super) fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::SeqCst)
    }

    /// Times on the way, in order.
    pub(super) fn latencies(&self) -> Vec<u64> {
        let mut latencies = std::mem::take(&mut *self.latencies.lock());
        latencies.sort_unstable();
        latencies
    }
}

impl Sink for Ear {
    fn deliver(&self, event: ChannelEvent) {
        let ChannelEventKind::Publication(publication, ..) = event.kind else { return };
        let heard = self.heard.fetch_add(1, Ordering::SeqCst) + 1;
        let stamp = publication.data.bytes().get(STAMP).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(began) = stamp.and_then(|digits| digits.parse::<u64>().ok())
            && let Ok(now) = clock::nanos()
        {
            self.latencies.lock().push(now.saturating_sub(began));
        }
        if heard == self.expected.load(Ordering::SeqCst) {
            self.at.store(clock::nanos().unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    fn gap(&self, _channel: &Channel) {
        self.gaps.fetch_add(1, Ordering::SeqCst);
    }

    fn has_subscribers(&self, _channel: &Channel) -> bool {
        true
    }
}
