use std::collections::BTreeMap;
use std::time::Duration;
use std::{fmt, mem};

use crate::client::{ConnectionKind, KINDS, recovery_index};
use crate::labels::{EMPTY, FrameType, MessageType, Method, Transport};
use crate::local::LocalHistograms;
use crate::metrics::Metrics;
use crate::transport::Tally;

/// What one shard counted since its last flush. Owned by the shard's thread: plain integers, no atomics, no look-ups.
///
/// Call [`flush`](Self::flush) about once a second, before the numbers are wanted, and at the end.
pub struct ShardCounters {
    sent: Tally,
    received: Tally,
    commands: LocalHistograms,
    pings: LocalHistograms,
    broadcasts: LocalHistograms,
    reply_errors: BTreeMap<(Method, u32), u64>,
    connections: Vec<(ConnectionKind, u64, i64)>,
    subscriptions: [i64; 2],
    recoveries: [u64; 4],
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    filtered: u64,
    deliveries: u64,
    written: u64,
    gaps_found: u64,
    gaps_healed: u64,
    gaps_given_up: u64,
    slow: u64,
}

impl ShardCounters {
    /// Counters that start at zero and are flushed to `metrics`.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            sent: Tally::new(),
            received: Tally::new(),
            commands: LocalHistograms::new(&metrics.client.commands, Method::COUNT),
            pings: LocalHistograms::new(&metrics.client.pings, Transport::COUNT),
            broadcasts: LocalHistograms::new(&metrics.node.broadcasts, MessageType::COUNT),
            reply_errors: BTreeMap::new(),
            connections: Vec::with_capacity(KINDS),
            subscriptions: [0; 2],
            recoveries: [0; 4],
            totals: Totals::default(),
        }
    }

    /// Protocol messages, in all `bytes` long, were queued for clients.
    pub fn sent(&mut self, transport: Transport, frame_type: FrameType, messages: u64, bytes: u64) {
        self.sent.count(transport, frame_type, messages, bytes);
    }

    /// A protocol message of `bytes` came from a client.
    pub fn received(&mut self, transport: Transport, frame_type: FrameType, bytes: u64) {
        self.received.count(transport, frame_type, 1, bytes);
    }

    /// A command was carried out.
    pub fn command(&mut self, method: Method, took: Duration) {
        self.commands.observe(method as usize, [method.as_str(), EMPTY], took);
    }

    /// A command was answered with an error.
    pub fn reply_error(&mut self, method: Method, code: u32) {
        *self.reply_errors.entry((method, code)).or_default() += 1;
    }

    /// A pong came this long after its ping.
    pub fn pong(&mut self, transport: Transport, after: Duration) {
        self.pings.observe(transport as usize, [transport.as_str()], after);
    }

    /// A message was handed to the subscribers of this shard.
    pub fn broadcast(&mut self, kind: MessageType, took: Duration) {
        self.broadcasts.observe(kind as usize, [kind.as_str(), EMPTY], took);
    }

    /// So many subscribers got a message.
    pub fn delivered(&mut self, count: u64) {
        self.totals.deliveries += count;
    }

    /// So many bytes went into client sockets.
    pub fn written(&mut self, bytes: u64) {
        self.totals.written += bytes;
    }

    /// So many deliveries were left out by tags filters.
    pub fn filtered(&mut self, count: u64) {
        self.totals.filtered += count;
    }

    /// A client was let in.
    pub fn connection_opened(&mut self, kind: ConnectionKind) {
        let (_, opened, change) = self.connection(kind);
        *opened += 1;
        *change += 1;
    }

    /// A client that was let in is gone.
    pub fn connection_closed(&mut self, kind: ConnectionKind) {
        let (_, _, change) = self.connection(kind);
        *change -= 1;
    }

    /// A client subscribed. `has_name` is that of its [`ConnectionKind`].
    pub fn subscription_opened(&mut self, has_name: bool) {
        self.subscriptions[usize::from(has_name)] += 1;
    }

    /// A subscription ended.
    pub fn subscription_closed(&mut self, has_name: bool) {
        self.subscriptions[usize::from(has_name)] -= 1;
    }

    /// A client tried to catch up: did it, and were there publications to send?
    pub fn recovery(&mut self, recovered: bool, with_publications: bool) {
        self.recoveries[recovery_index(recovered, with_publications)] += 1;
    }

    /// A subscription missed a publication.
    pub fn gap_found(&mut self) {
        self.totals.gaps_found += 1;
    }

    /// History had what a subscription missed.
    pub fn gap_healed(&mut self) {
        self.totals.gaps_healed += 1;
    }

    /// History had not what a subscription missed.
    pub fn gap_given_up(&mut self) {
        self.totals.gaps_given_up += 1;
    }

    /// A client's queue was full, so it was disconnected.
    pub fn slow_consumer(&mut self) {
        self.totals.slow += 1;
    }

    /// Adds everything to `metrics`, the one these counters were made for, and starts at zero again.
    pub fn flush(&mut self, metrics: &Metrics) {
        metrics.transport.add_sent(&mem::replace(&mut self.sent, Tally::new()));
        metrics.transport.add_received(&mem::replace(&mut self.received, Tally::new()));
        self.commands.flush();
        self.pings.flush();
        self.broadcasts.flush();
        for ((method, code), count) in mem::take(&mut self.reply_errors) {
            metrics.client.add_reply_errors(method, code, count);
        }
        for (kind, opened, change) in self.connections.drain(..) {
            metrics.client.add_connections(kind, opened, change);
        }
        for (change, has_name) in mem::take(&mut self.subscriptions).into_iter().zip([false, true]) {
            metrics.client.add_subscriptions(has_name, change);
        }
        for (recovered, with_publications) in [(false, false), (false, true), (true, false), (true, true)] {
            let count = &mut self.recoveries[recovery_index(recovered, with_publications)];
            metrics.client.add_recoveries(recovered, with_publications, mem::take(count));
        }
        mem::take(&mut self.totals).flush(metrics);
    }

    fn connection(&mut self, kind: ConnectionKind) -> &mut (ConnectionKind, u64, i64) {
        let at = self.connections.iter().position(|(known, ..)| *known == kind).unwrap_or_else(|| {
            self.connections.push((kind, 0, 0));
            self.connections.len() - 1
        });
        &mut self.connections[at]
    }
}

