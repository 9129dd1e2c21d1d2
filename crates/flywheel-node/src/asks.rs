//! What sessions ask for.

use std::sync::Arc;

use flywheel_engine::{Answer, EngineError, PublishGrant, PublishOptions, Sink};
use flywheel_metrics::Action;
use flywheel_model::{Channel, ClientInfo, Payload, Publication, StreamPosition};
use flywheel_protocol::client::PresenceStatsResult;
use flywheel_protocol::{Disconnect, ErrorCode};
use flywheel_session::{Ask, Failure, Outcome, SubscribePlan, Tell};
use flywheel_stream::{History, HistoryQuery, Retention};

use crate::node::DEADLINE;
use crate::order::Entry;
use crate::verdict::for_client;
use crate::{Node, Undo, Whom};

/// How long a call may wait for those before it about the same client and channel.
const TURN_DEADLINE: std::time::Duration = DEADLINE.saturating_mul(2);

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
            Ask::Subscribe(plan) => self.subscribe(*plan).map(Outcome::Subscribed),
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
        let (broker, presence) = (Arc::clone(&self.parts.broker), Arc::clone(&self.parts.presence));
        match tell {
            Tell::Join(channel, info) => {
                let (about, client) = (channel.clone(), info.client.clone());
                self.in_order("join", &about, &client, move || broker.publish_join(&channel, *info));
            }
            Tell::Leave(channel, info) => {
                let (about, client) = (channel.clone(), info.client.clone());
                self.in_order("leave", &about, &client, move || broker.publish_leave(&channel, *info));
            }
            Tell::AddPresence(channel, info) => {
                self.parts.metrics.node.action(Action::AddPresence);
                let (about, client) = (channel.clone(), info.client.clone());
                self.in_order("presence", &about, &client, move || presence.add(&channel, *info));
            }
            Tell::RefreshPresence(entries) => self.refresh_presence(entries),
            Tell::SoleConnection(channel, info) => self.disconnect_others(channel, *info),
            Tell::RemovePresence(channel, client) => {
                self.parts.metrics.node.action(Action::RemovePresence);
                let (about, whose) = (channel.clone(), client.clone());
                self.in_order("presence", &about, &whose, move || presence.remove(&channel, &client));
            }
            Tell::Released(user) => self.users.release(&user),
        }
    }

    /// Puts off the expiry of presence entries, of one client or of many, in one call. Those about which another call is
    /// being made are left out: it adds them, or removes them.
    pub fn refresh_presence(&self, mut entries: Vec<(Channel, Box<ClientInfo>)>) {
        let mut passes = Vec::with_capacity(entries.len());
        entries.retain(|(channel, info)| {
            let pass = self.order.try_enter(channel, &info.client);
            let free = pass.is_some();
            passes.extend(pass);
            free
        });
        for _ in &entries {
            self.parts.metrics.node.action(Action::AddPresence);
        }
        if !entries.is_empty() {
            let answer = self.parts.presence.refresh(&entries);
            self.drive("presence", keeping(passes, answer));
        }
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
            Undo::Subscribed(channel, client) => {
                if let Some(client) = client {
                    self.tell(Tell::RemovePresence(channel.clone(), client));
                }
                self.unsubscribe_unless_routed(&channel);
            }
        }
    }

    /// Tells the broker again that nobody wants the channel, in case that it was told before it had subscribed.
    pub fn unsubscribe_unless_routed(&self, channel: &Channel) {
        if !self.parts.routes.has_subscribers(channel) {
            self.drive("unsubscribe", self.parts.broker.unsubscribe(channel));
        }
    }

    /// Makes a call about one client in one channel when those made before have ended, or after the deadline for that.
    fn in_order(
        &self,
        what: &'static str,
        channel: &Channel,
        client: &str,
        call: impl FnOnce() -> Answer<Result<(), EngineError>> + Send + 'static,
    ) {
        match self.order.enter(channel, client) {
            Entry::Now(pass) => {
                let answer = call();
                self.drive(what, keeping(pass, answer));
            }
            Entry::Wait(turn) => self.parts.tasks.spawn(async move {
                let Ok(Ok(_pass)) = tokio::time::timeout(TURN_DEADLINE, turn).await else {
                    return tracing::warn!(
                        what,
                        "an engine call was not made: those before it took too long"
                    );
                };
                report(what, tokio::time::timeout(DEADLINE, call().wait()).await);
            }),
            Entry::Full => tracing::warn!(what, "an engine call was not made: too many wait"),
        }
    }

    /// Sees a call through that nobody waits for.
    pub(crate) fn drive(&self, what: &'static str, answer: Answer<Result<(), EngineError>>) {
        match answer {
            Answer::Now(result) => report(what, Ok(result)),
            Answer::Later(future) => self.parts.tasks.spawn(async move {
                report(what, tokio::time::timeout(DEADLINE, future).await);
            }),
        }
    }

    /// Broker, then presence, then history. What was done is undone when a later step fails, or takes too long.
    fn subscribe(self: &Arc<Self>, plan: SubscribePlan) -> Answer<Result<Option<History>, Failure>> {
        let Some(info) = &plan.presence else {
            return self.carry_out(plan);
        };
        // Whatever is told about this client in this channel meanwhile, such as that it is gone, comes after this.
        match self.order.enter(&plan.channel, &info.client) {
            Entry::Now(pass) => keeping(pass, self.carry_out(plan)),
            Entry::Wait(turn) => {
                let node = Arc::clone(self);
                Answer::later(async move {
                    let Ok(_pass) = turn.await else {
                        return Err(ErrorCode::INTERNAL.into());
                    };
                    node.carry_out(plan).wait().await
                })
            }
            Entry::Full => Answer::Now(Err(ErrorCode::INTERNAL.into())),
        }
    }

    fn carry_out(self: &Arc<Self>, plan: SubscribePlan) -> Answer<Result<Option<History>, Failure>> {
        let SubscribePlan { channel, presence, history } = plan;
        let node = Arc::clone(self);
        self.parts.broker.subscribe(&channel).then(move |subscribed| {
            if let Err(error) = subscribed {
                return Answer::Now(Err(for_client(error)));
            }
            let client = presence.as_ref().map(|info| info.client.clone());
            let added = presence.map_or(Answer::Now(Ok(())), |info| node.parts.presence.add(&channel, *info));
            added.then(move |added| {
                let read = match (added, history) {
                    (Err(error), _) => Answer::Now(Err(error)),
                    (Ok(()), None) => return Answer::Now(Ok(None)),
                    (Ok(()), Some(query)) => node.read_history(&channel, query),
                };
                read.map(move |read| {
                    read.map(Some).map_err(|error| {
                        if let Some(client) = client {
                            node.tell(Tell::RemovePresence(channel, client));
                        }
                        for_client(error)
                    })
                })
            })
        })
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
        let settings = self.settings();
        let meta_ttl = settings.rules.options(channel.as_str()).map(|options| options.history_meta_ttl);
        self.parts.metrics.node.action(Action::History);
        self.parts.broker.history(channel, query, meta_ttl.unwrap_or_default())
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

/// An answer during which passes are kept.
fn keeping<P: Send + 'static, T: Send + 'static>(pass: P, answer: Answer<T>) -> Answer<T> {
    match answer {
        Answer::Now(value) => Answer::Now(value),
        Answer::Later(future) => Answer::later(async move {
            let _pass = pass;
            future.await
        }),
    }
}

fn report(what: &'static str, ended: Result<Result<(), EngineError>, tokio::time::error::Elapsed>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, what, "an engine call failed"),
        Err(_) => tracing::warn!(what, "an engine call did not end in time"),
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
