//! Closing gaps: what a channel's subscribers lack is read once for all of them.
//!
//! A gap belongs to the channel, not to a subscriber: whatever was lost on the way here, all of them lack. What arrives
//! meanwhile goes to those who can take it, and is held back for the others. Nothing is delivered twice, because every
//! subscriber knows its position.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{Channel, ChannelEvent, ChannelEventKind, Now, Timestamp};
use flywheel_session::{Session, Settings, Standing, Turn};
use flywheel_stream::History;

use super::{Delivered, Hub, Pending, Way};
use crate::heals::{HealId, HealRead, PAGE};
use crate::routing::Subscriber;

/// What came of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Healed {
    /// Subscriptions that lacked something and have everything again.
    pub subscriptions: u64,
    /// How far what was delivered spread.
    pub delivered: Delivered,
}

/// A stream as it was read.
struct Read<'h> {
    /// The offset after which was read.
    since: u64,
    asked_at: Timestamp,
    history: &'h History,
    /// Where the part ends that was handed on.
    end: u64,
}

impl Hub {
    /// Something of the channel may be missing: its stream is to be compared with every subscription that has a
    /// position.
    pub fn heal(&mut self, now: Now, settings: &Settings, channel: &Channel) {
        let mut positioned = false;
        self.each_subscriber(now, settings, channel, &mut Vec::new(), |session, _, subscriber| match session
            .position(subscriber.sub)
        {
            Some(_) => positioned = true,
            None => session.handle_gap(subscriber.sub),
        });
        if positioned {
            self.heals.begin(now.at, channel).again = true;
        }
    }

    /// The next question that a healing has. The answer is to be given to [`healed`](Self::healed).
    pub fn poll_heal(&mut self, now: Now) -> Option<HealRead> {
        while let Some(channel) = self.heals.next_queued() {
            if let Some(since) = self.lowest_position(&channel) {
                return self.heals.ask(now.at, &channel, since);
            }
            // Whoever lacked something is gone.
            self.heals.end(&channel);
        }
        None
    }

    /// A question of [`poll_heal`](Self::poll_heal) was answered; `None` when it could not be. What sessions want done
    /// because of it is added to `effects`.
    pub fn healed(
        &mut self,
        now: Now,
        settings: &Settings,
        channel: &Channel,
        heal: HealId,
        history: Option<&History>,
        effects: &mut Vec<Pending>,
    ) -> Healed {
        let Some((since, asked_at)) = self.heals.answered(channel, heal) else {
            return Healed::default();
        };
        let mut healed = Healed::default();
        let (mut finished, mut progress) = (false, false);
        if let Some(history) = history {
            let end = history.top.offset;
            let mut read = Read { since, asked_at, history, end };
            self.note_lacking(channel, &read);
            let delivered = self.hand_on(now, settings, channel, &mut read, effects);
            finished = self.judge(now, settings, channel, &read, effects);
            let (replayed, left) = self.replay(now, settings, channel, effects);
            finished &= !left;
            healed.delivered = delivered.and(replayed);
            progress = healed.delivered.messages + healed.delivered.filtered > 0;
        }
        let again = self.heals.get(channel).is_some_and(|heal| heal.again);
        if finished && !again {
            let lacking = self.heals.end(channel).map_or(0, |heal| heal.lacking.len());
            healed.subscriptions = lacking as u64;
        } else if !self.heals.ask_again(now.at, channel, progress || again) {
            self.give_up(now, settings, channel, effects);
        }
        healed
    }

    /// Gives up what has taken too long, and lets the others ask again.
    pub fn expire_heals(&mut self, now: Now, settings: &Settings, effects: &mut Vec<Pending>) {
        for channel in self.heals.expire(now.at) {
            self.give_up(now, settings, &channel, effects);
        }
    }

    /// How long neither a client nor a healing needs the time, at most; `None` if there is nothing to wait for.
    pub fn idle(&self, now: Timestamp) -> Option<Duration> {
        [self.wheel.idle(now), self.heals.idle(now)].into_iter().flatten().min()
    }

    /// Number of channels being healed.
    pub fn healing(&self) -> usize {
        self.heals.len()
    }

    /// Bytes held back until what comes before them has been read.
    pub fn held_bytes(&self) -> usize {
        self.heals.held_bytes()
    }

    /// Holds an event back that came with something missing before it.
    pub(super) fn hold_back(
        &mut self,
        now: Now,
        settings: &Settings,
        event: &ChannelEvent,
        effects: &mut Vec<Pending>,
    ) {
        if !self.heals.hold(now.at, event, settings.queue_bytes_max) {
            self.give_up(now, settings, &event.channel, effects);
        }
    }

    /// Who lacks something is counted, whatever becomes of it.
    fn note_lacking(&mut self, channel: &Channel, read: &Read<'_>) {
        let Self { clients, routing, heals, .. } = self;
        let Some(heal) = heals.get_mut(channel) else {
            return;
        };
        let top = &read.history.top;
        heal.read = Some((top.clone(), read.asked_at));
        for subscriber in routing.subscribers(channel) {
            let client = clients.get_mut(subscriber.slot as usize).and_then(Option::as_deref_mut);
            let standing =
                client.and_then(|client| client.session.standing(subscriber.sub, top, read.asked_at));
            if matches!(standing, Some(Standing::Behind(_))) {
                heal.lacking.insert(*subscriber);
            }
        }
    }

