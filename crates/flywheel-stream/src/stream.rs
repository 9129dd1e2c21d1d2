use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{Epoch, Publication, StreamPosition, Timestamp};

use crate::{History, HistoryQuery, Unrecoverable};

/// How much a stream keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Publications.
    pub size: usize,
    /// Age of publications.
    pub ttl: Duration,
    /// How long epoch and top outlive the last publication.
    pub meta_ttl: Duration,
}

/// Which state of a document a publication carries. Publications that are not newer are dropped.
///
/// Source: server API, section 3.4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// Grows; 0 means unversioned.
    pub number: u64,
    /// Versions of different epochs are unrelated. Empty compares with every epoch.
    pub epoch: String,
}

impl Version {
    fn is_superseded_by(&self, stored: &Self) -> bool {
        (self.epoch.is_empty() || self.epoch == stored.epoch) && self.number <= stored.number
    }
}

/// What came of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    /// It is in the stream now.
    Appended(Arc<Publication>),
    /// A newer version is stored: nothing changed.
    Superseded,
}

#[derive(Debug)]
struct Entry {
    publication: Arc<Publication>,
    expires: Timestamp,
}

/// The bounded history of one channel. Offsets count 1, 2, 3 and survive trimming, expiry and removal.
#[derive(Debug)]
pub struct Stream {
    epoch: Epoch,
    top: u64,
    entries: VecDeque<Entry>,
    weight: usize,
    version: Option<Version>,
    forgotten_at: Timestamp,
}

impl Stream {
    /// A stream that never had a publication, in its life called `epoch`.
    pub fn new(epoch: Epoch, now: Timestamp, meta_ttl: Duration) -> Self {
        Self {
            epoch,
            top: 0,
            entries: VecDeque::new(),
            weight: 0,
            version: None,
            forgotten_at: now + meta_ttl,
        }
    }

    /// Position of the last publication ever made.
    pub fn position(&self) -> StreamPosition {
        StreamPosition { offset: self.top, epoch: self.epoch.clone() }
    }

    /// The last publication made, if it is still there.
    pub fn newest(&self) -> Option<&Arc<Publication>> {
        self.entries.back().map(|entry| &entry.publication)
    }

    /// Roughly the memory of the publications it holds, in bytes.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// When even the position may be forgotten.
    pub fn forgotten_at(&self) -> Timestamp {
        self.forgotten_at
    }

    /// Puts off the day on which the position may be forgotten.
    pub fn touch(&mut self, now: Timestamp, meta_ttl: Duration) {
        self.forgotten_at = self.forgotten_at.max(now + meta_ttl);
    }

    /// Gives `publication` the next offset and keeps it, unless `version` says that it is old.
    pub fn append(
        &mut self,
        now: Timestamp,
        mut publication: Publication,
        version: Option<Version>,
        retention: Retention,
    ) -> Append {
        if let (Some(version), Some(stored)) = (&version, &self.version)
            && version.is_superseded_by(stored)
        {
            return Append::Superseded;
        }
        if version.is_some() {
            self.version = version;
        }
        self.top += 1;
        publication.offset = self.top;
        self.weight += publication.weight();
        let publication = Arc::new(publication);
        self.entries.push_back(Entry { publication: Arc::clone(&publication), expires: now + retention.ttl });
        while self.entries.len() > retention.size {
            self.drop_oldest();
        }
        self.touch(now, retention.meta_ttl);
        Append::Appended(publication)
    }

