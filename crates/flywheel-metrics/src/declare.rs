use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// One line of the reference.
pub(crate) struct Declaration {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) meaning: &'static str,
}

/// Makes and registers metrics, and keeps the list of them.
#[derive(Default)]
pub(crate) struct Declare {
    pub(crate) registry: Registry,
    pub(crate) list: Vec<Declaration>,
}

impl Declare {
    pub(crate) fn gauge(&mut self, name: &'static str, meaning: &'static str) -> IntGauge {
        self.register(name, "gauge", &[], meaning, IntGauge::new(name, meaning))
    }

    pub(crate) fn float_gauge(&mut self, name: &'static str, meaning: &'static str) -> Gauge {
        self.register(name, "gauge", &[], meaning, Gauge::new(name, meaning))
    }

    pub(crate) fn gauges(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> IntGaugeVec {
        self.register(name, "gauge", labels, meaning, IntGaugeVec::new(Opts::new(name, meaning), labels))
    }

    pub(crate) fn counter(&mut self, name: &'static str, meaning: &'static str) -> IntCounter {
        self.register(name, "counter", &[], meaning, IntCounter::new(name, meaning))
    }

    pub(crate) fn float_counter(&mut self, name: &'static str, meaning: &'static str) -> Counter {
        self.register(name, "counter", &[], meaning, Counter::new(name, meaning))
    }

    pub(crate) fn counters(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> IntCounterVec {
        self.register(name, "counter", labels, meaning, IntCounterVec::new(Opts::new(name, meaning), labels))
    }

    pub(crate) fn histograms(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        buckets: &[f64],
        meaning: &'static str,
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, meaning).buckets(buckets.to_vec());
        self.register(name, "histogram", labels, meaning, HistogramVec::new(options, labels))
    }

    #[expect(clippy::expect_used, reason = "all arguments are constants, and every test makes every metric")]
    fn register<C: Collector + Clone + 'static>(
        &mut self,
        name: &'static str,
        kind: &'static str,
        labels: &'static [&'static str],
        meaning: &'static str,
        made: prometheus::Result<C>,
    ) -> C {
        let collector = made.expect("a metric has a legal name and legal labels");
        self.registry.register(Box::new(collector.clone())).expect("a metric is declared once");
        self.list.push(Declaration { name, kind, labels, meaning });
        collector
    }
}

/// Seconds: for what a command or a call takes.
pub(crate) const CALL: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Seconds: for work in memory that may touch one or a hundred thousand subscribers.
pub(crate) const FAN_OUT: &[f64] = &[
    0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0,
];

/// Seconds: for a way through the network and back.
pub(crate) const ROUND_TRIP: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 5.0, 10.0];
