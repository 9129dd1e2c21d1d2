//! What the application's backend decides, and what waits until it has.
//!
//! Source: server API, sections 6 and 7; client protocol, sections 3.2, 3.5 and 5.13.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::{Caller, CallerHeaders, Renewal, Timestamp, UnixSeconds};
use flywheel_protocol::client::{Command, Encoding, ReplyBody, Request, RpcRequest, RpcResult};
use flywheel_protocol::{Disconnect, ErrorCode, Unsubscribed};

use crate::effect::{Ask, Context, Failure, Outcome, Turn};
use crate::session::Session;
use crate::subscription::{SubKey, SubRef, Subscription};

/// How long an expiry is put off when the backend cannot be asked. Source: server API, section 6.4.
const POSTPONED: Duration = Duration::from_mins(1);

/// Commands behind one that the backend is asked about, where commands are carried out one by one.
#[derive(Debug)]
pub(crate) struct Behind {
    context: Context,
    pub(crate) queue: VecDeque<Command>,
}

impl Session {
    /// This connection, as backends are told.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            client: self.greeting.client,
            transport: self.greeting.transport.name(),
            protocol: match self.greeting.encoding {
                Encoding::Json => "json",
                Encoding::Protobuf => "protobuf",
            },
            user: self.user.clone(),
            meta: self.meta.as_deref().cloned(),
            headers: self.greeting.headers.clone(),
        }
    }

    /// Keeps those headers of the connect command that some backend is to be told.
    pub(crate) fn keep_headers(&mut self, turn: &Turn<'_>, headers: BTreeMap<String, String>) {
        let wanted = &turn.settings.backend.emulated_headers;
        let lower = headers.into_iter().map(|(name, value)| (name.to_lowercase(), Bytes::from(value)));
        let emulated: Vec<_> = lower.filter(|(name, _)| wanted.contains(name)).collect();
        if !emulated.is_empty() {
            let transport =
                self.greeting.headers.take().map(|kept| kept.transport.clone()).unwrap_or_default();
            self.greeting.headers = Some(Arc::new(CallerHeaders { transport, emulated }));
        }
    }

    /// Asks a backend about a command. Where commands are carried out one by one, later ones wait for the answer.
    pub(crate) fn ask_backend(&mut self, turn: &mut Turn<'_>, context: Context, ask: Ask) {
        if turn.settings.one_by_one && self.behind.is_none() {
            self.behind = Some(Box::new(Behind { context, queue: VecDeque::new() }));
        }
        self.ask(turn, context, ask);
    }

    /// Takes the command if it has to wait. A pong never does: it says that the client lives, however slow a backend is.
    pub(crate) fn wait_behind(&mut self, command: Command) -> Option<Command> {
        match &mut self.behind {
            Some(behind) if !matches!(command.request, Request::Pong) => {
                behind.queue.push_back(command);
                None
            }
            _ => Some(command),
        }
    }

    /// The backend has answered about `context`: on with the commands behind it.
    pub(crate) fn release(&mut self, turn: &mut Turn<'_>, context: Context) {
        let Some(mut behind) = self.behind.take_if(|behind| behind.context == context) else {
            return;
        };
        while let Some(command) = behind.queue.pop_front() {
            self.handle_command(turn, command);
            if let Some(next) = &mut self.behind {
                next.queue.append(&mut behind.queue);
                return;
            }
        }
    }

    /// Source: client protocol, sections 6.4 and 11.4.
    pub(crate) fn rpc(&mut self, turn: &mut Turn<'_>, id: u32, request: RpcRequest) -> Result<(), Failure> {
        let rpc = &turn.settings.rpc;
        if rpc.ping_method.as_ref() == Some(&request.method) {
            self.answer(turn, id, Ok(ReplyBody::Rpc(RpcResult::default())));
            return Ok(());
        }
        rpc.check(&request.method)?;
        let data = self.encoding().received(request.data);
        let ask = Ask::Rpc { caller: Box::new(self.caller()), method: request.method, data };
        self.ask_backend(turn, Context::Rpc { id }, ask);
        Ok(())
    }

    pub(crate) fn called(&self, outcome: Outcome) -> Result<ReplyBody, Failure> {
        match outcome {
            Outcome::Rpc(data) => Ok(ReplyBody::Rpc(RpcResult { data: self.encoding().payload(&data?)? })),
            _ => Err(ErrorCode::INTERNAL.into()),
        }
    }

    /// When the backend must be asked whether the connection goes on.
    pub(crate) fn renewal_due(&self, turn: &Turn<'_>) -> Timestamp {
        let expire_at = self.expire_at.filter(|_| !self.renewing);
        expire_at.map_or(Timestamp::NEVER, |moment| turn.now.when(moment))
    }

    pub(crate) fn renew(&mut self, turn: &mut Turn<'_>) {
        self.renewing = true;
        let caller = Box::new(self.caller());
        self.ask(turn, Context::Renewal, Ask::Renew(caller));
    }

    /// The backend has said whether the connection goes on, or could not.
    pub(crate) fn renewed(&mut self, turn: &mut Turn<'_>, outcome: Outcome) {
        self.renewing = false;
        match outcome {
            Outcome::Renewed(Ok(Renewal::Renewed(renewed))) => {
                let Some(expire_at) = renewed.expire_at.filter(|moment| *moment > turn.now.unix()) else {
                    return self.close(turn, Disconnect::EXPIRED);
                };
                self.expire_at = Some(expire_at);
                if let Some(info) = renewed.info {
                    self.conn_info = Some(Box::new(info));
                }
                if let Some(meta) = renewed.meta {
                    self.meta = Some(Box::new(meta));
                }
            }
            Outcome::Renewed(Ok(Renewal::Expired)) => self.close(turn, Disconnect::EXPIRED),
            _ => self.expire_at = Some(postponed(turn)),
        }
    }

    pub(crate) fn renew_subscription(&mut self, turn: &mut Turn<'_>, key: SubKey) {
        let caller = Box::new(self.caller());
        let sub = self.subs.reference(key);
        let Some(subscription) = self.subs.get_mut(key) else {
            return;
        };
        subscription.renewing = true;
        let ask = Ask::RenewSubscription(caller, subscription.channel.clone());
        self.ask(turn, Context::SubRenewal(sub), ask);
    }

    /// The backend has said whether the subscription goes on, or could not.
    pub(crate) fn subscription_renewed(&mut self, turn: &mut Turn<'_>, sub: SubRef, outcome: Outcome) {
        let Some(subscription) = self.subs.find(sub) else {
            return;
        };
        subscription.renewing = false;
        let goes_on = match outcome {
            Outcome::Renewed(Ok(Renewal::Renewed(renewed))) => {
                subscription.expire_at = renewed.expire_at;
                if let Some(info) = renewed.info {
                    subscription.chan_info = Some(Box::new(info));
                }
                renewed.expire_at.is_none_or(|moment| moment > turn.now.unix())
            }
            Outcome::Renewed(Ok(Renewal::Expired)) => false,
            _ => {
                subscription.expire_at = Some(postponed(turn));
                true
            }
        };
        if goes_on {
            self.schedule_upkeep(turn);
        } else {
            self.subscription_expired(turn, sub.key);
        }
    }

    pub(crate) fn subscription_expired(&mut self, turn: &mut Turn<'_>, key: SubKey) {
        match self.subs.get(key) {
            Some(subscription) if subscription.server_side => {
                self.close(turn, Disconnect::SUBSCRIPTION_EXPIRED);
            }
            _ => self.end_subscription(turn, key, Unsubscribed::EXPIRED),
        }
    }
}

impl Subscription {
    /// When the backend must be asked whether it goes on.
    pub(crate) fn renewal_due(&self, turn: &Turn<'_>) -> Timestamp {
        let asks = self.is_live() && self.options.sub_refresh_proxy_enabled && !self.renewing;
        self.expire_at.filter(|_| asks).map_or(Timestamp::NEVER, |moment| turn.now.when(moment))
    }

    /// The expiry that the client is told because it is the client's to put off.
    pub(crate) fn expiry_for_client(&self) -> Option<UnixSeconds> {
        self.expire_at.filter(|_| !self.options.sub_refresh_proxy_enabled)
    }
}

fn postponed(turn: &Turn<'_>) -> UnixSeconds {
    UnixSeconds(turn.now.unix().0.saturating_add(i64::try_from(POSTPONED.as_secs()).unwrap_or(i64::MAX)))
}
