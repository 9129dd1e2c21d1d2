//! Subscribing: authorize, route, note presence, read history, merge, reply, go live.
//!
//! Source: client protocol, sections 5.1 to 5.7 and 5.10.

use std::sync::Arc;

use flywheel_model::{
    Channel, ChannelEventKind, ChannelOptions, Publication, RecoveryMode, StreamPosition, SubscribeGrant,
    SubscriptionClaims,
};
use flywheel_protocol::client::{
    self as wire, Push, PushBody, Reply, ReplyBody, Request, ServerMessage, SubscribePush, SubscribeRequest,
    SubscribeResult,
};
use flywheel_protocol::{Disconnect, ErrorCode};
use flywheel_stream::{Filter, Held, History, HistoryQuery, Merged, Recovered, RecoveryRequest, merge};

use crate::effect::{Ask, Context, Effect, Failure, Outcome, SubscribePlan, Turn};
use crate::intake::Intake;
use crate::permission::{Admission, Operation, may, may_subscribe};
use crate::refusal::Fault;
use crate::session::{Session, ttl};
use crate::subscription::{Origin, Pending, Queued, State, SubRef, Subscription, Terms, Wishes};

/// Types of subscription that exist, as numbers: 1 to 3 are maps, 4 is shared poll.
const MAP_TYPES: std::ops::RangeInclusive<i32> = 1..=3;
const SHARED_POLL: i32 = 4;

impl Session {
    pub(crate) fn begin_subscribe(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: SubscribeRequest,
    ) -> Result<(), Failure> {
        let name_max = turn.settings.rules.max_length;
        let channel = request.channel.as_str();
        if channel.is_empty() {
            return Err(turn.refuse(channel, Fault::NoName));
        }
        if request.type_ == SHARED_POLL {
            return Err(ErrorCode::NOT_AVAILABLE.into());
        }
        if request.type_ <= 0 && !matches!(request.delta.as_str(), "" | "fossil") {
            return Err(turn.refuse(channel, Fault::Delta));
        }
        if channel.len() > name_max {
            return Err(turn.refuse(channel, Fault::LongName(name_max)));
        }
        if let Some(key) = self.subs.key_of(channel) {
            // Behind an unsubscribe that waits for the subscription to be set up, it is a new one.
            let pending = self.subs.get_mut(key).and_then(Subscription::pending);
            if pending.is_some_and(|pending| pending.ends_unsubscribed())
                && self.queue(key, || Queued::Command(id, Request::Subscribe(Box::new(request))))
            {
                return Ok(());
            }
            return Err(ErrorCode::ALREADY_SUBSCRIBED.into());
        }
        if self.subs.len() >= turn.settings.channel_limit {
            return Err(ErrorCode::LIMIT_EXCEEDED.into());
        }
        let options = turn.options_of(channel)?;
        if MAP_TYPES.contains(&request.type_) {
            return Err(ErrorCode::PERMISSION_DENIED.into());
        }
        if request.type_ > SHARED_POLL {
            return Err(turn.refuse(channel, Fault::Type(request.type_)));
        }
        let mut wishes = Wishes::of(&request);
        let mut by_backend = false;
        if request.token.is_empty() {
            match may_subscribe(turn.settings, &options, channel, &self.user) {
                Admission::Allowed => {}
                Admission::Denied => return Err(ErrorCode::PERMISSION_DENIED.into()),
                Admission::AskBackend => {
                    by_backend = true;
                    // Only what is forced, and what the backend overrides, counts.
                    wishes = Wishes { positioned: false, recoverable: false, join_leave: false, ..wishes };
                }
            }
        }
        let channel = Channel::from(channel);
        let sub = self.reserve(channel.clone(), options, Origin::Command(id), wishes);
        if by_backend {
            let data = self.encoding().received(request.data);
            let ask = Ask::Authorize { caller: Box::new(self.caller()), channel, data };
            self.ask_backend(turn, Context::Subscription(sub), ask);
            Ok(())
        } else if request.token.is_empty() {
            let started = self.start(turn, sub, SubscribeGrant::default());
            if started.is_err() {
                self.drop_subscription(turn, sub.key);
            }
            started
        } else {
            self.ask(turn, Context::Subscription(sub), Ask::Verify(request.token));
            Ok(())
        }
    }

