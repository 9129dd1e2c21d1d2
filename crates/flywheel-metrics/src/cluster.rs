use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::declare::Declare;

/// Metrics of the node among others, and of its readiness. Centrifugo has none of them.
pub struct ClusterMetrics {
    ready: IntGauge,
    live: IntGauge,
    dependencies: IntGaugeVec,
    ignored: IntCounterVec,
    hand_overs: IntCounter,
    lost_nodes: IntCounter,
}

/// Why a message of another node was ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It could not be read.
    Undecodable,
    /// There was no room for it.
    NoRoom,
}

impl ClusterMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        let metrics = Self {
            ready: declare.gauge("flywheel_ready", "1 while the node answers that it is ready, else 0."),
            live: declare.gauge("flywheel_live", "1 while all threads of the node turn, else 0."),
            dependencies: declare.gauges(
                "flywheel_dependency_up",
                &["dependency"],
                "1 while this entry of the readiness report is fine, else 0.",
            ),
            ignored: declare.counters(
                "flywheel_control_messages_ignored_total",
                &["reason"],
                "Messages of other nodes that could not be read, or for which there was no room.",
            ),
            hand_overs: declare.counter(
                "flywheel_hand_overs_total",
                "Times that the node sent its clients elsewhere, because it was not ready or was drained.",
            ),
            lost_nodes: declare.counter(
                "flywheel_nodes_lost_total",
                "Nodes that were dropped because nothing was heard of them any more.",
            ),
        };
        metrics.ready.set(1);
        metrics.live.set(1);
        metrics
    }

    /// Whether the node answers that it is ready.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    /// Whether all threads turn.
    pub fn set_live(&self, live: bool) {
        self.live.set(live.into());
    }

    /// How an entry of the readiness report stands.
    pub fn set_dependency(&self, name: &str, ok: bool) {
        self.dependencies.with_label_values(&[name]).set(ok.into());
    }

    /// A message of another node was ignored.
    pub fn message_ignored(&self, reason: Ignored) {
        let reason = match reason {
            Ignored::Undecodable => "undecodable",
            Ignored::NoRoom => "no_room",
        };
        self.ignored.with_label_values(&[reason]).inc();
    }

    /// The node sent its clients elsewhere.
    pub fn handed_over(&self) {
        self.hand_overs.inc();
    }

    /// Nothing is heard of a node any more.
    pub fn node_lost(&self) {
        self.lost_nodes.inc();
    }
}
