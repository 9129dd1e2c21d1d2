use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{Channel, StreamPosition, Timestamp};
use hashbrown::HashMap;

/// How long a key is remembered. Source: server API, section 3.3.
const WINDOW: Duration = Duration::from_mins(5);

/// Which publications were made under which key.
#[derive(Debug, Default)]
pub(super) struct Idempotency {
    made: HashMap<(Channel, Arc<str>), Option<StreamPosition>>,
    /// In the order of expiry.
    expiry: VecDeque<(Timestamp, (Channel, Arc<str>))>,
    weight: usize,
}

/// A publication that was made under a key.
pub(super) struct MadeBefore {
    /// Where in the stream; `None` past it.
    pub position: Option<StreamPosition>,
}

fn weight(key: &str) -> usize {
    key.len() + 128
}

impl Idempotency {
    /// The publication made under `key`, if one was.
    pub(super) fn find(&mut self, now: Timestamp, channel: &Channel, key: &str) -> Option<MadeBefore> {
        self.expire(now);
        let position = self.made.get(&(channel.clone(), Arc::from(key)))?;
        Some(MadeBefore { position: position.clone() })
    }

    pub(super) fn remember(
        &mut self,
        now: Timestamp,
        channel: &Channel,
        key: &str,
        position: Option<StreamPosition>,
    ) {
        let entry = (channel.clone(), Arc::from(key));
        self.weight += weight(key);
        self.expiry.push_back((now + WINDOW, entry.clone()));
        self.made.insert(entry, position);
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        while self.expiry.front().is_some_and(|(expires, _)| *expires <= now) {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest key. Answers whether there was one.
    pub(super) fn forget_oldest(&mut self) -> bool {
        let Some((_, entry)) = self.expiry.pop_front() else {
            return false;
        };
        self.weight -= weight(&entry.1);
        self.made.remove(&entry);
        true
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }
}
