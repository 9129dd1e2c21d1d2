use std::time::Duration;

use flywheel_model::Timestamp;

use super::SentinelEvent;

/// How long writes are held at most. A promotion takes about a second; who promotes for longer has died on the way.
const HELD_MAX: Duration = Duration::from_secs(3);

/// Holds writes back while Sentinels make another server the primary.
///
/// From the moment at which a replica is told to be the primary until the old one learns of it, up to ten seconds later,
/// the old one acknowledges writes that it will discard. Calls wait inside their deadlines instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fence {
    until: Option<Timestamp>,
}

impl Fence {
    /// Takes in what a Sentinel said at `now`.
    pub fn handle_event(&mut self, now: Timestamp, event: SentinelEvent) {
        match event {
            SentinelEvent::Promoting if !self.is_held(now) => self.until = Some(now + HELD_MAX),
            SentinelEvent::Aborted => self.until = None,
            SentinelEvent::Promoting | SentinelEvent::Changed => {}
        }
    }

    /// The Sentinels name another primary: writes go there.
    pub fn handle_switch(&mut self) {
        self.until = None;
    }

    /// Whether writes wait.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// When it opens by itself, if it is held.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.until
    }

    /// Opens it when its time is up.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if !self.is_held(now) {
            self.until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn writes_wait_from_the_promotion_to_the_switch() {
        let mut fence = Fence::default();
        assert!(!fence.is_held(at(0)));
        fence.handle_event(at(10), SentinelEvent::Promoting);
        fence.handle_event(at(20), SentinelEvent::Changed);
        assert!(fence.is_held(at(1000)));
        fence.handle_switch();
        assert!(!fence.is_held(at(1000)));
    }

    #[test]
    fn an_aborted_promotion_opens_it() {
        let mut fence = Fence::default();
        fence.handle_event(at(10), SentinelEvent::Promoting);
        fence.handle_event(at(20), SentinelEvent::Aborted);
        assert!(!fence.is_held(at(21)));
    }

    #[test]
    fn it_is_held_for_three_seconds_at_most_however_often_the_event_comes() {
        let mut fence = Fence::default();
        fence.handle_event(at(0), SentinelEvent::Promoting);
        fence.handle_event(at(2_000), SentinelEvent::Promoting);
        assert_eq!(fence.poll_timeout(), Some(at(3_000)));
        assert!(fence.is_held(at(2_999)));
        assert!(!fence.is_held(at(3_000)));
        fence.handle_timeout(at(3_000));
        assert_eq!(fence.poll_timeout(), None);
        fence.handle_event(at(60_000), SentinelEvent::Promoting);
        assert!(fence.is_held(at(60_001)));
    }
}
