//! `refresh` and `sub_refresh`: a new token extends a connection or a subscription.
//!
//! Source: client protocol, sections 3.5 and 5.13.

use flywheel_model::ConnectClaims;
use flywheel_protocol::client::{
    RefreshRequest, RefreshResult, ReplyBody, Request, SubRefreshRequest, SubRefreshResult,
};
use flywheel_protocol::{Disconnect, ErrorCode};

use crate::effect::{Ask, Context, Failure, Outcome, Turn};
use crate::refusal::Fault;
use crate::session::{Session, ttl};
use crate::subscription::SubRef;

impl Session {
    pub(crate) fn begin_refresh(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: RefreshRequest,
    ) -> Result<(), Failure> {
        if turn.settings.backend.refresh {
            return Err(turn.refuse("", Fault::RenewedByServer));
        }
        if request.token.is_empty() {
            return Err(Failure::MissingToken);
        }
        let ask = Ask::Authenticate { token: request.token, data: bytes::Bytes::new(), trusted_user: None };
        self.ask(turn, Context::Refresh { id }, ask);
        Ok(())
    }

    pub(crate) fn refreshed(&mut self, turn: &mut Turn<'_>, outcome: Outcome) -> Result<ReplyBody, Failure> {
        let claims: Box<ConnectClaims> = match outcome {
            Outcome::Connected(Err(Failure::ExpiredToken)) => return Err(Disconnect::EXPIRED.into()),
            Outcome::Connected(claims) => claims?,
            _ => return Err(ErrorCode::INTERNAL.into()),
        };
        if claims.user != self.user {
            return Err(turn.refuse("", Fault::ForeignToken));
        }
        if claims.expire_at.is_some_and(|moment| moment <= turn.now.unix()) {
            return Err(ErrorCode::EXPIRED.into());
        }
        for channel in claims.subs.keys() {
            turn.settings.rules.options(channel.as_str())?;
        }
        if !claims.subs.is_empty() {
            let current = self.subs.iter().filter(|subscription| subscription.from_token);
            if !current.map(|subscription| &subscription.channel).eq(claims.subs.keys()) {
                return Err(Disconnect::INSUFFICIENT_STATE.into());
            }
        }
        // Without an expiry in the new token there is none any more.
        self.expire_at = claims.expire_at.filter(|_| !turn.settings.insecure);
        if let Some(info) = claims.info {
            self.conn_info = Some(Box::new(info));
        }
        if let Some(meta) = claims.meta {
            self.meta = Some(Box::new(meta));
        }
        let ttl = self.expire_at.and_then(|moment| ttl(turn, moment));
        Ok(ReplyBody::Refresh(RefreshResult {
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            ..RefreshResult::default()
        }))
    }

    pub(crate) fn begin_sub_refresh(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: SubRefreshRequest,
    ) -> Result<(), Failure> {
        if request.channel.is_empty() {
            return Err(turn.refuse("", Fault::NoName));
        }
        if self.queue_behind_subscribe(&request.channel, id, || Request::SubRefresh(request.clone())) {
            return Ok(());
        }
        let Some(key) = self.subs.key_of(&request.channel) else {
            return Err(ErrorCode::PERMISSION_DENIED.into());
        };
        let by_server = |subscription: &crate::subscription::Subscription| {
            subscription.server_side || subscription.options.sub_refresh_proxy_enabled
        };
        if self.subs.get(key).is_some_and(by_server) {
            return Err(turn.refuse(&request.channel, Fault::RenewedByServer));
        }
        if request.token.is_empty() {
            return Err(turn.refuse(&request.channel, Fault::NoToken));
        }
        let sub = self.subs.reference(key);
        self.ask(turn, Context::SubRefresh { id, sub }, Ask::Verify(request.token));
        Ok(())
    }

    pub(crate) fn sub_refreshed(
        &mut self,
        turn: &mut Turn<'_>,
        sub: SubRef,
        outcome: Outcome,
    ) -> Result<ReplyBody, Failure> {
        let claims = match outcome {
            // Temporary, so that SDKs ask for another token instead of giving the subscription up.
            Outcome::Verified(Err(Failure::ExpiredToken)) => {
                return Err(ErrorCode::TOKEN_EXPIRED.made_temporary().into());
            }
            Outcome::Verified(claims) => claims?,
            _ => return Err(ErrorCode::INTERNAL.into()),
        };
        let meant = self.is_meant_by(&claims);
        let Some(subscription) = self.subs.find(sub) else {
            return Err(ErrorCode::PERMISSION_DENIED.into());
        };
        if !meant || claims.channel != subscription.channel {
            return Err(turn.refuse(claims.channel.as_str(), Fault::ForeignToken));
        }
        let expire_at = claims.grant.expire_at;
        if expire_at.is_some_and(|moment| moment <= turn.now.unix()) {
            return Err(ErrorCode::EXPIRED.into());
        }
        subscription.expire_at = expire_at;
        if let Some(info) = claims.grant.info {
            subscription.chan_info = Some(Box::new(info));
        }
        self.schedule_upkeep(turn);
        let ttl = expire_at.and_then(|moment| ttl(turn, moment));
        Ok(ReplyBody::SubRefresh(SubRefreshResult { expires: ttl.is_some(), ttl: ttl.unwrap_or_default() }))
    }
}
