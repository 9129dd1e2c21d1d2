//! Who attends which channel: what the engine is told of it, in an order in which nothing is left behind.

use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{Answer, Broker, EngineError, Presence, Sink};
use flywheel_metrics::{Action, Metrics};
use flywheel_model::{Channel, ClientInfo};
use flywheel_protocol::ErrorCode;
use flywheel_runtime::Tasks;
use flywheel_session::{Failure, SubscribePlan};
use flywheel_stream::{History, HistoryQuery};
use tokio::time::{error::Elapsed, timeout};

use crate::Routes;
use crate::node::DEADLINE;
use crate::order::{Entry, Order};
use crate::verdict::for_client;

/// How long a call may wait for those before it about the same client and channel.
const TURN_DEADLINE: Duration = DEADLINE.saturating_mul(2);

/// What it is made of; see [`NodeParts`](crate::NodeParts).
pub(crate) struct AttendanceParts {
    pub(crate) routes: Arc<Routes>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Arc<Metrics>,
}

/// Subscribes and unsubscribes at the engine, and tells it who comes and who goes. Nobody waits in here but in tasks, and
/// under no lock.
pub(crate) struct Attendance {
    parts: AttendanceParts,
    order: Order,
}

impl Attendance {
    pub(crate) fn new(parts: AttendanceParts) -> Arc<Self> {
        Arc::new(Self { parts, order: Order::default() })
    }

    /// A shard has its first subscriber of a channel. The broker is asked when the subscription is set up.
    pub(crate) fn route(&self, channel: &Channel, shard: usize) {
        self.parts.routes.add(channel, shard);
    }

    /// A shard has no subscriber of a channel any more.
    pub(crate) fn unroute(&self, channel: &Channel, shard: usize) {
        if self.parts.routes.remove(channel, shard) {
            self.parts.metrics.node.action(Action::BrokerUnsubscribe);
            self.drive("unsubscribe", self.parts.broker.unsubscribe(channel));
        }
    }

    /// Tells the broker again that nobody wants the channel, in case that it was told before it had subscribed.
    pub(crate) fn unsubscribe_unless_routed(&self, channel: &Channel) {
        if !self.parts.routes.has_subscribers(channel) {
            self.drive("unsubscribe", self.parts.broker.unsubscribe(channel));
        }
    }

