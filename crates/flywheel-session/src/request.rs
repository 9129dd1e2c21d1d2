//! The commands that are not about connecting or subscribing.
//!
//! Source: client protocol, section 6.

use std::collections::VecDeque;
use std::sync::Arc;

use flywheel_model::{Channel, ChannelOptions};
use flywheel_protocol::ErrorCode;
use flywheel_protocol::client::{
    Empty, HistoryRequest, HistoryResult, PresenceRequest, PresenceStatsRequest, PublishRequest, ReplyBody,
    Request,
};
use flywheel_stream::HistoryQuery;

use crate::effect::{Ask, Context, Failure, Outcome, Turn, presence_result};
use crate::permission::{Operation, may};
use crate::refusal::Fault;
use crate::session::Session;

/// The `type` of a publish into a map channel.
const MAP_TYPE: i32 = 1;

/// Publish commands that cannot be carried out yet, because publications of one connection keep their order, whatever
/// answers how fast.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    /// Whether one is being worked on. Otherwise the channel of the first in the queue is being subscribed.
    asked: bool,
    pub(crate) queue: VecDeque<(u32, PublishRequest)>,
}

impl Session {
    pub(crate) fn begin_publish(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: PublishRequest,
    ) -> Result<(), Failure> {
        // Behind earlier ones of the same channel, wherever these wait: here or for a subscription.
        let behind = |(_, earlier): &(u32, PublishRequest)| earlier.channel == request.channel;
        let is_behind =
            self.publishing.as_ref().is_some_and(|publishing| publishing.queue.iter().any(behind));
        if !is_behind
            && self.queue_behind_subscribe(&request.channel, id, || Request::Publish(request.clone()))
        {
            return Ok(());
        }
        if let Some(publishing) = &mut self.publishing {
            publishing.queue.push_back((id, request));
            return Ok(());
        }
        self.publish(turn, id, request)
    }

    fn publish(&mut self, turn: &mut Turn<'_>, id: u32, request: PublishRequest) -> Result<(), Failure> {
        let options = resolve(turn, &request.channel)?;
        let data = self.encoding().received(request.data);
        if request.type_ == MAP_TYPE {
            return Err(ErrorCode::PERMISSION_DENIED.into());
        }
        if !options.publication_data_format.admits(&data) {
            return Err(turn.refuse(&request.channel, Fault::DataFormat));
        }
        // Where a backend decides, it alone does.
        let caller = options.publish_proxy_enabled.then(|| Box::new(self.caller()));
        if caller.is_none() {
            self.permit(turn, &options, Operation::Publish, &request.channel)?;
        }
        let chan_info =
            self.subs.of(&request.channel).and_then(|subscription| subscription.chan_info.clone());
        let info = self.info(chan_info.as_deref());
        self.publishing.get_or_insert_default().asked = true;
        let (context, by_backend) = (Context::Publish { id }, caller.is_some());
        let ask = Ask::Publish { channel: Channel::from(request.channel), data, info, caller };
        if by_backend {
            self.ask_backend(turn, context, ask);
        } else {
            self.ask(turn, context, ask);
        }
        Ok(())
    }

    pub(crate) fn published(&mut self, turn: &mut Turn<'_>, id: u32, outcome: Outcome) {
        let result = match outcome {
            Outcome::Done(done) => done.map(|_position| ReplyBody::Publish(Empty {})),
            _ => Err(ErrorCode::INTERNAL.into()),
        };
        if let Some(publishing) = &mut self.publishing {
            publishing.asked = false;
        }
        self.answer(turn, id, result);
        self.continue_publishing(turn);
    }

    /// Carries out the next publish command that waits, unless it must go on waiting.
    pub(crate) fn continue_publishing(&mut self, turn: &mut Turn<'_>) {
        while self.is_connected()
            && let Some(publishing) = self.publishing.as_mut().filter(|publishing| !publishing.asked)
        {
            let Some((_, next)) = publishing.queue.front() else {
                self.publishing = None;
                return;
            };
            if self.subs.of(&next.channel).is_some_and(|subscription| !subscription.is_live()) {
                return;
            }
            if let Some((id, request)) = publishing.queue.pop_front()
                && let Err(failure) = self.publish(turn, id, request)
            {
                self.fail(turn, id, failure);
            }
        }
    }