    /// From now on the connection has the channel, so that a second subscribe is refused.
    pub(crate) fn reserve(
        &mut self,
        channel: Channel,
        options: Arc<ChannelOptions>,
        origin: Origin,
        wishes: Wishes,
    ) -> SubRef {
        self.subs.insert(channel, options, Pending::new(origin, wishes))
    }

    /// Authorized: route the channel here, then ask for presence and history. Events are held back from now on.
    ///
    /// After an error the caller drops the subscription.
    pub(crate) fn start(
        &mut self,
        turn: &mut Turn<'_>,
        sub: SubRef,
        grant: SubscribeGrant,
    ) -> Result<(), Failure> {
        let user = self.user.clone();
        let Some(subscription) = self.subs.find(sub) else {
            return Ok(());
        };
        if grant.expire_at.is_some_and(|moment| moment <= turn.now.unix()) {
            return Err(ErrorCode::EXPIRED.into());
        }
        let options = Arc::clone(&subscription.options);
        let channel = subscription.channel.clone();
        let settings = turn.settings;
        let State::Subscribing(pending) = &mut subscription.state else {
            return Ok(());
        };
        let intake =
            Intake::new(&options, &pending.wishes).map_err(|fault| turn.refuse(channel.as_str(), fault))?;
        let terms = Terms::new(
            &options,
            grant.overrides,
            &pending.wishes,
            may(settings, &options, Operation::History, &user, true),
            may(settings, &options, Operation::Presence, &user, true),
        );
        pending.attached = true;
        pending.recovery = recovery_request(&options, terms, &pending.wishes, settings.recovery_limit);
        let filtered = intake.filter().is_some();
        let query = |request: &RecoveryRequest| request.query(filtered);
        let history =
            terms.positioned.then(|| pending.recovery.as_ref().map_or_else(HistoryQuery::top, query));
        subscription.terms = terms;
        subscription.intake = intake;
        subscription.expire_at = grant.expire_at;
        subscription.chan_info = grant.info.clone().map(Box::new);
        pending.grant = grant;
        let chan_info = subscription.chan_info.clone();
        let presence = terms.presence.then(|| self.info(chan_info.as_deref()));
        turn.effects.push(Effect::Attach(sub.key, channel.clone()));
        let plan = Box::new(SubscribePlan { channel, presence, history });
        self.ask(turn, Context::Subscription(sub), Ask::Subscribe(plan));
        Ok(())
    }

    pub(crate) fn continue_subscription(&mut self, turn: &mut Turn<'_>, sub: SubRef, outcome: Outcome) {
        let Some(subscription) = self.subs.find(sub) else {
            return;
        };
        let channel = subscription.channel.clone();
        let Some(origin) = subscription.pending().map(|pending| pending.origin) else {
            return;
        };
        let result = match outcome {
            Outcome::Verified(claims) => {
                self.authorized(turn, sub, claims).and_then(|grant| self.start(turn, sub, grant))
            }
            Outcome::Authorized(grant) => grant.and_then(|grant| self.start(turn, sub, *grant)),
            Outcome::Subscribed(history) => history.and_then(|history| self.establish(turn, sub, history)),
            _ => Err(ErrorCode::INTERNAL.into()),
        };
        if let Err(failure) = result {
            let queued = self
                .subs
                .find(sub)
                .and_then(Subscription::pending)
                .map(|pending| std::mem::take(&mut pending.queued));
            self.drop_subscription(turn, sub.key);
            match origin {
                Origin::Command(id) => self.fail(turn, id, failure),
                Origin::Connect => self.refuse(turn, failure),
                Origin::Server => self.server_subscription_failed(turn, failure),
            }
            self.run_queued(turn, &channel, queued.unwrap_or_default());
        }
    }