    /// Broker, then presence, then history, whose stream is remembered for `meta_ttl`. What was done is undone when a later
    /// step fails, or takes too long.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        plan: SubscribePlan,
        meta_ttl: Duration,
    ) -> Answer<Result<Option<History>, Failure>> {
        let Some(info) = &plan.presence else {
            return self.carry_out(plan, meta_ttl);
        };
        // Whatever is told about this client in this channel meanwhile, such as that it is gone, comes after this.
        match self.order.enter(&plan.channel, &info.client) {
            Entry::Now(pass) => keeping(pass, self.carry_out(plan, meta_ttl)),
            Entry::Wait(turn) => {
                let attendance = Arc::clone(self);
                Answer::later(async move {
                    let Ok(_pass) = turn.await else {
                        return Err(ErrorCode::INTERNAL.into());
                    };
                    attendance.carry_out(plan, meta_ttl).wait().await
                })
            }
            Entry::Full => Answer::Now(Err(ErrorCode::INTERNAL.into())),
        }
    }

    fn carry_out(
        self: &Arc<Self>,
        plan: SubscribePlan,
        meta_ttl: Duration,
    ) -> Answer<Result<Option<History>, Failure>> {
        let SubscribePlan { channel, presence, history } = plan;
        let attendance = Arc::clone(self);
        self.parts.broker.subscribe(&channel).then(move |subscribed| {
            if let Err(error) = subscribed {
                return Answer::Now(Err(for_client(error)));
            }
            let client = presence.as_ref().map(|info| info.client.clone());
            let parts = &attendance.parts;
            let added = presence.map_or(Answer::Now(Ok(())), |info| parts.presence.add(&channel, *info));
            added.then(move |added| {
                let read = match (added, history) {
                    (Err(error), _) => Answer::Now(Err(error)),
                    (Ok(()), None) => return Answer::Now(Ok(None)),
                    (Ok(()), Some(query)) => attendance.read_history(&channel, query, meta_ttl),
                };
                read.map(move |read| {
                    read.map(Some).map_err(|error| {
                        if let Some(client) = client {
                            attendance.remove_presence(channel, client);
                        }
                        for_client(error)
                    })
                })
            })
        })
    }

    /// Reads a stream, which is remembered for `meta_ttl`.
    pub(crate) fn read_history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
        meta_ttl: Duration,
    ) -> Answer<Result<History, EngineError>> {
        self.parts.metrics.node.action(Action::History);
        self.parts.broker.history(channel, query, meta_ttl)
    }

    /// A subscription was set up for nobody, or for a client whose entry in presence is named. Harmless when all of it was
    /// undone already.
    pub(crate) fn undo(self: &Arc<Self>, channel: &Channel, client: Option<String>) {
        if let Some(client) = client {
            self.remove_presence(channel.clone(), client);
        }
        self.unsubscribe_unless_routed(channel);
    }

    pub(crate) fn join(self: &Arc<Self>, channel: Channel, info: Box<ClientInfo>) {
        self.in_order("join", channel, info.client.clone(), |parts, channel, _| {
            parts.broker.publish_join(channel, *info)
        });
    }

    pub(crate) fn leave(self: &Arc<Self>, channel: Channel, info: Box<ClientInfo>) {
        self.in_order("leave", channel, info.client.clone(), |parts, channel, _| {
            parts.broker.publish_leave(channel, *info)
        });
    }

    pub(crate) fn add_presence(self: &Arc<Self>, channel: Channel, info: Box<ClientInfo>) {
        self.parts.metrics.node.action(Action::AddPresence);
        self.in_order("presence", channel, info.client.clone(), |parts, channel, _| {
            parts.presence.add(channel, *info)
        });
    }

    pub(crate) fn remove_presence(self: &Arc<Self>, channel: Channel, client: String) {
        self.parts.metrics.node.action(Action::RemovePresence);
        self.in_order("presence", channel, client, |parts, channel, client| {
            parts.presence.remove(channel, client)
        });
    }

    /// Puts off the expiry of presence entries, of one client or of many, in one call. Those about which another call is
    /// being made are left out: it adds them, or removes them.
    pub(crate) fn refresh_presence(&self, mut entries: Vec<(Channel, Box<ClientInfo>)>) {
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

    /// Makes a call about one client in one channel when those made before have ended, or after the deadline for that.
    fn in_order(
        self: &Arc<Self>,
        what: &'static str,
        channel: Channel,
        client: String,
        call: impl FnOnce(&AttendanceParts, &Channel, &str) -> Answer<Result<(), EngineError>> + Send + 'static,
    ) {
        match self.order.enter(&channel, &client) {
            Entry::Now(pass) => {
                let answer = call(&self.parts, &channel, &client);
                self.drive(what, keeping(pass, answer));
            }
            Entry::Wait(turn) => {
                let attendance = Arc::clone(self);
                self.parts.tasks.spawn(async move {
                    let Ok(Ok(_pass)) = timeout(TURN_DEADLINE, turn).await else {
                        return tracing::warn!(
                            what,
                            "an engine call was not made: those before it took too long"
                        );
                    };
                    let answer = call(&attendance.parts, &channel, &client);
                    report(what, timeout(DEADLINE, answer.wait()).await);
                });
            }
            Entry::Full => tracing::warn!(what, "an engine call was not made: too many wait"),
        }
    }

    /// Sees a call through that nobody waits for.
    fn drive(&self, what: &'static str, answer: Answer<Result<(), EngineError>>) {
        match answer {
            Answer::Now(result) => report(what, Ok(result)),
            Answer::Later(future) => self.parts.tasks.spawn(async move {
                report(what, timeout(DEADLINE, future).await);
            }),
        }
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

fn report(what: &'static str, ended: Result<Result<(), EngineError>, Elapsed>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, what, "an engine call failed"),
        Err(_) => tracing::warn!(what, "an engine call did not end in time"),
    }
}
