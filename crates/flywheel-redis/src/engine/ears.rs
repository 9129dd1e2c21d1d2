use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flywheel_engine::{ControlSink, Sink};
use flywheel_metrics::RedisReading;
use flywheel_model::{Channel, ChannelEvent, ChannelEventKind, Epoch};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::gaps::Gaps;
use super::route::Router;
use crate::envelope::{self, Message};
use crate::subscriber::{Listener, Topic};

/// What of a stream was delivered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) epoch: Epoch,
    pub(super) offset: u64,
    /// See [`envelope::content_hash`].
    pub(super) hash: u64,
}

/// How far a stream got.
#[derive(Debug, Default)]
struct Known {
    delivered: Option<Delivered>,
    /// What was delivered last before there was reason to doubt that the stream is still the same. It is to be proven, also
    /// when more was delivered since.
    doubtful: Option<Delivered>,
}

impl Known {
    fn doubt(&mut self) {
        if self.doubtful.is_none() {
            self.doubtful.clone_from(&self.delivered);
        }
    }

    /// Takes in what is delivered next. Answers whether it does not follow on what was delivered before, in the same
    /// epoch: then something was lost, or the stream goes back to offsets that it gave out already.
    fn handle_delivery(&mut self, next: Delivered) -> bool {
        let is_odd = self
            .delivered
            .as_ref()
            .is_some_and(|last| last.epoch == next.epoch && next.offset != last.offset.saturating_add(1));
        if is_odd {
            self.doubt();
        }
        self.delivered = Some(next);
        is_odd
    }
}

/// Hears what is published, hands it over and remembers how far every stream got.
///
/// The lock guards that memory, which is written by the reader of one connection; nothing is taken under it.
pub(super) struct Ears {
    sink: Arc<dyn Sink>,
    control: Option<Arc<dyn ControlSink>>,
    router: Arc<dyn Router>,
    known: Mutex<HashMap<Channel, Known>>,
    pub(super) gaps: Gaps,
    malformed: AtomicU64,
    told: AtomicU64,
    forked: AtomicU64,
}

impl Ears {
    pub(super) fn new(
        sink: Arc<dyn Sink>,
        control: Option<Arc<dyn ControlSink>>,
        router: Arc<dyn Router>,
    ) -> Self {
        Self {
            sink,
            control,
            router,
            known: Mutex::default(),
            gaps: Gaps::default(),
            malformed: AtomicU64::new(0),
            told: AtomicU64::new(0),
            forked: AtomicU64::new(0),
        }
    }

    /// From now on it is remembered how far the channel's stream got.
    pub(super) fn remember(&self, channel: &Channel) {
        self.known.lock().entry_ref(channel).or_default();
    }

    /// Forgets it again, unless somebody came back before this was asked.
    pub(super) fn forget(&self, channel: &Channel) {
        if !self.sink.has_subscribers(channel) {
            self.known.lock().remove(channel);
        }
    }

    /// What has to be in the stream if it is still the same.
    pub(super) fn delivered(&self, channel: &Channel) -> Option<Delivered> {
        let known = self.known.lock();
        let known = known.get(channel)?;
        known.doubtful.clone().or_else(|| known.delivered.clone())
    }

    /// It was in the stream, or the stream has a new epoch.
    pub(super) fn handle_proof(&self, channel: &Channel, proven: &Delivered) {
        if let Some(known) = self.known.lock().get_mut(channel)
            && known.doubtful.as_ref() == Some(proven)
        {
            known.doubtful = None;
        }
    }

    /// Doubts the streams of the channels that `is_doubtful` names.
    pub(super) fn doubt(&self, is_doubtful: impl Fn(&Channel) -> bool) {
        let mut known = self.known.lock();
        for (channel, known) in known.iter_mut().filter(|(channel, _)| is_doubtful(channel)) {
            known.doubt();
            self.gaps.push(channel.clone());
        }
    }

    /// Tells everybody who keeps a position in the channel to look at the stream.
    pub(super) fn tell_gap(&self, channel: &Channel) {
        self.told.fetch_add(1, Ordering::Relaxed);
        self.sink.gap(channel);
    }

    /// A stream lacked what was delivered of it.
    pub(super) fn handle_fork(&self) {
        self.forked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, reading: &mut RedisReading) {
        reading.gaps = self.told.load(Ordering::Relaxed);
        reading.forked = self.forked.load(Ordering::Relaxed);
        reading.malformed = self.malformed.load(Ordering::Relaxed);
    }

    fn hear(&self, channel: &Channel, payload: &Bytes) {
        let kind = match envelope::message(payload) {
            Ok(Message::Publication { publication, epoch, previous, hash }) => {
                if publication.offset > 0
                    && let Some(known) = self.known.lock().get_mut(channel)
                    && known.handle_delivery(Delivered {
                        epoch: epoch.clone(),
                        offset: publication.offset,
                        hash,
                    })
                {
                    self.gaps.push(channel.clone());
                }
                ChannelEventKind::Publication(publication, epoch, previous)
            }
            Ok(Message::Join(info)) => ChannelEventKind::Join(Arc::new(info)),
            Ok(Message::Leave(info)) => ChannelEventKind::Leave(Arc::new(info)),
            Err(error) => {
                // Somebody else may publish there as much as he likes.
                if self.malformed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%channel, %error, "a message on Redis is not understood; further ones are only counted");
                }
                return;
            }
        };
        self.sink.deliver(ChannelEvent { channel: channel.clone(), kind });
    }
}

impl Listener for Ears {
    fn message(&self, topic: &Topic, payload: &Bytes) {
        match topic {
            Topic::Channel(channel) => self.hear(channel, payload),
            Topic::Control => {
                if let Some(control) = &self.control {
                    control.receive(payload);
                }
            }
            // Whoever listens hears its own.
            Topic::Probe => {}
        }
    }

    fn resumed(&self, topic: &Topic) {
        if let Topic::Channel(channel) = topic {
            if let Some(known) = self.known.lock().get_mut(channel) {
                known.doubt();
            }
            self.gaps.push(channel.clone());
        }
    }

    fn evicted(&self, _topic: &Topic) {
        self.router.look();
    }

    fn is_wanted(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Channel(channel) => self.sink.has_subscribers(channel),
            Topic::Control | Topic::Probe => true,
        }
    }
}
