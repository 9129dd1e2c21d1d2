use prometheus::{HistogramVec, IntCounter, IntGauge};

use crate::cells::{Cells, Counters};
use crate::declare::{Declare, FAN_OUT};
use crate::labels::{Action, EMPTY, MessageType, SuppressReason};

/// Metrics of the node as a whole.
pub struct NodeMetrics {
    clients: IntGauge,
    users: IntGauge,
    subscriptions: IntGauge,
    channels: IntGauge,
    nodes: IntGauge,
    sent: Counters,
    received: Counters,
    actions: Counters,
    connection_limit: IntCounter,
    suppressed: Counters,
    pub(crate) broadcasts: HistogramVec,
    pub(crate) filtered: Counters,
}

impl NodeMetrics {
    pub(crate) fn new(declare: &mut Declare, version: &str) -> Self {
        declare
            .gauges(
                "centrifugo_node_build",
                &["version"],
                "Always 1; the label is the version of the server.",
            )
            .with_label_values(&[version])
            .set(1);
        let metrics = Self {
            clients: declare.gauge("centrifugo_node_num_clients", "Connected clients."),
            users: declare.gauge("centrifugo_node_num_users", "Different users among them."),
            subscriptions: declare
                .gauge("centrifugo_node_num_subscriptions", "Subscriptions of all clients."),
            channels: declare
                .gauge("centrifugo_node_num_channels", "Channels with a subscriber on this node."),
            nodes: declare.gauge(
                "centrifugo_node_num_nodes",
                "Nodes of the cluster that this node knows, itself included.",
            ),
            sent: Cells::new(
                declare.counters(
                    "centrifugo_node_messages_sent_count",
                    &["type", "channel_namespace"],
                    "Messages handed to the broker or to other nodes.",
                ),
                MessageType::COUNT,
            ),
            received: Cells::new(
                declare.counters(
                    "centrifugo_node_messages_received_count",
                    &["type", "channel_namespace"],
                    "Messages that came from the broker or from other nodes.",
                ),
                MessageType::COUNT,
            ),
            actions: Cells::new(
                declare.counters(
                    "centrifugo_node_action_count",
                    &["action", "channel_namespace"],
                    "Things done for clients and callers.",
                ),
                Action::COUNT,
            ),
            connection_limit: declare.counter(
                "centrifugo_node_client_connection_limit",
                "Connections refused because the node had as many as it may have.",
            ),
            suppressed: Cells::new(
                declare.counters(
                    "centrifugo_broker_publish_suppressed_count",
                    &["reason", "channel_namespace"],
                    "Publications taken for repetitions and not published.",
                ),
                SuppressReason::COUNT,
            ),
            broadcasts: declare.histograms(
                "centrifugo_node_broadcast_duration_seconds",
                &["type", "channel_namespace"],
                FAN_OUT,
                "Time that one shard takes to hand a message to its subscribers.",
            ),
            filtered: Cells::new(
                declare.counters(
                    "centrifugo_node_tags_filter_dropped_publications",
                    &["channel_namespace"],
                    "Deliveries left out because the subscriber's tags filter did not match.",
                ),
                1,
            ),
        };
        // Dashboards want a zero for every type from the start.
        for kind in MessageType::ALL {
            metrics.sent.at(*kind as usize, [kind.as_str(), EMPTY]);
            metrics.received.at(*kind as usize, [kind.as_str(), EMPTY]);
        }
        metrics
    }

    /// Sets the number of connected clients.
    pub fn set_clients(&self, count: usize) {
        set(&self.clients, count);
    }

    /// Sets the number of different users.
    pub fn set_users(&self, count: usize) {
        set(&self.users, count);
    }

    /// Sets the number of subscriptions.
    pub fn set_subscriptions(&self, count: usize) {
        set(&self.subscriptions, count);
    }

    /// Sets the number of channels with subscribers.
    pub fn set_channels(&self, count: usize) {
        set(&self.channels, count);
    }

    /// Sets the number of known nodes, this one included.
    pub fn set_nodes(&self, count: usize) {
        set(&self.nodes, count);
    }

    /// A message went to the broker.
    pub fn message_sent(&self, kind: MessageType) {
        self.sent.add(kind as usize, [kind.as_str(), EMPTY], 1);
    }

    /// A message came from the broker.
    pub fn message_received(&self, kind: MessageType) {
        self.received.add(kind as usize, [kind.as_str(), EMPTY], 1);
    }

    /// Something was done.
    pub fn action(&self, action: Action) {
        self.actions.add(action as usize, [action.as_str(), EMPTY], 1);
    }

    /// A connection was refused because the node is full.
    pub fn connection_limit_reached(&self) {
        self.connection_limit.inc();
    }

    /// A publication was taken for a repetition.
    pub fn publication_suppressed(&self, reason: SuppressReason) {
        self.suppressed.add(reason as usize, [reason.as_str(), EMPTY], 1);
    }
}

pub(crate) fn set(gauge: &IntGauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// A counter never goes down.
pub(crate) fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}
