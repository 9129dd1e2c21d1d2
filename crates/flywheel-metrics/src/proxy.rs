use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::declare::{CALL, Declare};
use crate::labels::{ProxyEvent, ProxyProtocol};

/// Metrics of calls to backends.
pub struct ProxyMetrics {
    durations: HistogramVec,
    errors: IntCounterVec,
    inflight: IntGaugeVec,
}

/// What is counted of the calls to one proxy for one kind of event.
#[derive(Debug, Clone)]
pub struct ProxyCalls {
    duration: Histogram,
    errors: IntCounter,
    inflight: IntGauge,
}

impl ProxyMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        let labels = &["protocol", "type", "name"];
        Self {
            durations: declare.histograms(
                "centrifugo_proxy_duration_seconds_histogram",
                labels,
                CALL,
                "Time from a call to a backend to its answer, time in the queue included.",
            ),
            errors: declare.counters(
                "centrifugo_proxy_errors",
                labels,
                "Calls to a backend without a usable answer, those that found the queue full included.",
            ),
            inflight: declare.gauges(
                "centrifugo_proxy_inflight_requests",
                labels,
                "Calls to a backend that have no answer yet, those in the queue included.",
            ),
        }
    }

    /// The series of the proxy called `name`, which are shown from now on.
    pub fn calls(&self, protocol: ProxyProtocol, event: ProxyEvent, name: &str) -> ProxyCalls {
        let labels = [protocol.as_str(), event.as_str(), name];
        ProxyCalls {
            duration: self.durations.with_label_values(&labels),
            errors: self.errors.with_label_values(&labels),
            inflight: self.inflight.with_label_values(&labels),
        }
    }
}

impl ProxyCalls {
    /// A call begins.
    pub fn begun(&self) {
        self.inflight.inc();
    }

    /// It is over, be it answered or given up by whoever made it.
    pub fn ended(&self, took: Duration) {
        self.inflight.dec();
        self.duration.observe(took.as_secs_f64());
    }

    /// It has no usable answer.
    pub fn failed(&self) {
        self.errors.inc();
    }
}
