use std::time::Duration;

use flywheel_model::Timestamp;

/// What a node is to do with its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send them elsewhere.
    HandOver,
    /// Take clients again.
    TakeBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fit,
    Unfit { since: Timestamp },
    HandedOver,
}

/// Decides when a node that cannot serve sends its clients to others: after a while, only while another node can serve
/// them, and once for each time that it cannot.
#[derive(Debug, Clone)]
pub struct HandOver {
    after: Option<Duration>,
    state: State,
}

impl HandOver {
    /// After how long; `None` never.
    pub fn new(after: Option<Duration>) -> Self {
        Self { after, state: State::Fit }
    }

    /// Changes how long.
    pub fn set_after(&mut self, after: Option<Duration>) {
        self.after = after;
    }

    /// Decides, given whether this node can serve and whether another one can.
    pub fn evaluate(&mut self, now: Timestamp, fit: bool, elsewhere: bool) -> Option<Step> {
        match self.state {
            State::Fit if fit => None,
            State::Fit => {
                self.state = State::Unfit { since: now };
                self.evaluate(now, fit, elsewhere)
            }
            State::Unfit { .. } if fit => {
                self.state = State::Fit;
                None
            }
            State::Unfit { since } => {
                let due = self.after.is_some_and(|after| now.since(since) >= after) && elsewhere;
                due.then(|| {
                    self.state = State::HandedOver;
                    Step::HandOver
                })
            }
            State::HandedOver => fit.then(|| {
                self.state = State::Fit;
                Step::TakeBack
            }),
        }
    }

    /// Whether new clients are better served elsewhere: this node has handed its own over, and another one can serve.
    pub fn refuses(&self, elsewhere: bool) -> bool {
        self.state == State::HandedOver && elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: bool = true;
    const ELSEWHERE: bool = true;

    fn replay(after_ms: u64, steps: &[(u64, bool, bool, Option<Step>)]) {
        let after = Some(Duration::from_millis(after_ms)).filter(|after| !after.is_zero());
        let mut machine = HandOver::new(after);
        for (at, fit, elsewhere, expected) in steps {
            let step = machine.evaluate(Timestamp::from_millis(*at), *fit, *elsewhere);
            assert_eq!(step, *expected, "at {at} ms");
        }
    }

    #[test]
    fn clients_go_once_after_a_while_and_come_back_when_the_node_is_fit() {
        replay(
            1000,
            &[
                (0, FIT, ELSEWHERE, None),
                (100, !FIT, ELSEWHERE, None),
                (1099, !FIT, ELSEWHERE, None),
                (1100, !FIT, ELSEWHERE, Some(Step::HandOver)),
                (9000, !FIT, ELSEWHERE, None),
                (9100, FIT, ELSEWHERE, Some(Step::TakeBack)),
                (9200, !FIT, ELSEWHERE, None),
                (10_200, !FIT, ELSEWHERE, Some(Step::HandOver)),
            ],
        );
    }

    #[test]
    fn nobody_is_sent_away_while_there_is_nowhere_to_go() {
        replay(
            1000,
            &[
                (0, !FIT, !ELSEWHERE, None),
                (60_000, !FIT, !ELSEWHERE, None),
                (60_001, !FIT, ELSEWHERE, Some(Step::HandOver)),
            ],
        );
    }

    #[test]
    fn a_blip_starts_the_time_anew_and_without_a_time_nothing_happens() {
        replay(
            1000,
            &[
                (0, !FIT, ELSEWHERE, None),
                (900, FIT, ELSEWHERE, None),
                (1000, !FIT, ELSEWHERE, None),
                (1900, !FIT, ELSEWHERE, None),
            ],
        );
        replay(0, &[(0, !FIT, ELSEWHERE, None), (u64::MAX, !FIT, ELSEWHERE, None)]);
    }

    #[test]
    fn new_clients_are_refused_only_while_others_can_take_them() {
        let mut machine = HandOver::new(Some(Duration::ZERO));
        assert!(!machine.refuses(ELSEWHERE));
        machine.evaluate(Timestamp::ZERO, !FIT, ELSEWHERE);
        assert!(machine.refuses(ELSEWHERE) && !machine.refuses(!ELSEWHERE));
    }
}