    /// Judges a subscription token.
    fn authorized(
        &mut self,
        turn: &mut Turn<'_>,
        sub: SubRef,
        claims: Result<Box<SubscriptionClaims>, Failure>,
    ) -> Result<SubscribeGrant, Failure> {
        let claims = match claims {
            Err(Failure::InvalidToken) => return Err(ErrorCode::PERMISSION_DENIED.into()),
            other => other?,
        };
        let matches = self.subs.find(sub).is_some_and(|subscription| subscription.channel == claims.channel);
        if !matches || !self.is_meant_by(&claims) {
            return Err(turn.refuse(claims.channel.as_str(), Fault::ForeignToken));
        }
        Ok(claims.grant)
    }

    /// Whether a subscription token was made for this user and connection.
    pub(crate) fn is_meant_by(&self, claims: &SubscriptionClaims) -> bool {
        let client = claims.client.as_deref().filter(|client| !client.is_empty());
        claims.user == self.user && client.is_none_or(|client| client == self.greeting.client.to_string())
    }

    /// The channel is routed and history read: merge, reply, go live.
    fn establish(
        &mut self,
        turn: &mut Turn<'_>,
        sub: SubRef,
        history: Option<History>,
    ) -> Result<(), Failure> {
        let encoding = self.encoding();
        let room = turn.settings.queue_bytes_max.saturating_sub(turn.queued + self.collected_bytes());
        let Some(subscription) = self.subs.find(sub) else {
            return Ok(());
        };
        let ttl = subscription.expiry_for_client().and_then(|moment| ttl(turn, moment));
        let terms = subscription.terms;
        let channel = subscription.channel.clone();
        let State::Subscribing(pending) = &mut subscription.state else {
            return Ok(());
        };
        let mut result = SubscribeResult {
            was_recovering: recovers_from(&subscription.options, &pending.wishes).is_some(),
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            data: encoding.optional_payload(pending.grant.data.as_ref())?,
            delta: subscription.intake.is_delta(),
            ..SubscribeResult::default()
        };
        let mut position = None;
        if terms.positioned {
            let mut start = Start::new(pending, history.unwrap_or_default(), subscription.intake.filter())?;
            let epoch = start.position.epoch.clone();
            let mut publications = subscription.intake.recovered(encoding, &start.publications, &epoch)?;
            if weight(&publications) > room {
                // No queue would take it: the client would be too slow for it now and each time it comes back.
                start = start.given_up(pending)?;
                publications = subscription.intake.recovered(encoding, &[], &epoch)?;
            }
            result.positioned = true;
            result.recoverable = terms.recoverable;
            result.recovered = start.recovered;
            epoch.as_str().clone_into(&mut result.epoch);
            result.offset = start.reported_offset;
            result.publications = publications;
            position = Some(start.position);
        }
        let origin = pending.origin;
        match origin {
            Origin::Connect => {
                // Events are held back until the connect reply is out.
                pending.parked = position;
                self.collect_result(&channel, result);
                self.complete_connect(turn);
            }
            Origin::Command(id) => {
                turn.send(ServerMessage::Reply(Reply { id, body: ReplyBody::Subscribe(Box::new(result)) }));
                self.go_live(turn, sub, position);
            }
            Origin::Server => {
                turn.send(ServerMessage::Push(Push {
                    channel: channel.as_str().to_owned(),
                    body: PushBody::Subscribe(SubscribePush {
                        recoverable: result.recoverable,
                        epoch: result.epoch,
                        offset: result.offset,
                        positioned: result.positioned,
                        data: result.data,
                    }),
                }));
                // A push has no room for what was recovered: it follows as ordinary pushes.
                for publication in result.publications {
                    let body = PushBody::Publication(Box::new(publication));
                    turn.send(ServerMessage::push(channel.as_str(), body));
                }
                self.go_live(turn, sub, position);
            }
        }
        Ok(())
    }
}

