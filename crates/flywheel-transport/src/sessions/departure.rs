//! Sends the clients of a shard elsewhere.

use std::collections::VecDeque;
use std::time::Duration;

use flywheel_hub::ClientKey;
use flywheel_model::Timestamp;
use flywheel_protocol::Disconnect;

use super::Sessions;
use crate::Io;

/// The clients of a shard are sent away, evenly over a time.
#[derive(Debug)]
pub(super) struct Departure {
    /// What they are told.
    pub(super) disconnect: Disconnect,
    began: Timestamp,
    spread: Duration,
    clients: VecDeque<ClientKey>,
    count: u32,
}

impl Departure {
    /// These clients go, the first at once and the last before `spread` is over.
    pub(super) fn new(
        now: Timestamp,
        disconnect: Disconnect,
        spread: Duration,
        clients: impl IntoIterator<Item = ClientKey>,
    ) -> Self {
        let clients: VecDeque<_> = clients.into_iter().collect();
        let count = u32::try_from(clients.len()).unwrap_or(u32::MAX);
        Self { disconnect, began: now, spread, clients, count }
    }

    /// Takes the next client whose time has come.
    pub(super) fn next_due(&mut self, now: Timestamp) -> Option<ClientKey> {
        if now < self.due()? {
            return None;
        }
        self.clients.pop_front()
    }

    /// How long until the next client's time comes; `None` when all are gone.
    pub(super) fn idle(&self, now: Timestamp) -> Option<Duration> {
        Some(self.due()?.since(now))
    }

    fn due(&self) -> Option<Timestamp> {
        let left = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        let gone = self.count - left;
        (left > 0).then(|| self.began + self.spread.mul_f64(f64::from(gone) / f64::from(self.count)))
    }
}

impl Sessions {
    /// Sends those away whose time has come.
    pub(super) fn depart(&mut self, io: &mut Io) {
        while let Some(departure) = &mut self.departure
            && let Some(key) = departure.next_due(io.now().at)
        {
            let disconnect = departure.disconnect.clone();
            if self.hub.is_current(key) {
                self.with_session(io, key.slot, |session, turn| session.close(turn, disconnect));
                self.carry_out(io);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(clients: u32, spread_ms: u64) -> Departure {
        let keys = (0..clients).map(|slot| ClientKey { slot, generation: 0 });
        let spread = Duration::from_millis(spread_ms);
        Departure::new(Timestamp::from_millis(500), Disconnect::SHUTDOWN, spread, keys)
    }

    fn gone(departure: &mut Departure, at_ms: u64) -> usize {
        std::iter::from_fn(|| departure.next_due(Timestamp::from_millis(at_ms))).count()
    }

    #[test]
    fn clients_go_evenly_and_all_of_them_in_time() {
        let mut departure = departure(10, 1000);
        assert_eq!(gone(&mut departure, 500), 1, "the first at once");
        assert_eq!(departure.idle(Timestamp::from_millis(510)), Some(Duration::from_millis(90)));
        for (at, count) in [(599, 0), (600, 1), (1000, 4), (1399, 3), (1400, 1)] {
            assert_eq!(gone(&mut departure, at), count, "at {at} ms");
        }
        assert_eq!(departure.idle(Timestamp::from_millis(1400)), None);
    }

    #[test]
    fn without_a_spread_all_go_at_once_and_nobody_is_no_case_of_its_own() {
        assert_eq!(gone(&mut departure(1000, 0), 500), 1000);
        let mut nobody = departure(0, 1000);
        assert_eq!((gone(&mut nobody, 9000), nobody.idle(Timestamp::ZERO)), (0, None));
    }
}
