//! What sessions ask for.

use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{Answer, EngineError, PublishGrant, PublishOptions};
use flywheel_metrics::Action;
use flywheel_model::{Channel, ClientInfo, Payload, Publication, StreamPosition};
use flywheel_protocol::client::PresenceStatsResult;
use flywheel_protocol::{Disconnect, ErrorCode};
use flywheel_session::{Ask, Failure, Outcome, Tell};
use flywheel_stream::{History, HistoryQuery, Retention};

use crate::node::DEADLINE;
use crate::verdict::for_client;
use crate::{Node, Undo, Whom};

impl Node {
    /// Answers a session's question. An answer that takes longer than the deadline is a failure.
    pub fn ask(self: &Arc<Self>, ask: Ask) -> Answer<Outcome> {
        let failed = Outcome::failed(&ask, ErrorCode::INTERNAL.into());
        let answer = match ask {
            Ask::Authenticate { token, trusted_user, .. } => {
                let now = self.clock().now().unix();
                let claims = self.access().authenticate(token, trusted_user, now, &self.parts.key_sets);
                claims.map(|claims| Outcome::Connected(claims.map(Box::new)))
            }
            Ask::Verify(token) => {
                let claims =
                    self.access().verify_subscription(token, self.clock().now().unix(), &self.parts.key_sets);
                claims.map(|claims| Outcome::Verified(claims.map(Box::new)))
            }
            Ask::Connect(question) => return self.backend_connect(*question),
            Ask::Renew(caller) => return self.backend_renew(*caller),
            Ask::RenewSubscription(caller, channel) => {
                return self.backend_renew_subscription(*caller, channel);
            }
            Ask::Authorize { caller, channel, data } => {
                return self.backend_authorize(*caller, channel, data);
            }
            Ask::Rpc { caller, method, data } => return self.backend_rpc(*caller, method, data),
            Ask::Publish { channel, data, info, caller: Some(caller) } => {
                return self.backend_publish(*caller, channel, data, info);
            }
            Ask::Admit(user) => {
                let admitted = self.users.admit(&user, self.access().user_connection_limit);
                let outcome =
                    if admitted { Ok(()) } else { Err(Failure::Disconnect(Disconnect::CONNECTION_LIMIT)) };
                Answer::Now(Outcome::Admitted(outcome))
            }
            Ask::Subscribe(plan) => {
                let meta_ttl = plan.history.as_ref().map(|_| self.meta_ttl(&plan.channel));
                self.attendance.subscribe(*plan, meta_ttl.unwrap_or_default()).map(Outcome::Subscribed)
            }
            Ask::Publish { channel, data, info, caller: None } => {
                self.publish_for_client(&channel, data, info, PublishGrant::default()).map(Outcome::Done)
            }
            Ask::Presence(channel) => self.presence_for_client(&channel),
            Ask::PresenceStats(channel) => self.presence_stats_for_client(&channel),
            Ask::History(channel, query) => self
                .read_history(&channel, query)
                .map(|history| Outcome::History(history.map_err(for_client))),
        };
        within_deadline(answer, failed)
    }

    /// Does what a session tells; nobody waits for it. What concerns one client in one channel is done in the order in
    /// which it is told.
    pub fn tell(self: &Arc<Self>, tell: Tell) {
        match tell {
            Tell::Join(channel, info) => self.attendance.join(channel, info),
            Tell::Leave(channel, info) => self.attendance.leave(channel, info),
            Tell::AddPresence(channel, info) => self.attendance.add_presence(channel, info),
            Tell::RefreshPresence(entries) => self.refresh_presence(entries),
            Tell::SoleConnection(channel, info) => self.disconnect_others(channel, *info),
            Tell::RemovePresence(channel, client) => self.attendance.remove_presence(channel, client),
            Tell::Released(user) => self.users.release(&user),
        }
    }

    /// Puts off the expiry of presence entries, of one client or of many, in one call. Those about which another call is
    /// being made are left out: it adds them, or removes them.
    pub fn refresh_presence(&self, entries: Vec<(Channel, Box<ClientInfo>)>) {
        self.attendance.refresh_presence(entries);
    }

