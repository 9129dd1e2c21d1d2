use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::declare::Declare;
use crate::node::raise;

/// What one shard of Redis has counted since it was started, and what it holds now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RedisReading {
    /// Its name in the readiness report, such as `redis[0]`.
    pub shard: String,
    /// Connections for commands that were made.
    pub connects: u64,
    /// Connections for PUB/SUB that were made.
    pub listens: u64,
    /// Times that other servers took over.
    pub switches: u64,
    /// Calls that had no answer by their deadlines.
    pub deadlines: u64,
    /// Writes that waited until another server was the primary.
    pub fenced: u64,
    /// Streams that got a new epoch, since they lack what was delivered.
    pub forked: u64,
    /// Channels whose subscribers were told to look for a gap.
    pub gaps: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// How long each proof of writing took that was given since the last reading.
    pub write_probes: Vec<Duration>,
    /// How long each proof of PUB/SUB took that was given since the last reading, over all connections.
    pub delivery_probes: Vec<Duration>,
    /// Connections for commands that are there.
    pub links: Vec<LinkReading>,
}

/// What waits in a connection for commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkReading {
    /// Address of the server.
    pub server: String,
    /// Calls without an answer yet.
    pub calls: usize,
    /// Room that they take, in bytes.
    pub bytes: usize,
}

/// Seconds: a probe is a round trip, and one that takes much longer than its interval has failed.
const PROBE: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// Metrics of the Redis engine. Centrifugo has none of them.
pub struct RedisMetrics {
    connects: IntCounterVec,
    switches: IntCounterVec,
    deadlines: IntCounterVec,
    fenced: IntCounterVec,
    forked: IntCounterVec,
    gaps: IntCounterVec,
    malformed: IntCounterVec,
    probes: HistogramVec,
    calls: IntGaugeVec,
    bytes: IntGaugeVec,
    /// Two scrapes at once would count twice. Guards nothing else; nothing is taken under it.
    taking: Mutex<()>,
}

impl RedisMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        Self {
            connects: declare.counters(
                "flywheel_redis_connects_total",
                &["shard", "kind"],
                "Connections made to Redis, for commands (`command`) and for PUB/SUB (`pubsub`), the first ones included.",
            ),
            switches: declare.counters(
                "flywheel_redis_switches_total",
                &["shard"],
                "Times that other servers were written to than before: failovers, and changes of a cluster.",
            ),
            deadlines: declare.counters(
                "flywheel_redis_deadlines_total",
                &["shard"],
                "Calls to Redis that had no answer by their deadlines, probes included.",
            ),
            fenced: declare.counters(
                "flywheel_redis_fenced_writes_total",
                &["shard"],
                "Writes that waited for a planned failover, so that the old primary would not take them in vain.",
            ),
            forked: declare.counters(
                "flywheel_redis_forked_streams_total",
                &["shard"],
                "Streams that got a new epoch, because a failover discarded what had been delivered.",
            ),
            gaps: declare.counters(
                "flywheel_redis_gaps_total",
                &["shard"],
                "Channels whose positions were checked, because messages may have been missed.",
            ),
            malformed: declare.counters(
                "flywheel_redis_malformed_messages_total",
                &["shard"],
                "PUB/SUB messages in our channels that could not be read.",
            ),
            probes: declare.histograms(
                "flywheel_redis_probe_seconds",
                &["shard", "probe"],
                PROBE,
                "Time that a proof took that Redis takes writes (`write`) or delivers what is published (`delivery`). Those that \
                 failed are not in it.",
            ),
            calls: declare.gauges(
                "flywheel_redis_calls",
                &["shard", "server"],
                "Calls that wait for this server or for its answer.",
            ),
            bytes: declare.gauges(
                "flywheel_redis_queue_bytes",
                &["shard", "server"],
                "Room that these calls take, small ones rounded up to their share of the queue.",
            ),
            taking: Mutex::default(),
        }
    }

    /// Takes over readings of all shards, once before each scrape. Servers that are not in them are forgotten.
    pub fn set(&self, readings: &[RedisReading]) {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        self.calls.reset();
        self.bytes.reset();
        for reading in readings {
            let shard = reading.shard.as_str();
            raise(&self.connects.with_label_values(&[shard, "command"]), reading.connects);
            raise(&self.connects.with_label_values(&[shard, "pubsub"]), reading.listens);
            for (counter, value) in [
                (&self.switches, reading.switches),
                (&self.deadlines, reading.deadlines),
                (&self.fenced, reading.fenced),
                (&self.forked, reading.forked),
                (&self.gaps, reading.gaps),
                (&self.malformed, reading.malformed),
            ] {
                raise(&counter.with_label_values(&[shard]), value);
            }
            for (probe, times) in [("write", &reading.write_probes), ("delivery", &reading.delivery_probes)] {
                let series = self.probes.with_label_values(&[shard, probe]);
                times.iter().for_each(|took| series.observe(took.as_secs_f64()));
            }
            for link in &reading.links {
                let labels = [shard, link.server.as_str()];
                crate::node::set(&self.calls.with_label_values(&labels), link.calls);
                crate::node::set(&self.bytes.with_label_values(&labels), link.bytes);
            }
        }
    }
}
