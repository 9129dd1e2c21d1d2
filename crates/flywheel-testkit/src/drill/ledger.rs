use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::Accepted;

/// One thing that a subscriber saw in a channel.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A publication, live or recovered.
    Publication {
        /// The number the publisher gave it.
        id: u64,
        /// Epoch of the subscription it came in.
        epoch: String,
        /// Its offset.
        offset: u64,
        /// When.
        at: Instant,
    },
    /// The server said that the subscriber may have missed something.
    Told(Told),
}

/// Where a subscriber stands after it was told that it may have missed something, or when it began.
#[derive(Clone, Debug)]
pub struct Told {
    /// Epoch from here on.
    pub epoch: String,
    /// What comes next has the offset after this one.
    pub offset: u64,
}

/// What one subscriber saw in one channel, in order. It begins with where it stood.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Names the subscriber.
    pub name: String,
    /// The channel.
    pub channel: String,
    /// In order.
    pub seen: Vec<Seen>,
}

/// A stream as it is kept at the end, read past the nodes' memory.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Its epoch.
    pub epoch: String,
    /// Numbers of the publications by offset.
    pub entries: BTreeMap<u64, u64>,
}

/// What was promised and did not hold, in words; empty when everything did.
///
/// - Between two admissions of a loss a subscriber sees consecutive offsets, and nothing twice ever.
/// - What it saw and the stream does not keep at that place was admitted to it afterwards.
/// - At the end it has everything that the stream keeps behind the last admission.
/// - A publication that was accepted after `settled` is kept, at the position the publisher was told.
pub fn judge(
    accepted: &[Accepted],
    witnesses: &[Witness],
    kept: &BTreeMap<String, Kept>,
    settled: impl Fn(Instant) -> bool,
) -> Vec<String> {
    let mut broken = Vec::new();
    for witness in witnesses {
        let nothing = Kept::default();
        let stream = kept.get(&witness.channel).unwrap_or(&nothing);
        broken.extend(
            one(witness, stream)
                .into_iter()
                .map(|what| format!("{} in {}: {what}", witness.name, witness.channel)),
        );
    }
    for publication in accepted.iter().filter(|publication| settled(publication.asked)) {
        let found = kept.get(&publication.channel).is_some_and(|stream| {
            stream.epoch == publication.epoch
                && stream.entries.get(&publication.offset) == Some(&publication.id)
        });
        if !found {
            broken.push(format!(
                "publication {} was accepted in {} at {}:{} and is not there",
                publication.id, publication.channel, publication.epoch, publication.offset
            ));
        }
    }
    broken
}

fn one(witness: &Witness, kept: &Kept) -> Vec<String> {
    let mut broken = Vec::new();
    let mut position: Option<(String, u64)> = None;
    let mut ids = BTreeSet::new();
    // Seen, not kept, and not admitted yet.
    let mut deceived = Vec::new();
    for seen in &witness.seen {
        match seen {
            Seen::Told(told) => {
                position = Some((told.epoch.clone(), told.offset));
                deceived.clear();
            }
            Seen::Publication { id, epoch, offset, .. } => {
                if let Some((known, last)) = &position
                    && (known != epoch || last + 1 != *offset)
                {
                    broken.push(format!("{epoch}:{offset} came after {known}:{last} without a word"));
                }
                if !ids.insert(*id) {
                    broken.push(format!("publication {id} came twice, the second time at {epoch}:{offset}"));
                }
                if kept.epoch != *epoch || kept.entries.get(offset) != Some(id) {
                    deceived.push(format!(
                        "publication {id} came at {epoch}:{offset}, is not kept, and nobody said so"
                    ));
                }
                position = Some((epoch.clone(), *offset));
            }
        }
    }
    broken.append(&mut deceived);
    let top = kept.entries.keys().next_back().copied().unwrap_or(0);
    match position {
        Some((epoch, offset)) if epoch == kept.epoch && offset >= top => {}
        Some((epoch, offset)) => {
            broken.push(format!("stands at {epoch}:{offset}, the stream ends at {}:{top}", kept.epoch));
        }
        None => broken.push("never subscribed".to_owned()),
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(epoch: &str, offset: u64) -> Seen {
        Seen::Told(Told { epoch: epoch.to_owned(), offset })
    }

    fn saw(epoch: &str, offset: u64, id: u64) -> Seen {
        Seen::Publication { id, epoch: epoch.to_owned(), offset, at: Instant::now() }
    }

    fn verdict(seen: Vec<Seen>, entries: &[(u64, u64)]) -> Vec<String> {
        let witness = Witness { name: "s".to_owned(), channel: "c".to_owned(), seen };
        let kept = Kept { epoch: "e".to_owned(), entries: entries.iter().copied().collect() };
        judge(&[], &[witness], &BTreeMap::from([("c".to_owned(), kept)]), |_| true)
    }

    #[test]
    fn a_complete_sequence_is_fine() {
        assert!(
            verdict(vec![told("e", 0), saw("e", 1, 10), saw("e", 2, 11)], &[(1, 10), (2, 11)]).is_empty()
        );
    }

    #[test]
    fn a_hole_a_repetition_and_a_missing_end_are_noticed() {
        let entries = [(1, 10), (2, 11), (3, 12)];
        assert_eq!(verdict(vec![told("e", 0), saw("e", 1, 10), saw("e", 3, 12)], &entries).len(), 1);
        assert_eq!(
            verdict(
                vec![told("e", 0), saw("e", 1, 10), saw("e", 2, 11), saw("e", 2, 11), saw("e", 3, 12)],
                &entries
            )
            .len(),
            2,
            "twice, and out of order"
        );
        assert_eq!(verdict(vec![told("e", 0), saw("e", 1, 10)], &entries).len(), 1);
        assert_eq!(verdict(vec![], &entries).len(), 1);
    }

    #[test]
    fn a_hole_that_was_admitted_is_fine() {
        let entries = [(1, 10), (2, 11), (3, 12)];
        assert!(
            verdict(vec![told("e", 0), saw("e", 1, 10), told("e", 2), saw("e", 3, 12)], &entries).is_empty()
        );
    }

    #[test]
    fn what_was_discarded_must_be_admitted() {
        let discarded = vec![told("e", 0), saw("e", 1, 10), saw("e", 2, 66)];
        assert_eq!(verdict(discarded.clone(), &[(1, 10), (2, 11)]).len(), 1);
        let mut admitted = discarded;
        admitted.push(told("e", 2));
        assert!(verdict(admitted, &[(1, 10), (2, 11)]).is_empty());
    }

    #[test]
    fn what_was_accepted_must_be_kept_once_things_have_settled() {
        let accepted = Accepted {
            id: 10,
            channel: "c".to_owned(),
            epoch: "e".to_owned(),
            offset: 1,
            node: 0,
            asked: Instant::now(),
            at: Instant::now(),
        };
        let kept = |id| Kept { epoch: "e".to_owned(), entries: BTreeMap::from([(1, id)]) };
        let check = |id, settled| {
            let streams = BTreeMap::from([("c".to_owned(), kept(id))]);
            judge(std::slice::from_ref(&accepted), &[], &streams, |_| settled).len()
        };
        assert_eq!((check(10, true), check(11, true), check(11, false)), (0, 1, 0));
    }
}
