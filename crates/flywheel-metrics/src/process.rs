use prometheus::{Counter, Gauge, IntGauge};

use crate::declare::Declare;

/// What the operating system says about this process. `None` where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessReading {
    /// Resident memory in bytes.
    pub resident_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// How many there may be.
    pub max_fds: Option<u64>,
    /// Processor time used so far, user and system, in seconds.
    pub cpu_seconds: Option<f64>,
    /// When the process started, in seconds since 1970.
    pub start_time_seconds: Option<f64>,
}

/// Metrics of the process, under the names that every exporter uses.
pub struct ProcessMetrics {
    resident_bytes: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    cpu_seconds: Counter,
    start_time_seconds: Gauge,
}

impl ProcessMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        Self {
            resident_bytes: declare.gauge("process_resident_memory_bytes", "Resident memory in bytes."),
            open_fds: declare.gauge("process_open_fds", "Open file descriptors."),
            max_fds: declare.gauge("process_max_fds", "How many file descriptors may be open."),
            cpu_seconds: declare.float_counter(
                "process_cpu_seconds_total",
                "Processor time used, user and system, in seconds.",
            ),
            start_time_seconds: declare.float_gauge(
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
            ),
        }
    }

    /// Takes over a reading, once before each scrape. What is `None` stays as it was. One caller at a time.
    pub fn set(&self, reading: &ProcessReading) {
        let gauges = [
            (&self.resident_bytes, reading.resident_bytes),
            (&self.open_fds, reading.open_fds),
            (&self.max_fds, reading.max_fds),
        ];
        for (gauge, value) in gauges {
            if let Some(value) = value {
                gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            }
        }
        if let Some(seconds) = reading.cpu_seconds {
            // A counter never goes down, whatever the operating system says.
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
        if let Some(seconds) = reading.start_time_seconds {
            self.start_time_seconds.set(seconds);
        }
    }
}
