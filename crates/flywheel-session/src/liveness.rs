use std::time::Duration;

use flywheel_model::Timestamp;

use crate::Settings;

/// Pings and the pongs they ask for.
///
/// Source: client protocol, section 3.4.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Liveness {
    ping_at: Timestamp,
    /// When the outstanding ping must have been answered; never, when pongs are not asked for.
    pong_by: Option<Timestamp>,
    ping_sent: Timestamp,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    NoPong,
}

impl Liveness {
    /// No pings, for a client that has not connected.
    pub(crate) const OFF: Self =
        Self { ping_at: Timestamp::NEVER, pong_by: None, ping_sent: Timestamp::ZERO };

    /// The first ping comes after a delay in [interval/2, interval), chosen by `random`, so that clients that
    /// connected together are not pinged together.
    pub(crate) fn start(now: Timestamp, settings: &Settings, random: u64) -> Self {
        let Some(interval) = settings.ping_interval else {
            return Self::OFF;
        };
        let half = u64::try_from(interval.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        let delay = Duration::from_millis(half + random % half);
        Self { ping_at: now + delay, ..Self::OFF }
    }

    /// A pong came. How long it took; `None` if there was no ping to answer.
    pub(crate) fn pong(&mut self, now: Timestamp) -> Option<Duration> {
        self.pong_by.take().map(|_| now.since(self.ping_sent))
    }

    pub(crate) fn due(&mut self, now: Timestamp, settings: &Settings) -> Due {
        if self.pong_by.is_some_and(|deadline| deadline <= now) {
            return Due::NoPong;
        }
        if self.ping_at > now {
            return Due::Nothing;
        }
        let Some(interval) = settings.ping_interval else {
            *self = Self::OFF;
            return Due::Nothing;
        };
        self.ping_at = now + interval;
        self.ping_sent = now;
        // A client that owes a pong and is pinged again keeps the earlier deadline.
        self.pong_by =
            self.pong_by.or(Some(settings.pong_timeout.map_or(Timestamp::NEVER, |timeout| now + timeout)));
        Due::Ping
    }

    pub(crate) fn next(&self) -> Timestamp {
        self.pong_by.map_or(self.ping_at, |deadline| deadline.min(self.ping_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_first_ping_is_spread_over_the_second_half_of_the_interval() {
        let settings = Settings::default();
        for random in [0, 1, 12_499, 12_500, u64::MAX] {
            let first = Liveness::start(at(0), &settings, random).next();
            assert!(at(12_500) <= first && first < at(25_000), "{first:?}");
        }
    }

    #[test]
    fn a_ping_wants_exactly_one_pong_in_time() {
        let settings = Settings::default();
        let mut liveness = Liveness::start(at(0), &settings, 0);
        assert_eq!(liveness.pong(at(1)), None);
        assert_eq!(liveness.due(at(12_500), &settings), Due::Ping);
        assert_eq!(liveness.next(), at(20_500));
        assert_eq!(liveness.pong(at(12_510)), Some(Duration::from_millis(10)));
        assert_eq!(liveness.pong(at(12_511)), None);
        assert_eq!(liveness.next(), at(37_500));
        assert_eq!(liveness.due(at(37_500), &settings), Due::Ping);
        assert_eq!(liveness.due(at(45_499), &settings), Due::Nothing);
        assert_eq!(liveness.due(at(45_500), &settings), Due::NoPong);
    }

    #[test]
    fn a_pong_that_nobody_waits_for_is_still_allowed_once() {
        let settings = Settings { pong_timeout: None, ..Settings::default() };
        let mut liveness = Liveness::start(at(0), &settings, 0);
        assert_eq!(liveness.due(at(12_500), &settings), Due::Ping);
        assert_eq!(liveness.due(at(37_500), &settings), Due::Ping);
        assert_eq!(liveness.next(), at(62_500));
        assert!(liveness.pong(at(37_501)).is_some());
        assert_eq!(liveness.pong(at(37_502)), None);
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let settings = Settings { ping_interval: None, ..Settings::default() };
        assert_eq!(Liveness::start(at(0), &settings, 7).next(), Timestamp::NEVER);
    }
}