impl Totals {
    fn flush(self, metrics: &Metrics) {
        metrics.node.filtered.add(0, [EMPTY], self.filtered);
        let own = &metrics.own;
        for (counter, count) in [
            (&own.deliveries, self.deliveries),
            (&own.written, self.written),
            (&own.gaps_found, self.gaps_found),
            (&own.gaps_healed, self.gaps_healed),
            (&own.gaps_given_up, self.gaps_given_up),
            (&own.slow, self.slow),
        ] {
            counter.inc_by(count);
        }
    }
}

impl fmt::Debug for ShardCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShardCounters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: ConnectionKind =
        ConnectionKind { transport: Transport::WebSocket, has_name: false, has_version: false };

    fn shows(metrics: &Metrics, line: &str) -> bool {
        metrics.render().lines().any(|shown| shown == line)
    }

    #[test]
    fn nothing_is_seen_before_the_flush_and_nothing_is_added_twice() {
        let metrics = Metrics::new("1");
        let mut shard = ShardCounters::new(&metrics);
        shard.sent(Transport::WebSocket, FrameType::ServerPing, 2, 4);
        shard.delivered(2);
        shard.reply_error(Method::Rpc, 1_001);
        shard.command(Method::Rpc, Duration::from_millis(1));
        assert!(shows(&metrics, "flywheel_deliveries_total 0"));
        for _ in 0..2 {
            shard.flush(&metrics);
            let sent = "{channel_namespace=\"\",frame_type=\"server_ping\",transport=\"websocket\"}";
            assert!(shows(&metrics, &format!("centrifugo_transport_messages_sent{sent} 2")));
            assert!(shows(&metrics, &format!("centrifugo_transport_messages_sent_size{sent} 4")));
            assert!(shows(&metrics, "flywheel_deliveries_total 2"));
            let error = "{channel_namespace=\"\",code=\"1001\",method=\"rpc\"}";
            assert!(shows(&metrics, &format!("centrifugo_client_num_reply_errors{error} 1")));
            let count = "centrifugo_client_command_duration_seconds_histogram_count";
            assert!(shows(&metrics, &format!("{count}{{channel_namespace=\"\",method=\"rpc\"}} 1")));
        }
    }

    #[test]
    fn shards_add_up() {
        let metrics = Metrics::new("1");
        let mut shards = [ShardCounters::new(&metrics), ShardCounters::new(&metrics)];
        for shard in &mut shards {
            shard.connection_opened(KIND);
            shard.connection_opened(KIND);
            shard.subscription_opened(false);
            shard.flush(&metrics);
        }
        shards[0].connection_closed(KIND);
        shards[0].subscription_closed(false);
        shards[0].flush(&metrics);
        let labels = "{accept_protocol=\"\",client_name=\"unnamed\",client_version=\"unversioned\",transport=\"websocket\"}";
        assert!(shows(&metrics, &format!("centrifugo_client_connections_accepted{labels} 4")));
        assert!(shows(&metrics, &format!("centrifugo_client_connections_inflight{labels} 3")));
        let labels = "{channel_namespace=\"\",client_name=\"unnamed\"}";
        assert!(shows(&metrics, &format!("centrifugo_client_subscriptions_inflight{labels} 1")));
    }

    #[test]
    fn every_series_has_a_cell_of_its_own() {
        let metrics = Metrics::new("1");
        let mut shard = ShardCounters::new(&metrics);
        for transport in Transport::ALL {
            for frame_type in FrameType::ALL {
                shard.sent(*transport, *frame_type, 1, 1);
                shard.received(*transport, *frame_type, 1);
            }
            metrics.transport.closed(*transport, 3_000);
            for (has_name, has_version) in [(false, false), (false, true), (true, false), (true, true)] {
                shard.connection_opened(ConnectionKind { transport: *transport, has_name, has_version });
            }
        }
        for method in Method::ALL {
            shard.reply_error(*method, 100);
        }
        shard.flush(&metrics);
        let text = metrics.render();
        for (name, series) in [
            ("centrifugo_transport_messages_sent{", Transport::COUNT * FrameType::COUNT),
            ("centrifugo_transport_messages_received_size{", Transport::COUNT * FrameType::COUNT),
            ("centrifugo_transport_outgoing_close_count{", Transport::COUNT),
            ("centrifugo_client_connections_inflight{", Transport::COUNT * 4),
            ("centrifugo_client_num_reply_errors{", Method::COUNT),
        ] {
            let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
            assert_eq!(lines.len(), series, "{name}");
            assert!(lines.iter().all(|line| line.ends_with(" 1")), "{lines:?}");
        }
    }

    #[test]
    fn counters_can_be_given_to_another_thread() {
        fn check<T: Send>(_: &T) {}
        check(&ShardCounters::new(&Metrics::new("1")));
    }
}
