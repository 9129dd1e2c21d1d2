//! Live delivery: what a subscriber gets of what happens in its channel.
//!
//! Source: client protocol, sections 5.8 and 5.9.

use std::sync::Arc;

use flywheel_model::{ChannelEventKind, ClientId, Epoch, Publication};
use flywheel_protocol::client::{DataForm, Presence, PushBody, ServerMessage, UnsubscribePush};
use flywheel_protocol::{Disconnect, Unsubscribed};

use crate::effect::{Failure, Turn};
use crate::session::Session;
use crate::subscription::{State, SubKey, Subscription};

/// What to do with an event that reached a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliver {
    /// Queue the event's message, the same for every subscriber with this encoding and form.
    Yes,
    /// Likewise, with the payload whole in the form for subscriptions with delta.
    Whole,
    /// Likewise, with the payload as a patch against that of the publication before; whole if that is not shorter.
    Patch,
    /// Nothing: the subscriber does not want it.
    Filtered,
    /// Nothing yet: what comes before it is missing, and is to be read from the stream and delivered first. See
    /// [`Session::handle_healed`].
    Gap,
    /// Nothing.
    No,
}

impl Session {
    /// A publication reached the subscription. Answers whether and in which form the shared message is to be queued.
    ///
    /// `patchable`: whether the publication before it is known, so that a patch can be made.
    pub fn handle_publication(
        &mut self,
        turn: &mut Turn<'_>,
        key: SubKey,
        publication: &Arc<Publication>,
        epoch: &Epoch,
        patchable: bool,
    ) -> Deliver {
        let Some(subscription) = self.subs.get_mut(key) else {
            return Deliver::No;
        };
        match &mut subscription.state {
            State::Live { position: None } => subscription.intake.deliver(publication, epoch, patchable),
            // Outside the stream: it has no place and moves none.
            State::Live { .. } if publication.offset == 0 => {
                subscription.intake.deliver(publication, epoch, patchable)
            }
            State::Live { .. } => subscription.advance(turn.now.at, publication, epoch, patchable),
            State::Subscribing(_) => {
                let event = ChannelEventKind::Publication(Arc::clone(publication), epoch.clone(), None);
                self.hold_back(turn, key, event, publication.weight());
                Deliver::No
            }
        }
    }

    /// A client joined or left the channel. Answers whether the shared message is to be queued.
    pub fn handle_presence_event(
        &mut self,
        turn: &mut Turn<'_>,
        key: SubKey,
        event: &ChannelEventKind,
    ) -> Deliver {
        let Some(subscription) = self.subs.get(key) else {
            return Deliver::No;
        };
        // Nobody is told that he left, not even when he is back before the news is.
        if let ChannelEventKind::Leave(info) = event
            && ClientId::parse(&info.client) == Some(self.greeting.client)
        {
            return Deliver::No;
        }
        match &subscription.state {
            State::Live { .. } if subscription.terms.push_join_leave => Deliver::Yes,
            State::Subscribing(_) if subscription.terms.push_join_leave => {
                self.hold_back(turn, key, event.clone(), 256);
                Deliver::No
            }
            _ => Deliver::No,
        }
    }

    /// Keeps an event until the subscription is set up; what has no room ends the connection, as a queue does that
    /// the client does not read.
    fn hold_back(&mut self, turn: &mut Turn<'_>, key: SubKey, event: ChannelEventKind, weight: usize) {
        let Some(pending) = self.subs.get_mut(key).and_then(Subscription::pending) else {
            return;
        };
        pending.held_bytes += weight;
        pending.held_back.push(event);
        if pending.held_bytes > turn.settings.queue_bytes_max {
            self.close(turn, Disconnect::SLOW);
        }
    }

    /// Delivers an event to this subscription alone, as it does what was held back. Answers whether something before it
    /// is missing, so that it was not delivered.
    pub(crate) fn deliver_single(
        &mut self,
        turn: &mut Turn<'_>,
        key: SubKey,
        event: &ChannelEventKind,
    ) -> bool {
        let deliver = match event {
            // Held back without what came before it: whole, which is right at any time.
            ChannelEventKind::Publication(publication, epoch, _) => {
                self.handle_publication(turn, key, publication, epoch, false)
            }
            event => self.handle_presence_event(turn, key, event),
        };
        let form = match deliver {
            Deliver::Yes => DataForm::Plain,
            Deliver::Whole | Deliver::Patch => DataForm::Whole,
            Deliver::Filtered | Deliver::Gap | Deliver::No => return deliver == Deliver::Gap,
        };
        let Some(subscription) = self.subs.get(key) else {
            return false;
        };
        match self.event_body(event, form) {
            Ok(body) => turn.send(ServerMessage::push(subscription.channel.as_str(), body)),
            Err(_) => self.close(turn, Disconnect::INAPPROPRIATE_PROTOCOL),
        }
        false
    }

    fn event_body(&self, event: &ChannelEventKind, form: DataForm<'_>) -> Result<PushBody, Failure> {
        let encoding = self.encoding();
        Ok(match event {
            ChannelEventKind::Publication(publication, epoch, _) => {
                PushBody::Publication(Box::new(encoding.publication_in(form, publication, Some(epoch))?))
            }
            ChannelEventKind::Join(info) => {
                PushBody::Join(Presence { info: Some(encoding.client_info(info)?) })
            }
            ChannelEventKind::Leave(info) => {
                PushBody::Leave(Presence { info: Some(encoding.client_info(info)?) })
            }
        })
    }

    /// Something was missed and cannot be had any more: a client-side subscription starts over, a server-side one takes
    /// the connection with it.
    pub fn lose_position(&mut self, turn: &mut Turn<'_>, key: SubKey) {
        match self.subs.get(key) {
            Some(subscription) if subscription.server_side => {
                self.close(turn, Disconnect::INSUFFICIENT_STATE);
            }
            Some(_) => self.end_subscription(turn, key, Unsubscribed::INSUFFICIENT_STATE),
            None => {}
        }
    }

    /// Drops a subscription and tells the client why.
    pub(crate) fn end_subscription(&mut self, turn: &mut Turn<'_>, key: SubKey, why: Unsubscribed) {
        let Some(channel) = self.subs.get(key).map(|subscription| subscription.channel.clone()) else {
            return;
        };
        self.drop_subscription(turn, key);
        let body = PushBody::Unsubscribe(UnsubscribePush { code: why.code, reason: why.reason.to_owned() });
        turn.send(ServerMessage::push(channel.as_str(), body));
    }
}
