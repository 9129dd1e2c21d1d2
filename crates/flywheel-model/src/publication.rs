use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Channel, ClientInfo, Payload};

/// Which life of a stream: a short random text, never empty and never `_` when a server made it.
///
/// A client that has none yet sends the empty one, which matches every epoch.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// The epoch of a client that knows none.
    pub fn unknown() -> Self {
        Self("".into())
    }

    /// The text as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the empty one.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a client that claims this epoch can mean a stream of epoch `other`.
    pub fn admits(&self, other: &Self) -> bool {
        self.is_unknown() || self == other
    }

    /// An epoch of eight ASCII letters out of 64 random bits.
    pub fn from_random(mut random: u64) -> Self {
        const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let text: String = std::iter::repeat_with(|| {
            let letter = LETTERS[usize::try_from(random % 52).unwrap_or_default()];
            random /= 52;
            char::from(letter)
        })
        .take(8)
        .collect();
        Self(text.into())
    }
}

impl From<&str> for Epoch {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::unknown()
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Place in a stream. Offsets count from 1; 0 is before the first publication.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamPosition {
    /// Offset of the last publication seen.
    pub offset: u64,
    /// The life of the stream in which the offset means something.
    pub epoch: Epoch,
}

impl fmt::Display for StreamPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.offset, self.epoch.as_str())
    }
}

/// Short texts attached to a publication, for filters.
pub type Tags = BTreeMap<String, String>;

/// One message of a channel. Shared, never changed after it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Position in the stream; 0 when the channel has no history.
    pub offset: u64,
    /// The payload.
    pub data: Payload,
    /// The publisher, when a client connection published it.
    pub info: Option<Box<ClientInfo>>,
    /// Tags, mostly empty.
    pub tags: Tags,
}

impl Publication {
    /// A publication outside any stream, with neither publisher nor tags.
    pub fn of(data: Payload) -> Self {
        Self { offset: 0, data, info: None, tags: Tags::new() }
    }

    /// Roughly what it occupies in memory, in bytes, for bounds on queues and streams.
    pub fn weight(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(key, value)| key.len() + value.len() + 48).sum();
        let info = self.info.as_ref().map_or(0, |info| {
            let payloads = [&info.conn_info, &info.chan_info];
            160 + info.client.len()
                + payloads.iter().filter_map(|p| p.as_ref()).map(Payload::len).sum::<usize>()
        });
        size_of::<Self>() + self.data.len() + tags + info
    }
}

/// What happens in a channel, on its way from the broker to the subscribers of every shard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelEvent {
    /// Where it happens.
    pub channel: Channel,
    /// What happens.
    pub kind: ChannelEventKind,
}

/// See [`ChannelEvent`].
#[derive(Debug, Clone)]
pub enum ChannelEventKind {
    /// A publication, the epoch of the stream it belongs to (unknown without history), and the publication before it in
    /// the stream, when it was made with the delta option and the stream still had that one.
    Publication(Arc<Publication>, Epoch, Option<Arc<Publication>>),
    /// A client subscribed.
    Join(Arc<ClientInfo>),
    /// A client unsubscribed.
    Leave(Arc<ClientInfo>),
}

impl ChannelEvent {
    /// Roughly what it holds alive, in bytes.
    pub fn weight(&self) -> usize {
        match &self.kind {
            ChannelEventKind::Publication(publication, ..) => publication.weight(),
            ChannelEventKind::Join(_) | ChannelEventKind::Leave(_) => 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_eight_letters() {
        for random in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let epoch = Epoch::from_random(random);
            assert_eq!(epoch.as_str().len(), 8);
            assert!(epoch.as_str().bytes().all(|byte| byte.is_ascii_alphabetic()));
        }
    }

    #[test]
    fn only_the_unknown_epoch_admits_every_other() {
        assert!(Epoch::unknown().admits(&Epoch::from("a")));
        assert!(Epoch::from("a").admits(&Epoch::from("a")));
        assert!(!Epoch::from("_").admits(&Epoch::from("a")));
    }
}
