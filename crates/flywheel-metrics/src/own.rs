use prometheus::{IntCounter, IntGauge, IntGaugeVec};

use crate::cells::{Cells, Counters};
use crate::declare::Declare;
use crate::labels::ReloadOutcome;
use crate::node::{raise, set};

/// Metrics that Centrifugo does not have.
pub struct OwnMetrics {
    mailbox_bytes: IntGaugeVec,
    pub(crate) mailbox_dropped: IntCounter,
    pub(crate) deliveries: IntCounter,
    pub(crate) written: IntCounter,
    pub(crate) gaps_found: IntCounter,
    pub(crate) gaps_healed: IntCounter,
    pub(crate) gaps_given_up: IntCounter,
    pub(crate) slow: IntCounter,
    memory_bytes: IntGauge,
    memory_streams: IntGauge,
    memory_present: IntGauge,
    reloads: Counters,
    panics: IntCounter,
    log_lines_lost: IntCounter,
}

impl OwnMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        Self {
            mailbox_bytes: declare.gauges(
                "flywheel_shard_mailbox_bytes",
                &["shard"],
                "Bytes that wait in a shard's queue.",
            ),
            mailbox_dropped: declare.counter(
                "flywheel_shard_mailbox_dropped_publications_total",
                "Publications that found a shard's queue full and were dropped.",
            ),
            deliveries: declare.counter(
                "flywheel_deliveries_total",
                "Messages handed to a subscriber: one for each subscriber.",
            ),
            written: declare
                .counter("flywheel_socket_written_bytes_total", "Bytes written to client sockets."),
            gaps_found: declare
                .counter("flywheel_gaps_found_total", "Subscriptions found to have missed a publication."),
            gaps_healed: declare
                .counter("flywheel_gaps_healed_total", "Gaps closed, because history had what was missed."),
            gaps_given_up: declare.counter(
                "flywheel_gaps_given_up_total",
                "Gaps that history could not close, so that the client must start over.",
            ),
            slow: declare.counter(
                "flywheel_slow_disconnects_total",
                "Clients disconnected because their queue was full.",
            ),
            memory_bytes: declare.gauge(
                "flywheel_memory_engine_bytes",
                "Bytes that the memory engine holds, by its own count.",
            ),
            memory_streams: declare.gauge(
                "flywheel_memory_engine_streams",
                "Streams in the memory engine, empty ones included.",
            ),
            memory_present: declare
                .gauge("flywheel_memory_engine_presence_entries", "Presence entries in the memory engine."),
            reloads: Cells::new(
                declare.counters(
                    "flywheel_config_reloads_total",
                    &["outcome"],
                    "Times that the configuration was read again.",
                ),
                ReloadOutcome::COUNT,
            ),
            panics: declare
                .counter("flywheel_panics_total", "Panics caught. Every one is a defect worth reporting."),
            log_lines_lost: declare.counter(
                "flywheel_log_lines_lost_total",
                "Lines of the log that were lost: nobody read it, or it could not be written.",
            ),
        }
    }

    /// Sets what waits in the queue of the shard with this index.
    pub fn set_mailbox_bytes(&self, shard: usize, bytes: usize) {
        set(&self.mailbox_bytes.with_label_values(&[shard.to_string()]), bytes);
    }

    /// Sets what the memory engine holds.
    pub fn set_memory_engine(&self, bytes: usize, streams: usize, present: usize) {
        set(&self.memory_bytes, bytes);
        set(&self.memory_streams, streams);
        set(&self.memory_present, present);
    }

    /// Publications found a shard's queue full and were dropped.
    pub fn publications_dropped(&self, count: u64) {
        self.mailbox_dropped.inc_by(count);
    }

    /// The configuration was read again, with this outcome.
    pub fn reloaded(&self, outcome: ReloadOutcome) {
        self.reloads.add(outcome as usize, [outcome.as_str()], 1);
    }

    /// A panic was caught.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// So many lines of the log have been lost so far.
    pub fn set_log_lines_lost(&self, lines: u64) {
        raise(&self.log_lines_lost, lines);
    }
}
