//! What happens again and again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flywheel_engine::Recipient;
use flywheel_metrics::Ignored;
use flywheel_protocol::control::{Body, Shutdown};

use super::Numbers;
use crate::Node;

/// Pings are looked after this many times per interval.
const LOOKS_PER_PING: u32 = 4;

impl Node {
    /// Joins the cluster: pings, hears others, answers them. Ends with the node's tasks.
    pub fn join_cluster(self: &Arc<Self>) {
        let Some(control) = self.cluster.control.clone() else {
            return;
        };
        let (pings, reader) = (Arc::downgrade(self), Arc::downgrade(self));
        self.parts.tasks.spawn_background(ping_for_ever(pings, control.timing.ping_every));
        let inbox = control.inbox;
        self.parts.tasks.spawn_background(async move {
            loop {
                let messages = inbox.take().await;
                let Some(node) = reader.upgrade() else {
                    return;
                };
                for message in messages {
                    node.receive(&message);
                }
                for _ in 0..inbox.take_dropped() {
                    node.parts.metrics.cluster.message_ignored(Ignored::NoRoom);
                }
            }
        });
    }

    /// Ends windows of metrics for `info`, for ever.
    pub fn measure_windows(self: &Arc<Self>, every: Duration) {
        let node = Arc::downgrade(self);
        if every.is_zero() {
            return;
        }
        self.parts.tasks.spawn_background(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let Some(node) = node.upgrade() else {
                    return;
                };
                let mut window = node.cluster.window.lock();
                let items = window.0.turn(&node.parts.metrics);
                window.1 = Some(Numbers { interval: every.as_secs_f64(), items });
            }
        });
    }

    /// Tells the others that this node leaves, so that they need not find out, and pings no more.
    pub async fn leave_cluster(&self) {
        self.cluster.left.store(true, Ordering::Relaxed);
        if let Err(error) = self.tell_nodes(Recipient::All, Body::Shutdown(Shutdown {})).await {
            tracing::info!(%error, "the other nodes will find out by themselves that this one left");
        }
    }

    /// Drops nodes that have fallen silent.
    fn drop_silent(&self) {
        let gone = self.cluster.view.lock().expire(self.clock().now().at);
        for uid in &gone {
            tracing::warn!(uid, "nothing was heard of a node for too long; it counts as gone");
            self.parts.metrics.cluster.node_lost();
            self.cluster.surveys.gone(uid);
        }
        if !gone.is_empty() {
            self.count_nodes();
        }
    }
}

async fn ping_for_ever(node: Weak<Node>, every: Duration) {
    let mut ticks = tokio::time::interval(every / LOOKS_PER_PING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut next_ping = flywheel_model::Timestamp::ZERO;
    let mut told = None;
    let mut sends = true;
    loop {
        ticks.tick().await;
        let Some(node) = node.upgrade() else {
            return;
        };
        if node.cluster.left.load(Ordering::Relaxed) {
            return;
        }
        node.drop_silent();
        let now = node.clock().now().at;
        if now < next_ping {
            continue;
        }
        next_ping = now + every;
        // Metrics are told once per window; whoever joins later is told with the greeting.
        let metrics = node.cluster.metrics();
        let with_metrics = metrics != told;
        let sent = node.tell_nodes(Recipient::All, node.ping(with_metrics)).await;
        match &sent {
            Ok(()) => {
                node.cluster.view.lock().handle_sent(now);
                told = metrics;
                if !std::mem::replace(&mut sends, true) {
                    tracing::info!("other nodes can be told again that this one is there");
                }
            }
            Err(error) => {
                if std::mem::replace(&mut sends, false) {
                    tracing::warn!(%error, "other nodes cannot be told that this one is there");
                }
            }
        }
    }
}
