//! Writes commands.

use bytes::Bytes;
use flywheel_model::Timestamp;

use super::Channels;
use super::entry::State;
use super::in_flight::Kind;
use crate::resp::Command;

impl Channels {
    /// Appends commands to `out`, as many as may be under way. Answers whether there were any.
    pub(in crate::subscriber) fn write(&mut self, now: Timestamp, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        while self.in_flight.has_room() {
            // What is left comes first, so that a name that is wanted again is asked for after it was left.
            if self.write_batch(Kind::Unsubscribe, now, out) || self.write_batch(Kind::Subscribe, now, out) {
                continue;
            }
            break;
        }
        out.len() > before
    }

    fn write_batch(&mut self, kind: Kind, now: Timestamp, out: &mut Vec<u8>) -> bool {
        let (queue, before, after) = match kind {
            Kind::Subscribe => (&mut self.to_subscribe, State::Queued, State::Sent),
            _ => (&mut self.to_unsubscribe, State::Leaving, State::Leaving),
        };
        let limit = if kind == Kind::Subscribe && self.singly > 0 { 1 } else { self.rules.batch };
        let mut names = Vec::new();
        while names.len() < limit
            && let Some(name) = queue.pop_front()
        {
            if let Some(entry) = self.entries.get_mut(&name)
                && entry.state == before
            {
                entry.state = after;
                names.push(name);
            }
        }
        if names.is_empty() {
            return false;
        }
        if kind == Kind::Subscribe {
            self.singly = self.singly.saturating_sub(1);
        }
        let word = match (kind, self.rules.is_sharded) {
            (Kind::Subscribe, false) => "SUBSCRIBE",
            (Kind::Subscribe, true) => "SSUBSCRIBE",
            (_, false) => "UNSUBSCRIBE",
            (_, true) => "SUNSUBSCRIBE",
        };
        names.iter().fold(Command::new(word), Command::arg).write(out);
        self.in_flight.push(kind, names, now + self.rules.ack_timeout);
        true
    }

    /// Asks for a sign of life.
    pub(in crate::subscriber) fn write_ping(&mut self, nonce: Bytes, now: Timestamp, out: &mut Vec<u8>) {
        Command::new("PING").arg(&nonce).write(out);
        self.in_flight.push(Kind::Ping, vec![nonce], now + self.rules.ack_timeout);
    }
}
