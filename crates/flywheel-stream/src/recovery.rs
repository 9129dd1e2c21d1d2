use std::sync::Arc;

use flywheel_model::{Publication, RecoveryMode, StreamPosition};

use crate::{Filter, History, HistoryQuery};

/// A subscriber that wants what it missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRequest {
    /// All of it, or only the newest.
    pub mode: RecoveryMode,
    /// Position of the last publication it has processed.
    pub since: StreamPosition,
    /// Publications that one reply may carry.
    pub limit: usize,
}

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing is missing: these, in order, and then what is published next.
    Yes(Vec<Arc<Publication>>),
    /// Something is missing and cannot be had.
    No,
}

impl RecoveryRequest {
    /// What must be read to answer it, for a subscriber that wants everything or only what passes a filter. The epoch is
    /// judged by [`recover`](Self::recover), not by the read.
    pub fn query(&self, filtered: bool) -> HistoryQuery {
        match self.mode {
            // One more than the limit would tell nothing: the last one must be the top.
            RecoveryMode::Stream => {
                let since = StreamPosition { offset: self.since.offset, ..StreamPosition::default() };
                HistoryQuery::after(since, self.limit)
            }
            RecoveryMode::Cache => HistoryQuery::newest(if filtered { self.limit } else { 1 }),
        }
    }

    /// Judges what was read. What the filter leaves out is not sent, and nothing is missing because of it.
    ///
    /// Source: client protocol, sections 5.5 and 5.6.
    pub fn recover(&self, history: History, filter: Option<&Filter>) -> Recovered {
        let History { mut publications, top } = history;
        let wanted =
            |publication: &Arc<Publication>| filter.is_none_or(|filter| filter.admits(&publication.tags));
        let recovered = match self.mode {
            RecoveryMode::Stream => {
                let complete = match (publications.first(), publications.last()) {
                    (Some(first), Some(last)) => {
                        first.offset == self.since.offset.saturating_add(1) && last.offset == top.offset
                    }
                    _ => top.offset == self.since.offset,
                };
                publications.retain(wanted);
                complete && self.since.epoch.admits(&top.epoch)
            }
            RecoveryMode::Cache => {
                let same = self.since.offset > 0 && self.since == top;
                let latest = publications.first().map(|newest| newest.offset);
                publications.retain(wanted);
                publications.truncate(1);
                match latest.filter(|_| !publications.is_empty()) {
                    Some(_) if same => return Recovered::Yes(Vec::new()),
                    Some(latest) => latest == top.offset,
                    None => same,
                }
            }
        };
        if recovered { Recovered::Yes(publications) } else { Recovered::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_model::{Epoch, Payload};

    fn position(offset: u64, epoch: &str) -> StreamPosition {
        StreamPosition { offset, epoch: Epoch::from(epoch) }
    }

    fn history(offsets: &[u64], top: u64) -> History {
        let publication = |&offset| Arc::new(Publication { offset, ..Publication::of(Payload::from("1")) });
        History { publications: offsets.iter().map(publication).collect(), top: position(top, "e") }
    }

    fn check(mode: RecoveryMode, since: StreamPosition, read: History, expected: Option<&[u64]>) {
        check_filtered(mode, since, read, None, expected);
    }

    fn check_filtered(
        mode: RecoveryMode,
        since: StreamPosition,
        read: History,
        filter: Option<&Filter>,
        expected: Option<&[u64]>,
    ) {
        let request = RecoveryRequest { mode, since, limit: 3 };
        let case = format!("{request:?} of {read:?}");
        let recovered = match request.recover(read, filter) {
            Recovered::Yes(publications) => Some(publications.iter().map(|p| p.offset).collect::<Vec<_>>()),
            Recovered::No => None,
        };
        assert_eq!(recovered.as_deref(), expected, "{case}");
    }

    #[test]
    fn a_stream_is_recovered_only_without_a_hole_at_either_end() {
        let stream = RecoveryMode::Stream;
        check(stream, position(1, "e"), history(&[2, 3], 3), Some(&[2, 3]));
        check(stream, position(3, "e"), history(&[], 3), Some(&[]));
        check(stream, position(0, ""), history(&[1, 2], 2), Some(&[1, 2]));
        check(stream, position(0, ""), history(&[], 0), Some(&[]));
        check(stream, position(1, "x"), history(&[2, 3], 3), None);
        check(stream, position(1, "e"), history(&[3], 3), None);
        check(stream, position(1, "e"), history(&[2, 3, 4], 5), None);
        check(stream, position(77, "e"), history(&[], 5), None);
        check(stream, position(1, "e"), history(&[], 5), None);
        check(stream, position(u64::MAX, "e"), history(&[], 5), None);
    }

    #[test]
    fn a_cache_is_recovered_whenever_the_newest_is_there() {
        let cache = RecoveryMode::Cache;
        check(cache, position(0, ""), history(&[2], 2), Some(&[2]));
        check(cache, position(9, "alien"), history(&[2], 2), Some(&[2]));
        check(cache, position(2, "e"), history(&[2], 2), Some(&[]));
        check(cache, position(2, "e"), history(&[], 2), Some(&[]));
        check(cache, position(1, "e"), history(&[], 2), None);
        check(cache, position(0, ""), history(&[], 0), None);
        check(cache, position(0, ""), history(&[2], 3), None);
    }

    /// Admits publications whose tag `kind` is `odd`, which those with an odd offset have.
    fn odd() -> Filter {
        let view =
            |(): &()| crate::NodeView { op: "", key: "kind", cmp: "eq", val: "odd", vals: &[], nodes: &[] };
        Filter::new(&(), view).unwrap()
    }

    fn tagged(offsets: &[u64], top: u64) -> History {
        let mut history = history(offsets, top);
        for publication in &mut history.publications {
            let kind = if publication.offset % 2 == 1 { "odd" } else { "even" };
            Arc::make_mut(publication).tags.insert("kind".into(), kind.into());
        }
        history
    }

    #[test]
    fn what_a_filter_leaves_out_of_a_stream_still_counts_for_its_continuity() {
        let check =
            |since, read, expected| check_filtered(RecoveryMode::Stream, since, read, Some(&odd()), expected);
        check(position(1, "e"), tagged(&[2, 3, 4], 4), Some(&[3]));
        check(position(1, "e"), tagged(&[2], 2), Some(&[]));
        check(position(1, "e"), tagged(&[3, 4], 4), None);
        check(position(1, "e"), tagged(&[2, 3], 4), None);
    }

    #[test]
    fn of_a_cache_the_newest_that_passes_the_filter_is_sent() {
        let check =
            |since, read, expected| check_filtered(RecoveryMode::Cache, since, read, Some(&odd()), expected);
        check(position(0, ""), tagged(&[4, 3, 2], 4), Some(&[3]));
        check(position(4, "e"), tagged(&[4, 3, 2], 4), Some(&[]));
        check(position(0, ""), tagged(&[4, 3, 2], 5), None);
        check(position(0, ""), tagged(&[4], 4), None);
        check(position(4, "e"), tagged(&[4], 4), Some(&[]));
    }
}
