//! What happens because time passes.
//!
//! Source: client protocol, sections 3.1, 3.4 to 3.6, 5.9, 5.11 and 5.13.

use std::time::Duration;

use flywheel_model::{Now, Timestamp, UnixSeconds};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{ServerMessage, Transport};
use flywheel_stream::HistoryQuery;

use crate::effect::{Ask, Context, Effect, Outcome, Tell, Turn};
use crate::liveness::Due;
use crate::session::{Phase, Session};
use crate::subscription::{State, SubRef};

impl Session {
    /// When [`handle_timeout`](Self::handle_timeout) is next due; [`Timestamp::NEVER`] if never.
    pub fn poll_timeout(&self, turn: &Turn<'_>) -> Timestamp {
        match &self.phase {
            Phase::New { until } | Phase::Refused { until } => *until,
            Phase::Connecting(connecting) => connecting.until,
            Phase::Closed => Timestamp::NEVER,
            Phase::Connected => {
                let grace = turn.settings.expired_close_delay;
                let expiry = if turn.settings.backend.refresh {
                    self.renewal_due(turn)
                } else {
                    self.expire_at.map_or(Timestamp::NEVER, |moment| end_of_grace(turn.now, moment, grace))
                };
                self.liveness.next().min(self.upkeep_at).min(expiry)
            }
        }
    }

    /// Time has passed. Calling it early does nothing.
    pub fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        match &self.phase {
            Phase::Closed => {}
            Phase::New { until } | Phase::Refused { until } => {
                if *until <= now.at {
                    self.close(turn, Disconnect::STALE);
                }
            }
            Phase::Connecting(connecting) => {
                if connecting.until <= now.at {
                    self.close(turn, Disconnect::STALE);
                }
            }
            Phase::Connected => {
                let grace = turn.settings.expired_close_delay;
                let over = |moment| end_of_grace(now, moment, grace) <= now.at;
                if turn.settings.backend.refresh {
                    if self.renewal_due(turn) <= now.at {
                        self.renew(turn);
                    }
                } else if self.expire_at.is_some_and(over) {
                    return self.close(turn, Disconnect::EXPIRED);
                }
                match self.liveness.due(now.at, turn.settings) {
                    Due::Nothing => {}
                    Due::Ping => self.ping(turn),
                    // The transport's own ping has no code for this: the connection is simply gone.
                    Due::NoPong
                        if !self.greeting.app_pings || self.greeting.transport.is_unidirectional() =>
                    {
                        return self.close(turn, Disconnect::CONNECTION_CLOSED);
                    }
                    Due::NoPong => return self.close(turn, Disconnect::NO_PONG),
                }
                if self.upkeep_at <= now.at {
                    self.look_after_subscriptions(turn);
                }
            }
        }
    }

    /// Client protocol, sections 3.4 and 9: who listens only is pinged in its own way, and a stream cannot answer at all.
    fn ping(&mut self, turn: &mut Turn<'_>) {
        if self.greeting.app_pings {
            turn.send(ServerMessage::Ping);
        }
        if !self.greeting.app_pings || self.greeting.transport == Transport::UniWebSocket {
            turn.effects.push(Effect::TransportPing);
        }
        if matches!(self.greeting.transport, Transport::UniSse | Transport::UniHttpStream) {
            self.liveness.pong(turn.now.at);
        }
    }

    /// Makes sure that the subscriptions are looked after from now on, if any needs it.
    pub(crate) fn schedule_upkeep(&mut self, turn: &Turn<'_>) {
        let needed = self.subs.iter().any(|subscription| {
            subscription.terms.presence || subscription.terms.positioned || subscription.expire_at.is_some()
        });
        if !needed {
            self.upkeep_at = Timestamp::NEVER;
        } else if self.upkeep_at == Timestamp::NEVER {
            // The first time comes earlier, so that clients that came together do not all work at once.
            let interval = turn.settings.presence_update_interval;
            let half = u64::try_from(interval.as_millis() / 2).unwrap_or(u64::MAX).max(1);
            let early = Duration::from_millis(self.greeting.random.rotate_left(32) % half);
            self.upkeep_at = turn.now.at + interval.saturating_sub(early);
        }
        let renewal = self.subs.iter().map(|subscription| subscription.renewal_due(turn)).min();
        self.upkeep_at = self.upkeep_at.min(renewal.unwrap_or(Timestamp::NEVER));
    }

    fn look_after_subscriptions(&mut self, turn: &mut Turn<'_>) {
        let settings = turn.settings;
        let now = turn.now;
        let mut present = Vec::new();
        for key in self.subs.keys() {
            let Some(subscription) = self.subs.get(key).filter(|subscription| subscription.is_live()) else {
                continue;
            };
            let over = |moment| end_of_grace(now, moment, settings.expired_sub_close_delay) <= now.at;
            if subscription.options.sub_refresh_proxy_enabled {
                if subscription.renewal_due(turn) <= now.at {
                    self.renew_subscription(turn, key);
                }
            } else if subscription.expire_at.is_some_and(over) {
                self.subscription_expired(turn, key);
                if !self.is_connected() {
                    return;
                }
                continue;
            }
            let Some(subscription) = self.subs.get(key) else {
                continue;
            };
            if subscription.terms.presence {
                let info = self.info(subscription.chan_info.as_deref());
                present.push((subscription.channel.clone(), info));
            }
            let silent = turn.now.at.since(subscription.checked_at) >= settings.position_check_delay;
            if subscription.terms.positioned && silent {
                let sub = self.subs.reference(key);
                let channel = subscription.channel.clone();
                self.ask(turn, Context::Check(sub), Ask::History(channel, HistoryQuery::top()));
            }
        }
        if !present.is_empty() {
            turn.tell(Tell::RefreshPresence(present));
        }
        self.upkeep_at = turn.now.at + settings.presence_update_interval;
        self.schedule_upkeep(turn);
    }

    /// The stream's top was read: does the subscription stand there?
    ///
    /// What is on its way here is delivered sooner by the healing, and dropped when it arrives.
    pub(crate) fn checked(&mut self, turn: &mut Turn<'_>, sub: SubRef, outcome: Outcome) {
        let Some(subscription) = self.subs.find(sub) else {
            return;
        };
        let silent = turn.now.at.since(subscription.checked_at) >= turn.settings.position_check_delay;
        // A read that failed says nothing: the next round tries again.
        let (Outcome::History(Ok(history)), State::Live { position: Some(position) }) =
            (outcome, &subscription.state)
        else {
            return;
        };
        if *position == history.top {
            subscription.checked_at = turn.now.at;
        } else if silent {
            turn.effects.push(Effect::Heal(subscription.channel.clone()));
        }
    }
}

/// When `grace` will have passed since the wall clock showed `moment`, on the monotonic clock; now if it already has.
fn end_of_grace(now: Now, moment: UnixSeconds, grace: Duration) -> Timestamp {
    let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    let left = moment.0.saturating_mul(1000).saturating_add(grace).saturating_sub(now.unix_millis);
    now.at + Duration::from_millis(u64::try_from(left).unwrap_or(0))
}
