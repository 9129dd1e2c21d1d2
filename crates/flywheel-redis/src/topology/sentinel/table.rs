use std::collections::BTreeMap;
use std::time::Duration;

use flywheel_model::Timestamp;

use crate::link::Endpoint;

/// How old an answer may be and still count. Sentinels are asked twice a second.
const FRESH: Duration = Duration::from_secs(2);
/// For how long all Sentinels must agree on an older configuration while what we hold to be the primary does not serve,
/// before they are believed to have been set up anew.
const ANEW: Duration = Duration::from_secs(10);

/// The primary in the eyes of the Sentinels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Where it listens.
    pub primary: Endpoint,
    /// The configuration that made it the primary: grows with every failover.
    pub epoch: u64,
}

/// What each Sentinel said last, and what follows from it.
///
/// The configuration with the highest epoch wins; of several with the same epoch, the one that most Sentinels name. An
/// older one than was seen before is never followed, unless most Sentinels were themselves told to forget the newer one,
/// or all of them agree on it for long while the newer one does not serve.
#[derive(Debug, Clone, Default)]
pub struct SentinelTable {
    answers: BTreeMap<Endpoint, Answer>,
    /// Sentinels that there are, as far as is known.
    known: usize,
    chosen: Option<Chosen>,
    /// What was chosen before most Sentinels were told to forget it. Those that were not told yet do not count.
    forgotten: Option<Chosen>,
    /// Since when all name the same older configuration.
    older_since: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Answer {
    says: Chosen,
    at: Timestamp,
    /// The newest configuration that it named.
    highest: u64,
}

impl SentinelTable {
    /// Tells how many Sentinels there are.
    pub fn handle_known(&mut self, known: usize) {
        self.known = known;
    }

    /// Takes in what the Sentinel at `from` says at `now`. Answers the new choice when it is another primary than before.
    pub fn handle_answer(&mut self, now: Timestamp, from: &Endpoint, says: Chosen) -> Option<Chosen> {
        let before = self.answers.get(from).map_or(0, |answer| answer.highest);
        let highest = before.max(says.epoch);
        self.answers.insert(from.clone(), Answer { says, at: now, highest });
        if let Some(anew) = self.told_to_forget(now) {
            self.forgotten = self.chosen.take();
            for answer in self.answers.values_mut() {
                answer.highest = answer.says.epoch;
            }
            return self.choose(anew);
        }
        let best = self.best(now)?;
        let is_news = match &self.chosen {
            None => true,
            Some(chosen) => {
                best.epoch > chosen.epoch || (best.epoch == chosen.epoch && best.primary != chosen.primary)
            }
        };
        if is_news { self.choose(best) } else { None }
    }

    /// Tells at `now` whether the primary it chose serves. When it has not for a while, and all Sentinels agree on another
    /// one of an older epoch, they were set up anew: answers that choice then.
    pub fn handle_condition(&mut self, now: Timestamp, serves: bool) -> Option<Chosen> {
        let best = self.best(now).filter(|_| !serves);
        let older = best.filter(|best| self.chosen.as_ref().is_some_and(|chosen| best.epoch < chosen.epoch));
        let Some(older) = older.filter(|older| self.fresh(now).all(|answer| answer.says == *older)) else {
            self.older_since = None;
            return None;
        };
        if now.since(*self.older_since.get_or_insert(now)) < ANEW {
            return None;
        }
        self.choose(older)
    }

    /// The primary.
    pub fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    /// Sentinels whose answer still counts.
    pub fn answering(&self, now: Timestamp) -> usize {
        self.fresh(now).count()
    }

    fn choose(&mut self, choice: Chosen) -> Option<Chosen> {
        let has_moved = self.chosen.as_ref().is_none_or(|chosen| chosen.primary != choice.primary);
        self.chosen = Some(choice.clone());
        self.older_since = None;
        has_moved.then_some(choice)
    }

    fn fresh(&self, now: Timestamp) -> impl Iterator<Item = &Answer> {
        let counts = move |answer: &&Answer| {
            now.since(answer.at) <= FRESH && self.forgotten.as_ref() != Some(&answer.says)
        };
        self.answers.values().filter(counts)
    }

    /// What most Sentinels name since they were told to: it is older than what they named themselves before, which a
    /// Sentinel never does of its own accord.
    fn told_to_forget(&self, now: Timestamp) -> Option<Chosen> {
        let mut fallen = self.fresh(now).filter(|answer| answer.says.epoch < answer.highest);
        let first = fallen.next()?.says.clone();
        let agreeing = 1 + fallen.filter(|answer| answer.says == first).count();
        (2 * agreeing > self.known.max(self.answers.len())).then_some(first)
    }

