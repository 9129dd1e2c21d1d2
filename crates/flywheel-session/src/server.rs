//! What the server API does to a connection.
//!
//! Source: server API, sections 2.3 to 2.6.

use flywheel_model::{Channel, Payload, StreamPosition, SubscribeGrant, UnixSeconds};
use flywheel_protocol::client::{PushBody, RefreshPush, ServerMessage, SubscribePush};
use flywheel_protocol::{Disconnect, Unsubscribed};

use crate::effect::{Failure, Tell, Turn};
use crate::session::{Session, ttl};
use crate::subscription::{Origin, Queued, State, Wishes};

/// A subscription that the server API asks for.
#[derive(Debug, Clone, Default)]
pub struct ServerSubscribe {
    /// What it carries, and option overrides.
    pub grant: SubscribeGrant,
    /// Where to recover from, if recovery is on.
    pub recover_since: Option<StreamPosition>,
}

impl Session {
    /// Subscribes the connection to a channel whose namespace exists. A channel that it has already is announced again
    /// and counts as server-side from then on; one that is on its way, once it is set up.
    pub fn subscribe_by_server(&mut self, turn: &mut Turn<'_>, channel: &Channel, request: ServerSubscribe) {
        if !self.is_connected() {
            return;
        }
        if let Some(key) = self.subs.key_of(channel.as_str()) {
            return self.announce_again(turn, key, request);
        }
        if self.subs.len() >= turn.settings.channel_limit {
            return self.close(turn, Disconnect::CHANNEL_LIMIT);
        }
        let Ok(options) = turn.settings.rules.options(channel.as_str()).cloned() else {
            return;
        };
        let wishes = Wishes { recover: request.recover_since, ..Wishes::default() };
        let sub = self.reserve(channel.clone(), options, Origin::Server, wishes);
        if let Err(failure) = self.start(turn, sub, request.grant) {
            self.drop_subscription(turn, sub.key);
            self.server_subscription_failed(turn, failure);
        }
    }

    fn announce_again(&mut self, turn: &mut Turn<'_>, key: crate::SubKey, request: ServerSubscribe) {
        let encoding = self.encoding();
        let Some(subscription) = self.subs.get_mut(key) else {
            return;
        };
        let State::Live { position } = &subscription.state else {
            self.queue(key, || Queued::Subscribe(Box::new(request)));
            return;
        };
        if request.grant.expire_at.is_some_and(|moment| moment <= turn.now.unix()) {
            return;
        }
        let position = position.clone().unwrap_or_default();
        let (channel, terms) = (subscription.channel.clone(), subscription.terms);
        subscription.server_side = true;
        subscription.expire_at = request.grant.expire_at;
        if let Some(info) = request.grant.info {
            subscription.chan_info = Some(Box::new(info));
        }
        subscription.announced |= terms.emit_join_leave;
        let chan_info = subscription.chan_info.clone();
        self.schedule_upkeep(turn);
        let Ok(data) = encoding.optional_payload(request.grant.data.as_ref()) else {
            return self.close(turn, Disconnect::INAPPROPRIATE_PROTOCOL);
        };
        let push = SubscribePush {
            recoverable: terms.recoverable,
            epoch: position.epoch.as_str().to_owned(),
            offset: position.offset,
            positioned: terms.positioned,
            data,
        };
        if terms.presence {
            turn.tell(Tell::AddPresence(channel.clone(), self.info(chan_info.as_deref())));
        }
        turn.send(ServerMessage::push(channel.as_str(), PushBody::Subscribe(push)));
        if terms.emit_join_leave {
            turn.tell(Tell::Join(channel, self.info(chan_info.as_deref())));
        }
    }

    /// There is nobody to reply to: what would disconnect does, an error leaves the connection as it was.
    pub(crate) fn server_subscription_failed(&mut self, turn: &mut Turn<'_>, failure: Failure) {
        if let Failure::Disconnect(disconnect) = failure {
            self.close(turn, disconnect);
        }
    }

    /// Ends the subscription to a channel, if there is one, and tells the client why. One that is on its way ends once
    /// it is set up, after its reply.
    pub fn unsubscribe_by_server(&mut self, turn: &mut Turn<'_>, channel: &str, why: Unsubscribed) {
        if let Some(key) = self.subs.key_of(channel)
            && !self.queue(key, || Queued::Unsubscribe(why))
        {
            self.end_subscription(turn, key, why);
        }
    }

    /// Sets a new expiry, `None` for never, and tells the client. One in the past ends the connection.
    pub fn refresh_by_server(
        &mut self,
        turn: &mut Turn<'_>,
        expire_at: Option<UnixSeconds>,
        info: Option<Payload>,
    ) {
        if !self.is_connected() {
            return;
        }
        let ttl = match expire_at {
            None => None,
            Some(moment) => match ttl(turn, moment) {
                Some(ttl) => Some(ttl),
                None => return self.close(turn, Disconnect::EXPIRED),
            },
        };
        self.expire_at = expire_at;
        if let Some(info) = info.filter(|_| ttl.is_some()) {
            self.conn_info = Some(Box::new(info));
        }
        let push = RefreshPush { expires: ttl.is_some(), ttl: ttl.unwrap_or_default() };
        turn.send(ServerMessage::push("", PushBody::Refresh(push)));
    }

    /// Whether the connection has the channel, be it only on its way.
    pub fn has_channel(&self, channel: &str) -> bool {
        self.subs.key_of(channel).is_some()
    }
}