    /// Drops publications whose time is up.
    pub fn expire(&mut self, now: Timestamp) {
        while self.entries.front().is_some_and(|entry| entry.expires <= now) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest publications until the rest weighs at most `weight` bytes.
    pub fn shrink_to(&mut self, weight: usize) {
        while self.weight > weight {
            self.drop_oldest();
        }
    }

    /// Drops every publication; position and version stay.
    pub fn clear(&mut self) {
        self.entries = VecDeque::new();
        self.weight = 0;
    }

    /// Reads the stream as it is at `now`.
    ///
    /// # Errors
    /// [`Unrecoverable`] when the query's epoch is another one.
    pub fn read(&mut self, now: Timestamp, query: &HistoryQuery) -> Result<History, Unrecoverable> {
        if query.since.as_ref().is_some_and(|since| !since.epoch.admits(&self.epoch)) {
            return Err(Unrecoverable);
        }
        self.expire(now);
        let limit = query.limit.unwrap_or(usize::MAX);
        // Entries are consecutive and end at the top, so a position is an index.
        let first = self.top - self.entries.len() as u64 + 1;
        let index = |offset: u64| usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
        let publications = if query.reverse {
            let end = query.since.as_ref().map_or(self.entries.len(), |since| index(since.offset));
            self.entries.range(..end.min(self.entries.len())).rev().take(limit).map(Entry::share).collect()
        } else {
            let start = query.since.as_ref().map_or(0, |since| index(since.offset.saturating_add(1)));
            self.entries.range(start.min(self.entries.len())..).take(limit).map(Entry::share).collect()
        };
        Ok(History { publications, top: self.position() })
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.weight -= entry.publication.weight();
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }
}

impl Entry {
    fn share(&self) -> Arc<Publication> {
        Arc::clone(&self.publication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flywheel_model::Payload;

    const KEEP: Retention =
        Retention { size: 3, ttl: Duration::from_secs(10), meta_ttl: Duration::from_secs(100) };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn publication() -> Publication {
        Publication::of(Payload::from("1"))
    }

    fn filled(count: u64) -> Stream {
        let mut stream = Stream::new(Epoch::from("e"), at(0), KEEP.meta_ttl);
        for _ in 0..count {
            stream.append(at(0), publication(), None, KEEP);
        }
        stream
    }

    fn offsets(stream: &mut Stream, since: Option<u64>, limit: Option<usize>, reverse: bool) -> Vec<u64> {
        let since = since.map(|offset| StreamPosition { offset, epoch: Epoch::from("e") });
        let history = stream.read(at(1), &HistoryQuery { limit, since, reverse }).unwrap();
        history.publications.iter().map(|publication| publication.offset).collect()
    }

    #[test]
    fn offsets_count_from_one_and_the_newest_are_kept() {
        assert_eq!(offsets(&mut filled(0), None, None, false), [0u64; 0]);
        assert_eq!(offsets(&mut filled(2), None, None, false), [1, 2]);
        assert_eq!(offsets(&mut filled(5), None, None, false), [3, 4, 5]);
        assert_eq!(offsets(&mut filled(5), None, Some(2), true), [5, 4]);
        assert_eq!(offsets(&mut filled(5), None, Some(0), false), [0u64; 0]);
    }

    #[test]
    fn reading_since_a_position_excludes_it() {
        let cases: [(u64, bool, &[u64]); 8] = [
            (0, false, &[3, 4, 5]),
            (3, false, &[4, 5]),
            (5, false, &[]),
            (77, false, &[]),
            (u64::MAX, false, &[]),
            (5, true, &[4, 3]),
            (3, true, &[]),
            (77, true, &[5, 4, 3]),
        ];
        for (since, reverse, expected) in cases {
            assert_eq!(
                offsets(&mut filled(5), Some(since), None, reverse),
                expected,
                "since {since} {reverse}"
            );
        }
    }

    #[test]
    fn a_foreign_epoch_is_refused_and_the_unknown_one_is_not() {
        let mut stream = filled(1);
        let query = |epoch: &str| HistoryQuery {
            since: Some(StreamPosition { offset: 0, epoch: epoch.into() }),
            ..HistoryQuery::default()
        };
        assert_eq!(stream.read(at(0), &query("x")), Err(Unrecoverable));
        assert!(stream.read(at(0), &query("")).is_ok());
    }

    #[test]
    fn expiry_and_clearing_keep_the_position_and_release_the_weight() {
        let mut stream = filled(3);
        stream.append(at(5), publication(), None, KEEP);
        assert!(stream.weight() > 0);
        stream.expire(at(10));
        assert_eq!(offsets(&mut stream, None, None, false), [4]);
        stream.clear();
        assert_eq!((stream.weight(), stream.position().offset), (0, 4));
        stream.append(at(5), publication(), None, KEEP);
        assert_eq!(offsets(&mut stream, None, None, false), [5]);
    }

    #[test]
    fn an_old_version_changes_nothing_and_an_unversioned_publication_keeps_the_stored_one() {
        let mut stream = filled(0);
        let version = |number, epoch: &str| Some(Version { number, epoch: epoch.into() });
        assert!(matches!(stream.append(at(0), publication(), version(2, "a"), KEEP), Append::Appended(_)));
        assert!(matches!(stream.append(at(0), publication(), None, KEEP), Append::Appended(_)));
        assert_eq!(stream.append(at(0), publication(), version(2, "a"), KEEP), Append::Superseded);
        assert_eq!(stream.append(at(0), publication(), version(1, ""), KEEP), Append::Superseded);
        assert!(matches!(stream.append(at(0), publication(), version(1, "b"), KEEP), Append::Appended(_)));
        assert_eq!(stream.position().offset, 3);
    }
}
