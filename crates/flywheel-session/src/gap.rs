//! What a live subscription lacks of its stream, and how it is made good: the shard reads the missing part once for all
//! subscribers of the channel and hands it to each that lacks it.
//!
//! Positions make that safe to repeat: what a subscription has already it drops, what does not follow its position it
//! leaves for later.
//!
//! Source: client protocol, sections 5.8 and 5.9.

use std::sync::Arc;

use flywheel_model::{ChannelEventKind, Epoch, Publication, RecoveryMode, StreamPosition, Timestamp};

use crate::delivery::Deliver;
use crate::effect::Turn;
use crate::session::Session;
use crate::subscription::{State, SubKey, Subscription};

/// How a subscription compares with a stream that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has everything, or had when the stream was read.
    Complete,
    /// It lacks what follows this offset.
    Behind(u64),
    /// The stream began a new life, or ends before the subscription does.
    Elsewhere,
    /// As [`Elsewhere`](Self::Elsewhere), but the subscription moved after the question, so that the answer may be old.
    Unsure,
}

/// How an event relates to a position.
enum Place {
    Next,
    Old,
    Beyond,
}

/// `skips`: only the newest publication matters, so that nothing is missing before it.
fn place(position: &mut StreamPosition, offset: u64, epoch: &Epoch, skips: bool) -> Place {
    if position.epoch != *epoch {
        if !position.epoch.is_unknown() {
            return Place::Beyond;
        }
        position.epoch = epoch.clone();
    }
    if offset <= position.offset {
        Place::Old
    } else if skips || offset == position.offset + 1 {
        position.offset = offset;
        Place::Next
    } else {
        Place::Beyond
    }
}

impl Subscription {
    /// Whether nothing but the newest publication matters.
    fn skips(&self) -> bool {
        self.options.force_recovery_mode == RecoveryMode::Cache
    }

    /// Takes the publication if it is the next one of the stream.
    pub(crate) fn advance(
        &mut self,
        now: Timestamp,
        publication: &Publication,
        epoch: &Epoch,
        patchable: bool,
    ) -> Deliver {
        let skips = self.skips();
        let State::Live { position: Some(position) } = &mut self.state else {
            return Deliver::No;
        };
        match place(position, publication.offset, epoch, skips) {
            Place::Next => {
                self.checked_at = now;
                self.intake.deliver(publication, epoch, patchable)
            }
            Place::Old => Deliver::No,
            Place::Beyond => Deliver::Gap,
        }
    }
}

impl Session {
    /// The offset at which a live subscription with a position stands; `None` for every other.
    pub fn position(&self, key: SubKey) -> Option<u64> {
        match &self.subs.get(key)?.state {
            State::Live { position: Some(position) } => Some(position.offset),
            _ => None,
        }
    }

    /// A publication of the stream reached the subscription on the other way: read from history, or kept until what
    /// comes before it had been read. Subscriptions without a position are not concerned.
    pub fn handle_healed(
        &mut self,
        turn: &mut Turn<'_>,
        key: SubKey,
        publication: &Arc<Publication>,
        epoch: &Epoch,
        patchable: bool,
    ) -> Deliver {
        match self.subs.get_mut(key) {
            Some(subscription) => subscription.advance(turn.now.at, publication, epoch, patchable),
            None => Deliver::No,
        }
    }

    /// Compares with a stream that ended at `top` at some time after `asked_at`. `None` for subscriptions without a
    /// position.
    pub fn standing(&mut self, key: SubKey, top: &StreamPosition, asked_at: Timestamp) -> Option<Standing> {
        let subscription = self.subs.get_mut(key)?;
        let State::Live { position: Some(position) } = &mut subscription.state else {
            return None;
        };
        if position.epoch.is_unknown() {
            position.epoch = top.epoch.clone();
        }
        let elsewhere = position.epoch != top.epoch || position.offset > top.offset;
        Some(match position.offset {
            _ if elsewhere && subscription.checked_at < asked_at => Standing::Elsewhere,
            _ if elsewhere => Standing::Unsure,
            offset if offset < top.offset => Standing::Behind(offset),
            _ => Standing::Complete,
        })
    }

    /// What the stream was compared with says that nothing is missing.
    pub fn confirm_position(&mut self, turn: &Turn<'_>, key: SubKey) {
        if let Some(subscription) = self.subs.get_mut(key) {
            subscription.checked_at = turn.now.at;
        }
    }

    /// Whether the event cannot be delivered, because something that comes before it is missing.
    pub fn lacks_what_precedes(&self, key: SubKey, event: &ChannelEventKind) -> bool {
        let ChannelEventKind::Publication(publication, epoch, _) = event else {
            return false;
        };
        self.subs.get(key).is_some_and(|subscription| match &subscription.state {
            State::Live { position: Some(position) } => {
                let skips = subscription.skips();
                matches!(place(&mut position.clone(), publication.offset, epoch, skips), Place::Beyond)
            }
            _ => false,
        })
    }

    /// Something may be missing, and nobody could find out: the next look at the subscription compares it again.
    pub fn doubt_position(&mut self, key: SubKey) {
        if let Some(subscription) = self.subs.get_mut(key) {
            subscription.checked_at = Timestamp::ZERO;
        }
    }

    /// Events of the channel may have been lost. A subscription that is being set up may have read its history before
    /// that: it is compared once it is live.
    pub fn handle_gap(&mut self, key: SubKey) {
        if let Some(pending) = self.subs.get_mut(key).and_then(Subscription::pending) {
            pending.gapped = true;
        }
    }
}
