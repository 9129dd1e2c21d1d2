use std::sync::atomic::Ordering;
use std::time::Duration;

use flywheel_membership::Finding;
use flywheel_model::Timestamp;
use flywheel_protocol::Disconnect;

use super::Judge;
use super::lines::{Line, Lines};
use crate::{Mail, Node};

/// Who wants the node to be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainedBy {
    /// A call of the server API, which may take it back.
    Api,
    /// The end of the process.
    Shutdown,
}

/// A drain that goes on.
#[derive(Debug)]
pub(super) struct Drain {
    by: DrainedBy,
    since: Timestamp,
    leave_at: Timestamp,
    left: bool,
}

impl Drain {
    pub(super) fn finding(&self) -> Finding {
        let reason = match self.by {
            DrainedBy::Api => "drained by the server API",
            DrainedBy::Shutdown => "shutting down",
        };
        let (name, reason) = ("drain".to_owned(), reason.to_owned());
        Finding { name, ok: false, reason, since: self.since, decided: true }
    }

    /// Whether clients are to be sent away now; `true` once.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let due = now >= self.leave_at && !self.left;
        self.left |= due;
        due
    }

    pub(super) fn has_left(&self) -> bool {
        self.left
    }
}

impl Node {
    /// Empties the node: it is not ready from now on; after the delay of the settings new clients are refused, and those
    /// who are here are sent elsewhere over the spread. Answers how long that takes. Again, it changes nothing. Does not
    /// wait for the log.
    pub fn drain(&self, by: DrainedBy) -> Duration {
        let mut judge = self.health.judge.lock();
        let now = self.clock().now().at;
        let Judge { settings, drain, lines, .. } = &mut *judge;
        let drain = drain.get_or_insert_with(|| {
            lines.note(Line::Drained(settings.delay));
            Drain { by, since: now, leave_at: now + settings.delay, left: false }
        });
        if by == DrainedBy::Shutdown {
            drain.by = by;
        }
        let takes = (drain.leave_at + settings.spread).since(now);
        self.look(&mut judge);
        takes
    }

    /// Takes back a drain that the server API asked for. Answers whether there was one. Does not wait for the log.
    pub fn undo_drain(&self) -> bool {
        let mut judge = self.health.judge.lock();
        let Some(drain) = judge.drain.take_if(|drain| drain.by == DrainedBy::Api) else {
            return false;
        };
        judge.lines.note(Line::DrainedNoMore);
        if drain.has_left() {
            self.let_clients_stay(&mut judge.lines);
        }
        self.look(&mut judge);
        true
    }

    /// Whether nobody is connected, as far as shards have said.
    pub fn is_empty_of_clients(&self) -> bool {
        self.posts().iter().all(|post| post.counts().clients == 0)
    }

    pub(super) fn send_clients_away(&self, lines: &mut Lines, disconnect: &Disconnect, spread: Duration) {
        // Shards ask this when somebody comes after their mail did.
        self.health.refuses.store(true, Ordering::Relaxed);
        self.parts.metrics.cluster.handed_over();
        self.tell_shards(lines, || Mail::Depart(disconnect.clone(), spread));
    }

    pub(super) fn let_clients_stay(&self, lines: &mut Lines) {
        self.tell_shards(lines, || Mail::Stay);
    }

    fn tell_shards(&self, lines: &mut Lines, mail: impl Fn() -> Mail) {
        for (shard, post) in self.posts().iter().enumerate() {
            if !post.try_send(mail()) {
                lines.note(Line::NoRoom(shard));
            }
        }
    }
}
