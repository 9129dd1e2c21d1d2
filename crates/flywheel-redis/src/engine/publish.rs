use std::time::Duration;

use flywheel_engine::{EngineError, PublishOptions, Published};
use flywheel_model::{Channel, ClientInfo, Publication, StreamPosition, Timestamp};
use smallvec::SmallVec;

use super::gaps::text;
use super::route::Call;
use super::shard::{Shard, failed, unexpected};
use crate::envelope;
use crate::keys::SlotTag;
use crate::resp::{Command, Value};
use crate::scripts::ScriptCall;

/// How long an idempotency key is remembered, in seconds. Source: server API, section 3.3.
const RESULT_TTL: &[u8] = b"300";

/// More than all arguments of a publication take but itself and names.
const SMALL_ARGUMENTS: usize = 200;

/// Whole seconds, not less than what was asked for; as text.
pub(super) fn seconds(time: Duration) -> String {
    whole_seconds(time).to_string()
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// A publication, ready to be sent.
enum Ready<'s> {
    /// Nothing of it is kept.
    Command(Command),
    Script(ScriptCall<'s>),
}

impl Shard {
    pub(super) async fn publish(
        &self,
        channel: &Channel,
        publication: &Publication,
        options: &PublishOptions,
    ) -> Result<Published, EngineError> {
        let deadline = self.deadline();
        let keys = self.keys(deadline).await?;
        let (call, ready) = self.ready(&keys.of_channel(channel), publication, options, deadline);
        match ready {
            Ready::Command(command) => self.command(call, command).await.map(|_| Published::Made(None)),
            Ready::Script(script) => published(&self.script(call, &script).await.map_err(failed(channel))?),
        }
    }

    /// Apart, so that what it takes to make the call is gone while the answer is waited for.
    fn ready(
        &self,
        tag: &SlotTag<'_>,
        publication: &Publication,
        options: &PublishOptions,
        deadline: Timestamp,
    ) -> (Call, Ready<'_>) {
        let body = envelope::publication(publication);
        let result = options.idempotency_key.as_deref().map(|key| tag.result(key));
        let call = Call { is_repeatable: result.is_some(), ..Self::call_of(tag, deadline) };
        let (word, name) = (publish_word(tag), tag.messages());
        let Some(retention) = options.history else {
            let ready = match result {
                None => Ready::Command(telling(tag, &body)),
                Some(result) => {
                    let arguments = [&body[..], word.as_bytes(), name.as_bytes(), RESULT_TTL];
                    Ready::Script(self.scripts.publish_once.call(&[&result], &arguments))
                }
            };
            return (call, ready);
        };
        let (kept, meta, script) = if self.options.history_lists {
            (tag.list(), tag.list_meta(), &self.scripts.publish_list)
        } else {
            (tag.stream(), tag.stream_meta(), &self.scripts.publish_stream)
        };
        let mut keys = SmallVec::<[&str; 3]>::from_slice(&[&kept, &meta]);
        keys.extend(result.as_deref());
        let version = options.version.as_ref().filter(|version| version.number > 0);
        let version_epoch = version.map_or("", |version| &version.epoch);
        let bytes = body.len() + name.len() + version_epoch.len() + SMALL_ARGUMENTS;
        let script = script
            .call_of(&keys, bytes)
            .arg(&body)
            .number(retention.size as u64)
            .number(whole_seconds(retention.ttl))
            .number(whole_seconds(retention.meta_ttl))
            .arg(word.as_bytes())
            .arg(name.as_bytes())
            .arg(if options.delta { b"1" } else { b"0" })
            .number(version.map_or(0, |version| version.number))
            .arg(version_epoch.as_bytes())
            .arg(RESULT_TTL)
            .arg(self.new_epoch().as_str().as_bytes());
        (call, Ready::Script(script))
    }

    pub(super) async fn publish_join(&self, channel: &Channel, info: &ClientInfo) -> Result<(), EngineError> {
        self.tell_of(channel, &envelope::join(info)).await
    }

    pub(super) async fn publish_leave(
        &self,
        channel: &Channel,
        info: &ClientInfo,
    ) -> Result<(), EngineError> {
        self.tell_of(channel, &envelope::leave(info)).await
    }

    async fn tell_of(&self, channel: &Channel, message: &[u8]) -> Result<(), EngineError> {
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_channel(channel);
        self.tell(&tag, Self::call_of(&tag, deadline), message).await
    }

    /// Publishes what is not kept.
    async fn tell(&self, tag: &SlotTag<'_>, call: Call, message: &[u8]) -> Result<(), EngineError> {
        self.command(call, telling(tag, message)).await.map(drop)
    }
}

fn telling(tag: &SlotTag<'_>, message: &[u8]) -> Command {
    let name = tag.messages();
    let command = Command::with_capacity(publish_word(tag), message.len() + name.len() + 32);
    command.arg(name).arg(message)
}

fn publish_word(tag: &SlotTag<'_>) -> &'static str {
    if tag.is_sharded() { "SPUBLISH" } else { "PUBLISH" }
}

fn published(answer: &[Value]) -> Result<Published, EngineError> {
    let epoch = text(answer.get(1));
    let offset = answer.first().and_then(Value::uint);
    let position = match offset {
        Some(offset) if !epoch.is_empty() => Some(StreamPosition { offset, epoch: epoch.into() }),
        _ => None,
    };
    match (text(answer.get(2)), position) {
        ("made", position) => Ok(Published::Made(position)),
        ("repeated", position) => Ok(Published::Repeated(position)),
        ("superseded", Some(top)) => Ok(Published::Superseded(top)),
        _ => Err(unexpected()),
    }
}
