//! What a shard does in each turn of the reactor.

use std::time::Duration;

use flywheel_node::ShardCounts;
use flywheel_session::Session;

use super::Sessions;
use crate::Io;

const COUNTERS_EVERY: Duration = Duration::from_secs(1);

impl Sessions {
    /// All of it, in order.
    pub(super) fn take_turn(&mut self, io: &mut Io) {
        self.parts.post.pulse.beat(io.now().at);
        self.open_mail(io);
        self.depart(io);
        self.timers(io);
        self.receive(io);
        self.carry_out(io);
        self.heal(io);
        self.refresh_presence();
        if self.stopping.is_some() {
            // Also those that came while the listener was being closed.
            io.drop_unopened();
        }
        self.parts.post.set_counts(ShardCounts {
            clients: self.hub.len(),
            subscriptions: self.hub.routing().subscriptions(),
        });
        self.report(io);
    }

    /// Does what is due.
    fn timers(&mut self, io: &mut Io) {
        let now = io.now();
        let mut due = Vec::new();
        self.hub.wheel.expire(now.at, |key| due.push(key));
        for key in due {
            if !self.hub.is_current(key) {
                continue;
            }
            self.hub.timer_fired(key);
            self.with_session(io, key.slot, Session::handle_timeout);
            self.carry_out(io);
            self.hub.schedule(key.slot, now, &self.settings);
        }
    }

    /// Hands over what was counted, if that was a while ago.
    fn report(&mut self, io: &mut Io) {
        if io.now().at.since(self.counters_flushed) >= COUNTERS_EVERY {
            self.counters_flushed = io.now().at;
            self.counters.written(io.take_written());
            let metrics = self.parts.node.metrics();
            self.counters.flush(metrics);
            metrics.own.publications_dropped(self.parts.post.take_dropped());
            metrics.own.set_mailbox_bytes(self.parts.shard, self.parts.post.deliveries.bytes());
        }
    }
}