/// Where the client wants to be caught up from, if it does or the channel does that for everybody.
fn recovers_from(options: &ChannelOptions, wishes: &Wishes) -> Option<StreamPosition> {
    let automatic = options.force_recovery_mode == RecoveryMode::Cache && options.auto_cache_recover;
    wishes.recover.clone().or_else(|| automatic.then(StreamPosition::default))
}

/// Whether and what to recover. Source: client protocol, sections 5.4 and 5.6.
fn recovery_request(
    options: &ChannelOptions,
    terms: Terms,
    wishes: &Wishes,
    limit: Option<usize>,
) -> Option<RecoveryRequest> {
    let since = recovers_from(options, wishes).filter(|_| terms.recoverable)?;
    let mode = options.force_recovery_mode;
    Some(RecoveryRequest { mode, since, limit: limit.unwrap_or(usize::MAX) })
}

/// Where a positioned subscription begins.
struct Start {
    publications: Vec<Arc<Publication>>,
    recovered: bool,
    position: StreamPosition,
    reported_offset: u64,
}

impl Start {
    fn new(pending: &mut Pending, history: History, filter: Option<&Filter>) -> Result<Self, Failure> {
        let top = history.top.clone();
        let recovered = pending.recovery.as_ref().map(|request| request.recover(history, filter));
        let held = take_publications(pending);
        let Merged { position, continuation, unordered } =
            merge(top, held).map_err(|_gap| Failure::Disconnect(Disconnect::INSUFFICIENT_STATE))?;
        pending.held_back.extend(unordered.into_iter().map(|publication| {
            ChannelEventKind::Publication(publication, flywheel_model::Epoch::unknown(), None)
        }));
        match (recovered, &pending.recovery) {
            (Some(Recovered::Yes(mut publications)), Some(request)) => {
                let wanted = |publication: &Arc<Publication>| {
                    filter.is_none_or(|filter| filter.admits(&publication.tags))
                };
                publications.extend(continuation.into_iter().filter(wanted));
                if request.mode == RecoveryMode::Cache && publications.len() > 1 {
                    publications.drain(..publications.len() - 1);
                }
                Ok(Self { publications, recovered: true, position, reported_offset: request.since.offset })
            }
            (Some(Recovered::No), Some(_)) => Self::at(position).given_up(pending),
            _ => Ok(Self::at(position)),
        }
    }

    /// Unrecovered, or not asked to recover: the client starts at the position it is told.
    fn at(position: StreamPosition) -> Self {
        Self { publications: Vec::new(), recovered: false, reported_offset: position.offset, position }
    }

    /// The same without what was missed.
    ///
    /// # Errors
    /// The client prefers an error to that.
    fn given_up(self, pending: &Pending) -> Result<Self, Failure> {
        let streams = pending.recovery.as_ref().is_some_and(|request| request.mode == RecoveryMode::Stream);
        if streams && pending.wishes.reject_unrecovered {
            return Err(ErrorCode::UNRECOVERABLE_POSITION.into());
        }
        Ok(Self::at(self.position))
    }
}

/// Roughly the bytes that they take in a reply.
pub(crate) fn weight(publications: &[wire::Publication]) -> usize {
    publications.iter().map(wire::Publication::weight).sum()
}

/// Takes the held-back publications out, leaving joins and leaves for after the reply.
fn take_publications(pending: &mut Pending) -> Vec<Held> {
    let mut publications = Vec::new();
    for event in std::mem::take(&mut pending.held_back) {
        match event {
            ChannelEventKind::Publication(publication, epoch, _) => publications.push((publication, epoch)),
            other => pending.held_back.push(other),
        }
    }
    publications
}
