//! Hands what happens in channels to their subscribers on this shard.

use flywheel_protocol::client::Transport;

use super::Sessions;
use crate::Io;
use crate::labels::{event_labels, transport_label};

/// How often a turn looks for more to deliver.
const ROUNDS_PER_TURN: usize = 64;

impl Sessions {
    /// Delivers what has come for this shard's channels. What comes meanwhile is delivered in the same turn, so that a
    /// burst leaves in one write per client; but sockets and timers have their turn however much comes.
    pub(super) fn receive(&mut self, io: &mut Io) {
        for _ in 0..ROUNDS_PER_TURN {
            let mut events = std::mem::take(&mut self.events);
            self.parts.post.deliveries.drain(&mut events);
            if events.is_empty() {
                self.events = events;
                return;
            }
            let mut weight = 0;
            let mut effects = Vec::new();
            for event in events.drain(..) {
                weight += event.weight();
                let started = self.parts.node.clock().elapsed();
                let delivered = self.hub.deliver(io.now(), &self.settings, &event, &mut effects);
                let (kind, frame) = event_labels(&event.kind);
                for (transport, (messages, bytes)) in Transport::ALL.into_iter().zip(delivered.by_transport) {
                    if messages > 0 {
                        self.counters.sent(transport_label(transport), frame, messages, bytes);
                    }
                }
                self.counters.delivered(delivered.messages);
                self.counters.filtered(delivered.filtered);
                self.counters.broadcast(kind, self.parts.node.clock().elapsed().saturating_sub(started));
                self.parts.node.metrics().node.message_received(kind);
                io.make_room(&mut self.hub.outbox);
            }
            self.pending.extend(effects);
            self.parts.post.deliveries.release(weight);
            self.events = events;
        }
    }
}