    pub(crate) fn begin_presence(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: PresenceRequest,
    ) -> Result<(), Failure> {
        if self.queue_behind_subscribe(&request.channel, id, || Request::Presence(request.clone())) {
            return Ok(());
        }
        self.check_presence(turn, &request.channel)?;
        self.ask(turn, Context::Query { id }, Ask::Presence(Channel::from(request.channel)));
        Ok(())
    }

    pub(crate) fn begin_presence_stats(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: PresenceStatsRequest,
    ) -> Result<(), Failure> {
        if self.queue_behind_subscribe(&request.channel, id, || Request::PresenceStats(request.clone())) {
            return Ok(());
        }
        self.check_presence(turn, &request.channel)?;
        self.ask(turn, Context::Query { id }, Ask::PresenceStats(Channel::from(request.channel)));
        Ok(())
    }

    fn check_presence(&self, turn: &mut Turn<'_>, channel: &str) -> Result<(), Failure> {
        let options = resolve(turn, channel)?;
        if !options.presence {
            return Err(ErrorCode::NOT_AVAILABLE.into());
        }
        self.permit(turn, &options, Operation::Presence, channel)
    }

    pub(crate) fn begin_history(
        &mut self,
        turn: &mut Turn<'_>,
        id: u32,
        request: HistoryRequest,
    ) -> Result<(), Failure> {
        if self.queue_behind_subscribe(&request.channel, id, || Request::History(request.clone())) {
            return Ok(());
        }
        let options = resolve(turn, &request.channel)?;
        if !options.has_history() {
            return Err(ErrorCode::NOT_AVAILABLE.into());
        }
        self.permit(turn, &options, Operation::History, &request.channel)?;
        let since = request.since.map(flywheel_model::StreamPosition::from);
        if request.reverse && since.as_ref().is_some_and(|since| since.offset == 0) {
            return Err(turn.refuse(&request.channel, Fault::ReverseSinceStart));
        }
        let most = turn.settings.history_limit;
        let limit = match usize::try_from(request.limit) {
            Ok(limit) => Some(most.map_or(limit, |most| limit.min(most))),
            Err(_) => most,
        };
        let query = HistoryQuery { limit, since, reverse: request.reverse };
        self.ask(turn, Context::Query { id }, Ask::History(Channel::from(request.channel), query));
        Ok(())
    }

    /// The reply to a presence, presence stats or history command.
    pub(crate) fn queried(&self, outcome: Outcome) -> Result<ReplyBody, Failure> {
        let encoding = self.encoding();
        match outcome {
            Outcome::Presence(clients) => Ok(ReplyBody::Presence(presence_result(encoding, &clients?)?)),
            Outcome::PresenceStats(stats) => Ok(ReplyBody::PresenceStats(stats?)),
            Outcome::History(history) => {
                let history = history?;
                let publications =
                    history.publications.iter().map(|publication| encoding.publication(publication, None));
                Ok(ReplyBody::History(HistoryResult {
                    publications: publications.collect::<Result<_, _>>()?,
                    epoch: history.top.epoch.as_str().to_owned(),
                    offset: history.top.offset,
                }))
            }
            _ => Err(ErrorCode::INTERNAL.into()),
        }
    }

    fn permit(
        &self,
        turn: &Turn<'_>,
        options: &ChannelOptions,
        operation: Operation,
        channel: &str,
    ) -> Result<(), Failure> {
        let subscribed = self.subs.of(channel).is_some();
        if may(turn.settings, options, operation, &self.user, subscribed) {
            Ok(())
        } else {
            Err(ErrorCode::PERMISSION_DENIED.into())
        }
    }
}

/// The options of a channel that a command names.
fn resolve(turn: &mut Turn<'_>, channel: &str) -> Result<Arc<ChannelOptions>, Failure> {
    if channel.is_empty() {
        return Err(turn.refuse(channel, Fault::NoName));
    }
    turn.options_of(channel)
}
