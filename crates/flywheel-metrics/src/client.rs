use prometheus::HistogramVec;

use crate::cells::{CODE_CELLS, Cells, Counters, Gauges};
use crate::declare::{CALL, Declare, ROUND_TRIP};
use crate::labels::{EMPTY, Method, Transport};

pub(crate) const KINDS: usize = Transport::COUNT * 4;

/// How a connection is counted: by its transport and by what the client tells about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionKind {
    /// How it is connected.
    pub transport: Transport,
    /// Whether the client named its application; the name itself would make too many series.
    pub has_name: bool,
    /// Whether it told a version.
    pub has_version: bool,
}

impl ConnectionKind {
    pub(crate) fn index(self) -> usize {
        self.transport as usize * 4 + usize::from(self.has_name) * 2 + usize::from(self.has_version)
    }

    fn labels(self) -> [&'static str; 4] {
        let version = if self.has_version { "unregistered" } else { "unversioned" };
        [self.transport.as_str(), EMPTY, client_name(self.has_name), version]
    }
}

fn client_name(has_name: bool) -> &'static str {
    if has_name { "unregistered" } else { "unnamed" }
}

/// Metrics of clients and of what they ask for.
pub struct ClientMetrics {
    accepted: Counters,
    connections: Gauges,
    subscriptions: Gauges,
    pub(crate) commands: HistogramVec,
    reply_errors: Counters,
    unsubscribes: Counters,
    disconnects: Counters,
    recoveries: Counters,
    pub(crate) pings: HistogramVec,
}

impl ClientMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        let labels = &["transport", "accept_protocol", "client_name", "client_version"];
        let metrics = Self {
            accepted: Cells::new(
                declare.counters(
                    "centrifugo_client_connections_accepted",
                    labels,
                    "Clients that were let in.",
                ),
                KINDS,
            ),
            connections: Cells::new(
                declare.gauges(
                    "centrifugo_client_connections_inflight",
                    labels,
                    "Clients that are connected.",
                ),
                KINDS,
            ),
            subscriptions: Cells::new(
                declare.gauges(
                    "centrifugo_client_subscriptions_inflight",
                    &["client_name", "channel_namespace"],
                    "Subscriptions that clients have.",
                ),
                2,
            ),
            commands: declare.histograms(
                "centrifugo_client_command_duration_seconds_histogram",
                &["method", "channel_namespace"],
                CALL,
                "Time from a client's command to its reply.",
            ),
            reply_errors: Cells::new(
                declare.counters(
                    "centrifugo_client_num_reply_errors",
                    &["method", "code", "channel_namespace"],
                    "Commands answered with an error.",
                ),
                Method::COUNT * CODE_CELLS,
            ),
            unsubscribes: Cells::new(
                declare.counters(
                    "centrifugo_client_num_server_unsubscribes",
                    &["code", "channel_namespace"],
                    "Subscriptions ended by the server.",
                ),
                CODE_CELLS,
            ),
            disconnects: Cells::new(
                declare.counters(
                    "centrifugo_client_num_server_disconnects",
                    &["code"],
                    "Connections ended by the server.",
                ),
                CODE_CELLS,
            ),
            recoveries: Cells::new(
                declare.counters(
                    "centrifugo_client_recover",
                    &["recovered", "has_recovered_publications", "channel_namespace"],
                    "Attempts to catch up with a stream.",
                ),
                4,
            ),
            pings: declare.histograms(
                "centrifugo_client_ping_pong_duration_seconds",
                &["transport"],
                ROUND_TRIP,
                "Time from a ping to its pong.",
            ),
        };
        // Dashboards want every method from the start.
        for method in Method::ALL {
            metrics.commands.with_label_values(&[method.as_str(), EMPTY]);
        }
        metrics
    }

    /// A client ended by the server with this code.
    pub fn server_disconnect(&self, code: u32) {
        self.disconnects.of_code(0, code, |code| [code]).inc();
    }

    /// A subscription ended by the server with this code.
    pub fn server_unsubscribe(&self, code: u32) {
        self.unsubscribes.of_code(0, code, |code| [code, EMPTY.to_owned()]).inc();
    }

    pub(crate) fn add_connections(&self, kind: ConnectionKind, opened: u64, change: i64) {
        self.accepted.add(kind.index(), kind.labels(), opened);
        self.connections.at(kind.index(), kind.labels()).add(change);
    }

    pub(crate) fn add_subscriptions(&self, has_name: bool, change: i64) {
        if change != 0 {
            self.subscriptions.at(usize::from(has_name), [client_name(has_name), EMPTY]).add(change);
        }
    }

    pub(crate) fn add_reply_errors(&self, method: Method, code: u32, count: u64) {
        let labels = |code| [method.as_str().to_owned(), code, EMPTY.to_owned()];
        self.reply_errors.of_code(method as usize, code, labels).inc_by(count);
    }

    pub(crate) fn add_recoveries(&self, recovered: bool, with_publications: bool, count: u64) {
        let labels = [yes_or_no(recovered), yes_or_no(with_publications), EMPTY];
        self.recoveries.add(recovery_index(recovered, with_publications), labels, count);
    }
}

pub(crate) fn recovery_index(recovered: bool, with_publications: bool) -> usize {
    usize::from(recovered) * 2 + usize::from(with_publications)
}

fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}
