//! From the reply to the end of a subscription: live delivery, what waited for it, unsubscribe.
//!
//! Source: client protocol, sections 5.4 and 5.10.

use flywheel_model::{Channel, StreamPosition};
use flywheel_protocol::client::{Empty, Reply, ReplyBody, Request, ServerMessage, UnsubscribeRequest};

use crate::effect::{Effect, Failure, Tell, Turn};
use crate::refusal::Fault;
use crate::session::Session;
use crate::subscription::{Queued, State, SubKey, SubRef, Subscription};

impl Session {
    /// The connect reply is out: everything that was parked goes live, then the join events.
    pub(crate) fn release_connect_subscriptions(&mut self, turn: &mut Turn<'_>) {
        let mut released = Vec::new();
        for key in self.subs.keys() {
            let position = self
                .subs
                .get_mut(key)
                .and_then(Subscription::pending)
                .and_then(|pending| pending.parked.take());
            let sub = self.subs.reference(key);
            released.extend(self.flow(turn, sub, position).map(|(channel, queued)| (sub, channel, queued)));
        }
        for (sub, channel, queued) in released {
            self.announce(turn, sub);
            self.run_queued(turn, &channel, queued);
        }
    }

    /// The reply is queued: what was held back and continues the position follows it, then live delivery, then the
    /// join event, then the commands that waited.
    pub(crate) fn go_live(&mut self, turn: &mut Turn<'_>, sub: SubRef, position: Option<StreamPosition>) {
        if let Some((channel, queued)) = self.flow(turn, sub, position) {
            self.announce(turn, sub);
            self.run_queued(turn, &channel, queued);
        }
    }

    /// Delivers what was held back, and everything else from now on. Answers what else waited.
    fn flow(
        &mut self,
        turn: &mut Turn<'_>,
        sub: SubRef,
        position: Option<StreamPosition>,
    ) -> Option<(Channel, Vec<Queued>)> {
        let subscription = self.subs.find(sub)?;
        subscription.checked_at = turn.now.at;
        let state = std::mem::replace(&mut subscription.state, State::Live { position });
        let State::Subscribing(pending) = state else {
            subscription.state = state;
            return None;
        };
        let channel = subscription.channel.clone();
        self.schedule_upkeep(turn);
        let mut incomplete = pending.gapped;
        for held in pending.held_back {
            incomplete |= self.deliver_single(turn, sub.key, &held);
        }
        if incomplete && self.position(sub.key).is_some() {
            turn.effects.push(Effect::Heal(channel.clone()));
        }
        Some((channel, pending.queued))
    }

    /// Publishes the join event, unless the subscription has been lost again already.
    fn announce(&mut self, turn: &mut Turn<'_>, sub: SubRef) {
        let Some(subscription) =
            self.subs.find(sub).filter(|subscription| subscription.terms.emit_join_leave)
        else {
            return;
        };
        subscription.announced = true;
        let (channel, chan_info) = (subscription.channel.clone(), subscription.chan_info.clone());
        turn.tell(Tell::Join(channel, self.info(chan_info.as_deref())));
    }

    /// Does what waited for a subscription to be set up or to fail.
    pub(crate) fn run_queued(&mut self, turn: &mut Turn<'_>, channel: &Channel, queued: Vec<Queued>) {
        self.queued = self.queued.saturating_sub(u32::try_from(queued.len()).unwrap_or(u32::MAX));
        for waiting in queued {
            if !self.is_connected() {
                return;
            }
            match waiting {
                Queued::Command(id, request) => {
                    if let Err(failure) = self.dispatch(turn, id, request) {
                        self.fail(turn, id, failure);
                    }
                }
                Queued::Subscribe(request) => self.subscribe_by_server(turn, channel, *request),
                Queued::Unsubscribe(why) => self.unsubscribe_by_server(turn, channel.as_str(), why),
            }
        }
        self.continue_publishing(turn);
    }

    /// If the subscription is being set up, keeps something for afterwards.
    pub(crate) fn queue(&mut self, key: SubKey, waiting: impl FnOnce() -> Queued) -> bool {
        let Some(pending) = self.subs.get_mut(key).and_then(Subscription::pending) else {
            return false;
        };
        pending.queued.push(waiting());
        self.queued = self.queued.saturating_add(1);
        true
    }

    /// If the channel is being subscribed, keeps the command for afterwards.
    pub(crate) fn queue_behind_subscribe(
        &mut self,
        channel: &str,
        id: u32,
        request: impl FnOnce() -> Request,
    ) -> bool {
        self.subs.key_of(channel).is_some_and(|key| self.queue(key, || Queued::Command(id, request())))
    }

    pub(crate) fn unsubscribe(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: UnsubscribeRequest,
    ) -> Result<(), Failure> {
        if request.channel.is_empty() {
            return Err(turn.refuse("", Fault::NoName));
        }
        let channel = request.channel.clone();
        if self.queue_behind_subscribe(&channel, id, || Request::Unsubscribe(request)) {
            return Ok(());
        }
        turn.send(ServerMessage::Reply(Reply { id, body: ReplyBody::Unsubscribe(Empty {}) }));
        if let Some(key) = self.subs.key_of(&channel) {
            self.drop_subscription(turn, key);
        }
        Ok(())
    }

    /// Undoes whatever the subscription has come to: routing, presence, leave event.
    pub(crate) fn drop_subscription(&mut self, turn: &mut Turn<'_>, key: SubKey) {
        if let Some(subscription) = self.subs.remove(key) {
            self.undo(turn, key, &subscription);
        }
    }

    /// The same for all subscriptions.
    pub(crate) fn drop_subscriptions(&mut self, turn: &mut Turn<'_>) {
        let mut subs = std::mem::take(&mut self.subs);
        for key in subs.keys() {
            if let Some(subscription) = subs.remove(key) {
                self.undo(turn, key, &subscription);
            }
        }
    }

    fn undo(&self, turn: &mut Turn<'_>, key: SubKey, subscription: &Subscription) {
        let attached = match &subscription.state {
            State::Live { .. } => true,
            State::Subscribing(pending) => pending.attached,
        };
        let channel = &subscription.channel;
        if attached {
            turn.effects.push(Effect::Detach(key, channel.clone()));
            if subscription.terms.presence {
                turn.tell(Tell::RemovePresence(channel.clone(), self.greeting.client.to_string()));
            }
        }
        if subscription.announced {
            turn.tell(Tell::Leave(channel.clone(), self.info(subscription.chan_info.as_deref())));
        }
    }
}