    /// Delivers what was read, at most as much as may wait for the next flush.
    fn hand_on(
        &mut self,
        now: Now,
        settings: &Settings,
        channel: &Channel,
        read: &mut Read<'_>,
        effects: &mut Vec<Pending>,
    ) -> Delivered {
        let mut all = Delivered::default();
        let publications = &read.history.publications;
        if publications.len() >= PAGE {
            read.end = publications.last().map_or(read.end, |last| last.offset);
        }
        for publication in publications {
            let epoch = read.history.top.epoch.clone();
            let kind = ChannelEventKind::Publication(Arc::clone(publication), epoch, None);
            let event = ChannelEvent { channel: channel.clone(), kind };
            let (delivered, _) = self.spread(now, settings, &event, Way::Healed, effects);
            all = all.and(delivered);
            if self.outbox.is_full() {
                read.end = publication.offset;
                break;
            }
        }
        all
    }

    /// Compares everybody with what was handed on. Whoever does not get further by another read has lost its position.
    /// Answers whether nothing is left to be read.
    fn judge(
        &mut self,
        now: Now,
        settings: &Settings,
        channel: &Channel,
        read: &Read<'_>,
        effects: &mut Vec<Pending>,
    ) -> bool {
        let (mut finished, mut lost) = (true, Vec::new());
        let top = &read.history.top;
        self.each_subscriber(now, settings, channel, effects, |session, turn, subscriber| {
            match session.standing(subscriber.sub, top, read.asked_at) {
                Some(Standing::Complete) => session.confirm_position(turn, subscriber.sub),
                Some(Standing::Unsure) => finished = false,
                Some(Standing::Behind(offset)) if offset < read.since || offset >= read.end => {
                    finished = false;
                }
                Some(Standing::Behind(_) | Standing::Elsewhere) => {
                    session.lose_position(turn, subscriber.sub);
                    lost.push(subscriber);
                }
                None => {}
            }
        });
        if let Some(heal) = self.heals.get_mut(channel) {
            lost.iter().for_each(|subscriber| {
                heal.lacking.remove(subscriber);
            });
        }
        finished
    }

    /// Tries again to deliver what was held back. Answers whether some of it still does not follow.
    fn replay(
        &mut self,
        now: Now,
        settings: &Settings,
        channel: &Channel,
        effects: &mut Vec<Pending>,
    ) -> (Delivered, bool) {
        let mut all = Delivered::default();
        let mut left = VecDeque::new();
        for event in self.heals.take_held(channel) {
            let (delivered, gap) = self.spread(now, settings, &event, Way::Healed, effects);
            all = all.and(delivered);
            if gap {
                left.push_back(event);
            }
        }
        let unfinished = !left.is_empty();
        self.heals.put_back(channel, left);
        (all, unfinished)
    }

    /// The gap cannot be closed: whoever is known to lack something has lost its position. Where nothing is known, the
    /// sessions look again at their next round.
    fn give_up(&mut self, now: Now, settings: &Settings, channel: &Channel, effects: &mut Vec<Pending>) {
        let Some(heal) = self.heals.end(channel) else {
            return;
        };
        self.each_subscriber(now, settings, channel, effects, |session, turn, Subscriber { sub, .. }| {
            let behind = heal.read.as_ref().is_some_and(|(top, asked_at)| {
                let standing = session.standing(sub, top, *asked_at);
                matches!(standing, Some(Standing::Behind(_) | Standing::Elsewhere))
            });
            if behind || heal.held.iter().any(|event| session.lacks_what_precedes(sub, &event.kind)) {
                session.lose_position(turn, sub);
            } else {
                session.doubt_position(sub);
            }
        });
    }

    /// The offset of the live subscription with a position that is furthest behind.
    fn lowest_position(&self, channel: &Channel) -> Option<u64> {
        let subscribers = self.routing.subscribers(channel).iter();
        subscribers.filter_map(|one| self.get(one.slot)?.session.position(one.sub)).min()
    }

    fn each_subscriber(
        &mut self,
        now: Now,
        settings: &Settings,
        channel: &Channel,
        effects: &mut Vec<Pending>,
        mut act: impl FnMut(&mut Session, &mut Turn<'_>, Subscriber),
    ) {
        let Self { clients, routing, scratch, .. } = self;
        for subscriber in routing.subscribers(channel) {
            if let Some(client) = clients.get_mut(subscriber.slot as usize).and_then(Option::as_deref_mut) {
                let mut turn = Turn { now, settings, queued: 0, effects: scratch };
                act(&mut client.session, &mut turn, *subscriber);
                effects.extend(turn.effects.drain(..).map(|effect| (subscriber.slot, effect)));
            }
        }
    }
}