    /// Ends the other connections of a user, if the presence of the personal channel shows any.
    fn disconnect_others(self: &Arc<Self>, channel: Channel, info: ClientInfo) {
        let node = Arc::clone(self);
        let stats = self.parts.presence.stats(&channel);
        self.parts.tasks.spawn(async move {
            match tokio::time::timeout(DEADLINE, stats.wait()).await {
                Ok(Ok(stats)) if stats.clients < 2 => return,
                Ok(Ok(_)) => {}
                other => {
                    tracing::warn!(?other, %channel, "a user's older connections stay: presence could not be read");
                    return;
                }
            }
            let whom = Whom { user: info.user.as_str().to_owned(), ..Whom::default() };
            let kept = [info.client];
            if node.disconnect_clients(&whom, Disconnect::CONNECTION_LIMIT, &kept).await.is_err() {
                tracing::warn!(%channel, "older connections of a user may not have been ended");
            }
        });
    }

    /// An answer came for a client or subscription that is gone: what it says was done is done for nobody. Harmless when
    /// it was undone already, or never done.
    pub fn undo(self: &Arc<Self>, undo: Undo, outcome: &Outcome) {
        match undo {
            Undo::Admitted(user) => {
                if matches!(outcome, Outcome::Admitted(Ok(()))) {
                    self.tell(Tell::Released(user));
                }
            }
            // Also after a failure: it may be a later step that failed.
            Undo::Subscribed(channel, client) => self.attendance.undo(&channel, client),
        }
    }

    /// Tells the broker again that nobody wants the channel, in case that it was told before it had subscribed.
    pub fn unsubscribe_unless_routed(&self, channel: &Channel) {
        self.attendance.unsubscribe_unless_routed(channel);
    }

    pub(crate) fn publish_for_client(
        &self,
        channel: &Channel,
        data: Payload,
        info: Box<ClientInfo>,
        grant: PublishGrant,
    ) -> Answer<Result<StreamPosition, Failure>> {
        let settings = self.settings();
        let Ok(options) = settings.rules.options(channel.as_str()) else {
            return Answer::Now(Err(ErrorCode::UNKNOWN_CHANNEL.into()));
        };
        let PublishGrant { data: replaced, skip_history, tags, idempotency_key, delta, version } = grant;
        let options = PublishOptions {
            history: retention(options).filter(|_| !skip_history),
            idempotency_key,
            delta: delta || options.delta_publish,
            version,
        };
        let publication = Publication { info: Some(info), tags, ..Publication::of(replaced.unwrap_or(data)) };
        self.parts.metrics.node.message_sent(flywheel_metrics::MessageType::Publication);
        let published = self.parts.broker.publish(channel, publication, options);
        published.map(|published| match published {
            Ok(published) => Ok(published.position().cloned().unwrap_or_default()),
            Err(error) => Err(for_client(error)),
        })
    }

    pub(crate) fn read_history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
    ) -> Answer<Result<History, EngineError>> {
        self.attendance.read_history(channel, query, self.meta_ttl(channel))
    }

    /// How long a channel's stream is remembered that is not used.
    fn meta_ttl(&self, channel: &Channel) -> Duration {
        let settings = self.settings();
        let options = settings.rules.options(channel.as_str());
        options.map(|options| options.history_meta_ttl).unwrap_or_default()
    }

    fn presence_for_client(&self, channel: &Channel) -> Answer<Outcome> {
        self.parts.metrics.node.action(Action::Presence);
        self.parts.presence.clients(channel).map(|clients| {
            let clients = clients.map(|clients| clients.iter().map(|info| (**info).clone()).collect());
            Outcome::Presence(clients.map_err(for_client))
        })
    }

    fn presence_stats_for_client(&self, channel: &Channel) -> Answer<Outcome> {
        self.parts.metrics.node.action(Action::PresenceStats);
        self.parts.presence.stats(channel).map(|stats| {
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let stats = stats.map(|stats| PresenceStatsResult {
                num_clients: count(stats.clients),
                num_users: count(stats.users),
            });
            Outcome::PresenceStats(stats.map_err(for_client))
        })
    }
}

/// The answer, or `failed` when it takes too long.
pub(crate) fn within_deadline<T: Send + 'static>(answer: Answer<T>, failed: T) -> Answer<T> {
    match answer {
        Answer::Now(value) => Answer::Now(value),
        Answer::Later(future) => {
            Answer::later(async move { tokio::time::timeout(DEADLINE, future).await.unwrap_or(failed) })
        }
    }
}

/// How a namespace keeps its history; `None` if it keeps none.
pub(crate) fn retention(options: &flywheel_model::ChannelOptions) -> Option<Retention> {
    options.has_history().then_some(Retention {
        size: options.history_size,
        ttl: options.history_ttl,
        meta_ttl: options.history_meta_ttl,
    })
}
