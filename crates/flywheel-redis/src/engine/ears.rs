use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flywheel_engine::{ControlSink, Sink};
use flywheel_model::{Channel, ChannelEvent, ChannelEventKind, Epoch};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::gaps::Gaps;
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

/// Hears what is published, hands it over and remembers how far every stream got.
///
/// The lock guards that memory, which is written by the reader of one connection; nothing is taken under it.
pub(super) struct Ears {
    sink: Arc<dyn Sink>,
    control: Option<Arc<dyn ControlSink>>,
    delivered: Mutex<HashMap<Channel, Option<Delivered>>>,
    pub(super) gaps: Gaps,
    /// The last probe that was heard.
    probe: watch::Sender<u64>,
    malformed: AtomicU64,
}

impl Ears {
    pub(super) fn new(sink: Arc<dyn Sink>, control: Option<Arc<dyn ControlSink>>) -> Self {
        Self {
            sink,
            control,
            delivered: Mutex::default(),
            gaps: Gaps::default(),
            probe: watch::Sender::new(0),
            malformed: AtomicU64::new(0),
        }
    }

    /// From now on it is remembered how far the channel's stream got.
    pub(super) fn remember(&self, channel: &Channel) {
        self.delivered.lock().entry_ref(channel).or_insert(None);
    }

    /// Forgets it again, unless somebody came back before this was asked.
    pub(super) fn forget(&self, channel: &Channel) {
        if !self.sink.has_subscribers(channel) {
            self.delivered.lock().remove(channel);
        }
    }

    pub(super) fn delivered(&self, channel: &Channel) -> Option<Delivered> {
        self.delivered.lock().get(channel).cloned().flatten()
    }

    /// Tells everybody who keeps a position in the channel to look at the stream.
    pub(super) fn tell_gap(&self, channel: &Channel) {
        self.sink.gap(channel);
    }

    /// Probes as they are heard.
    pub(super) fn probes(&self) -> watch::Receiver<u64> {
        self.probe.subscribe()
    }

    fn hear(&self, channel: &Channel, payload: &Bytes) {
        let kind = match envelope::message(payload) {
            Ok(Message::Publication { publication, epoch, previous, hash }) => {
                if publication.offset > 0
                    && let Some(delivered) = self.delivered.lock().get_mut(channel)
                {
                    *delivered = Some(Delivered { epoch: epoch.clone(), offset: publication.offset, hash });
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
            Topic::Probe => {
                let nonce =
                    std::str::from_utf8(payload).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
                if let Some(nonce) = nonce {
                    self.probe.send_replace(nonce);
                }
            }
        }
    }

    fn resumed(&self, topic: &Topic) {
        if let Topic::Channel(channel) = topic {
            self.gaps.push(channel.clone());
        }
    }

    fn evicted(&self, _topic: &Topic) {}

    fn is_wanted(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Channel(channel) => self.sink.has_subscribers(channel),
            Topic::Control | Topic::Probe => true,
        }
    }
}
