use std::time::Duration;

use flywheel_engine::{EngineError, PublishOptions, Published};
use flywheel_model::{Channel, ClientInfo, Publication, StreamPosition};

use super::gaps::text;
use super::route::Call;
use super::shard::{Shard, failed, unexpected};
use crate::envelope;
use crate::keys::SlotTag;
use crate::resp::{Command, Value};

/// How long an idempotency key is remembered, in seconds. Source: server API, section 3.3.
const RESULT_TTL: &[u8] = b"300";

/// Whole seconds, not less than what was asked for; as text.
pub(super) fn seconds(time: Duration) -> String {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).to_string()
}

impl Shard {
    pub(super) async fn publish(
        &self,
        channel: &Channel,
        publication: &Publication,
        options: &PublishOptions,
    ) -> Result<Published, EngineError> {
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_channel(channel);
        let body = envelope::publication(publication);
        let has_key = options.idempotency_key.is_some();
        let call = Call { is_repeatable: has_key, ..Self::call_of(&tag, deadline) };
        let result = options.idempotency_key.as_deref().map(|key| tag.result(key));
        let Some(retention) = options.history else {
            return match result {
                None => self.tell(&tag, call, &body).await.map(|()| Published::Made(None)),
                Some(result) => {
                    let (word, name) = (publish_word(&tag), tag.messages());
                    let arguments = [&body[..], word.as_bytes(), name.as_bytes(), RESULT_TTL];
                    let script = self.scripts.publish_once.call(&[&result], &arguments);
                    published(&self.script(call, &script).await.map_err(failed(channel))?)
                }
            };
        };
        let (kept, meta, script) = if self.options.history_lists {
            (tag.list(), tag.list_meta(), &self.scripts.publish_list)
        } else {
            (tag.stream(), tag.stream_meta(), &self.scripts.publish_stream)
        };
        let mut keys = vec![kept.as_str(), meta.as_str()];
        keys.extend(result.as_deref());
        let version = options.version.as_ref().filter(|version| version.number > 0);
        let epoch = self.new_epoch();
        let arguments = [
            &body[..],
            &retention.size.to_string().into_bytes(),
            &seconds(retention.ttl).into_bytes(),
            &seconds(retention.meta_ttl).into_bytes(),
            publish_word(&tag).as_bytes(),
            tag.messages().as_bytes(),
            if options.delta { b"1" } else { b"0" },
            &version.map_or(0, |version| version.number).to_string().into_bytes(),
            version.map_or("", |version| &version.epoch).as_bytes(),
            RESULT_TTL,
            epoch.as_str().as_bytes(),
        ]
        .map(<[u8]>::to_vec);
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let script = script.call(&keys, &arguments);
        published(&self.script(call, &script).await.map_err(failed(channel))?)
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
        let name = tag.messages();
        let command = Command::with_capacity(publish_word(tag), message.len() + name.len() + 32);
        self.command(call, command.arg(name).arg(message)).await.map(drop)
    }
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