    /// The best of the answers that count. The one that was chosen wins a tie.
    fn best(&self, now: Timestamp) -> Option<Chosen> {
        let epoch = self.fresh(now).map(|answer| answer.says.epoch).max()?;
        let mut votes = BTreeMap::<&Endpoint, usize>::new();
        for answer in self.fresh(now).filter(|answer| answer.says.epoch == epoch) {
            *votes.entry(&answer.says.primary).or_default() += 1;
        }
        let current = self.chosen.as_ref().map(|chosen| &chosen.primary);
        let (primary, _) =
            votes.into_iter().max_by_key(|(primary, votes)| (*votes, current == Some(*primary)))?;
        Some(Chosen { primary: primary.clone(), epoch })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(port: u16) -> Endpoint {
        Endpoint::tcp("h", port)
    }

    fn says(primary: u16, epoch: u64) -> Chosen {
        Chosen { primary: address(primary), epoch }
    }

    fn port(chosen: &Chosen) -> u16 {
        let Endpoint::Tcp { port, .. } = &chosen.primary else { panic!("it has a port") };
        *port
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Plays `(when, sentinel, primary, epoch)` and answers the primaries that were chosen, in order.
    fn play(answers: &[(u64, u16, u16, u64)]) -> Vec<u16> {
        let mut table = SentinelTable::default();
        let news = answers.iter().filter_map(|(when, sentinel, primary, epoch)| {
            table.handle_answer(at(*when), &address(*sentinel), says(*primary, *epoch))
        });
        news.map(|chosen| port(&chosen)).collect()
    }

    #[test]
    fn the_first_sentinel_that_knows_of_a_newer_configuration_is_enough() {
        assert_eq!(play(&[(0, 1, 10, 1), (0, 2, 10, 1), (0, 3, 10, 1), (500, 2, 20, 2)]), [10, 20]);
    }

    #[test]
    fn an_older_configuration_is_never_followed() {
        assert_eq!(play(&[(0, 1, 20, 2), (10, 2, 10, 1), (20, 3, 10, 1)]), [20]);
        // Not even when the one who knew of the newer one says nothing any more.
        assert_eq!(play(&[(0, 1, 20, 2), (60_000, 2, 10, 1), (60_010, 3, 10, 1), (90_000, 2, 10, 1)]), [20]);
    }

    #[test]
    fn the_majority_breaks_a_tie_and_what_was_chosen_wins_an_even_one() {
        assert_eq!(play(&[(0, 1, 10, 1), (1, 2, 20, 1), (2, 3, 20, 1)]), [10, 20]);
        assert_eq!(play(&[(0, 1, 10, 1), (1, 2, 20, 1)]), [10]);
        assert_eq!(play(&[(0, 1, 20, 1), (1, 2, 10, 1)]), [20]);
    }

    #[test]
    fn a_vote_that_was_not_repeated_does_not_count() {
        assert_eq!(play(&[(0, 1, 10, 1), (0, 2, 10, 1), (2_001, 3, 20, 1)]), [10, 20]);
    }

    #[test]
    fn a_newer_configuration_with_the_same_primary_is_no_news_but_raises_the_bar() {
        assert_eq!(play(&[(0, 1, 10, 1), (1, 1, 10, 5), (2, 2, 20, 4)]), [10]);
    }

    #[test]
    fn sentinels_that_were_set_up_anew_are_followed_when_all_agree_and_nothing_serves() {
        let mut table = SentinelTable::default();
        table.handle_answer(at(0), &address(9), says(10, 7));
        let mut news = Vec::new();
        for second in 1..=20 {
            let now = at(second * 1000);
            assert_eq!(table.handle_answer(now, &address(1), says(20, 0)), None);
            assert_eq!(table.handle_answer(now, &address(2), says(20, 0)), None);
            let serves = second < 5;
            news.extend(table.handle_condition(now, serves).map(|chosen| (second, port(&chosen))));
        }
        assert_eq!(news, [(15, 20)]);
        let mut table = SentinelTable::default();
        table.handle_answer(at(0), &address(9), says(10, 7));
        for second in 1..=60 {
            let now = at(second * 1000);
            table.handle_answer(now, &address(1), says(20, 0));
            table.handle_answer(now, &address(2), says(30, 0));
            assert_eq!(table.handle_condition(now, false), None, "they do not agree");
        }
    }

    #[test]
    fn sentinels_that_were_told_to_forget_are_followed_at_once_and_those_not_told_yet_are_not() {
        let forget = [
            (0, 1, 10, 7),
            (0, 2, 10, 7),
            (0, 3, 10, 7),
            (100, 1, 20, 0),
            (200, 2, 20, 0),
            (300, 3, 10, 7),
            (400, 1, 20, 0),
            (500, 3, 20, 0),
            (600, 3, 30, 1),
        ];
        assert_eq!(play(&forget[..4]), [10], "one alone may have lost its memory");
        assert_eq!(play(&forget), [10, 20, 30]);
    }

    proptest! {
        #[test]
        fn without_anybody_forgetting_the_epoch_never_falls(answers in prop::collection::vec((0_u64..4000, 0_u16..3, 10_u16..13, 0_u64..5), 0..60)) {
            let (mut table, mut now, mut highest) = (SentinelTable::default(), 0, None);
            let mut newest = [0; 3];
            for (after, sentinel, primary, epoch) in answers {
                now += after;
                let newest = &mut newest[usize::from(sentinel)];
                *newest = epoch.max(*newest);
                let epoch = *newest;
                table.handle_answer(at(now), &address(sentinel), says(primary, epoch));
                let chosen = table.chosen().map(|chosen| chosen.epoch);
                prop_assert!(chosen >= highest);
                prop_assert!(chosen >= Some(epoch));
                highest = chosen;
            }
        }
    }
}
