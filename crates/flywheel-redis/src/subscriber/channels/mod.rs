mod answers;
mod asking;
mod entry;
mod in_flight;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::Timestamp;
use hashbrown::HashMap;

use self::entry::{Entry, State};
use self::in_flight::{InFlight, Kind};
use super::{SubscriberSettings, Topic};

pub(super) use self::entry::Waiter;
pub(super) use self::in_flight::Fence;

/// What is wanted, what the server has acknowledged, and what it was asked for and has not answered: one connection's
/// subscriptions and, between connections, what the next one begins with.
#[derive(Debug)]
pub(super) struct Channels {
    entries: HashMap<Bytes, Entry>,
    /// To be asked for. A name may stand here although nobody wants it any more.
    to_subscribe: VecDeque<Bytes>,
    to_unsubscribe: VecDeque<Bytes>,
    in_flight: InFlight,
    /// When to see whether somebody came back, in order.
    lingering: VecDeque<(Timestamp, Bytes)>,
    rules: Rules,
    /// Names for one command at a time, after a command was refused because of one of its names.
    singly: usize,
}

/// The connection is in doubt, and to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Restart(pub(super) String);

/// What does not change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) is_sharded: bool,
    /// Names in one command.
    pub(super) batch: usize,
    pub(super) ack_timeout: Duration,
    pub(super) linger: Duration,
}

impl Rules {
    pub(super) fn of(settings: &SubscriberSettings) -> Self {
        Self {
            is_sharded: settings.is_sharded,
            batch: settings.batch.max(1),
            ack_timeout: settings.ack_timeout,
            linger: settings.linger,
        }
    }
}

impl Channels {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            entries: HashMap::new(),
            to_subscribe: VecDeque::new(),
            to_unsubscribe: VecDeque::new(),
            in_flight: InFlight::default(),
            lingering: VecDeque::new(),
            rules,
            singly: 0,
        }
    }

    /// What a message with this name is about; `None` when nobody asked for it.
    pub(super) fn topic(&self, name: &[u8]) -> Option<&Topic> {
        self.entries.get(name).map(|entry| &entry.topic)
    }

    /// How many are known.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Wants a channel; `waiter` hears when the server has acknowledged it.
    pub(super) fn want(&mut self, name: Bytes, topic: Topic, waiter: Option<Waiter>) {
        let entry = self.entries.entry(name.clone()).or_insert_with(|| Entry::new(topic));
        entry.wanted = true;
        entry.lingers_until = None;
        if entry.state == State::Refused {
            entry.state = State::Queued;
            if entry.is_urgent() {
                self.to_subscribe.push_front(name);
            } else {
                self.to_subscribe.push_back(name);
            }
        }
        entry.waiters.retain(|waiter| !waiter.is_closed());
        match waiter {
            Some(waiter) if entry.state == State::Active => drop(waiter.send(Ok(()))),
            Some(waiter) => entry.waiters.push(waiter),
            None => {}
        }
    }

    /// Nobody wants the channel now. After a while it is given up, if nobody has come back.
    pub(super) fn unwant(&mut self, name: &Bytes, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(name)
            && entry.wanted
        {
            let until = now + self.rules.linger;
            entry.lingers_until = Some(until);
            self.lingering.push_back((until, name.clone()));
        }
    }

    /// Gives up what has lingered long enough, except where `is_used` says that somebody came back.
    pub(super) fn expire(&mut self, now: Timestamp, is_used: impl Fn(&Topic) -> bool) {
        while self.lingering.front().is_some_and(|(until, _)| *until <= now) {
            let Some((until, name)) = self.lingering.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            if entry.lingers_until != Some(until) {
                continue;
            }
            entry.lingers_until = None;
            if is_used(&entry.topic) {
                continue;
            }
            entry.wanted = false;
            match entry.state {
                State::Active => {
                    entry.state = State::Leaving;
                    self.to_unsubscribe.push_back(name);
                }
                State::Queued | State::Refused => drop(self.entries.remove(&name)),
                State::Sent | State::Leaving => {}
            }
        }
    }

    /// When [`expire`](Self::expire) or [`check`](Self::check) is next due.
    pub(super) fn due(&self) -> Timestamp {
        let lingering = self.lingering.front().map_or(Timestamp::NEVER, |(until, _)| *until);
        lingering.min(self.in_flight.due())
    }

    /// There is a new connection: everything that is wanted is to be asked for again.
    pub(super) fn connected(&mut self) {
        self.in_flight.clear();
        self.to_unsubscribe.clear();
        self.singly = 0;
        self.entries.retain(|_, entry| {
            entry.was_active |= matches!(entry.state, State::Active | State::Leaving);
            entry.state = State::Queued;
            entry.wanted
        });
        let (urgent, others): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|(_, entry)| entry.is_urgent());
        self.to_subscribe = urgent.into_iter().chain(others).map(|(name, _)| name.clone()).collect();
    }

    /// Whether a sign of life was asked for and has not come.
    pub(super) fn pings(&self) -> bool {
        self.in_flight.has(Kind::Ping)
    }

    /// Whether the server owes an answer.
    pub(super) fn owed(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// `fence` hears of the answer to a sign of life that is yet to be asked for: the server answers in order.
    pub(super) fn fence(&mut self, fence: Fence) {
        self.in_flight.fence(fence);
    }

    /// Whether somebody waits for a sign of life to be asked for.
    pub(super) fn is_fenced(&self) -> bool {
        self.in_flight.is_fenced()
    }

    /// Whether every answer that is due has come in time; the error has the time by which one is late.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), (Restart, Duration)> {
        self.in_flight.check(now)
    }
}
