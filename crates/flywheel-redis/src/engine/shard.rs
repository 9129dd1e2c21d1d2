use std::sync::{Arc, OnceLock};

use flywheel_engine::EngineError;
use flywheel_model::{Channel, Epoch, Timestamp};
use flywheel_runtime::{Clock, Random, Tasks};
use tokio::time::timeout;

use super::RedisOptions;
use super::ears::Ears;
use super::hearing::{Hearer, Hearing};
use super::route::{Call, Router};
use crate::keys::{Keys, Layout, SlotTag};
use crate::link::{CallError, ErrorWord};
use crate::resp::{Command, Value};
use crate::scripts::{ScriptCall, Scripts};
use crate::subscriber::Topic;

/// One place: where a part of all channels is.
pub(super) struct Shard {
    /// Such as `redis[0]`.
    pub(super) name: String,
    pub(super) router: Arc<dyn Router>,
    pub(super) hearing: Hearing,
    /// Names this node.
    pub(super) uid: String,
    pub(super) tasks: Tasks,
    pub(super) ears: Arc<Ears>,
    pub(super) options: RedisOptions,
    pub(super) scripts: Scripts,
    pub(super) clock: Clock,
    pub(super) random: Arc<Random>,
    pub(super) keys: OnceLock<Keys>,
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> EngineError {
    EngineError::Unavailable(error.to_string())
}

/// The same for what is wrong with the keys of one channel.
pub(super) fn wrong_with(channel: &Channel) -> impl Fn(&dyn std::fmt::Display) -> EngineError {
    |error| {
        let name: String = channel.as_str().chars().take(NAME_MAX).collect();
        EngineError::Unavailable(format!("channel {name:?}: {error}"))
    }
}

/// The same for a call about a channel: what a server answers may be for the sake of that channel's keys alone.
pub(super) fn failed(channel: &Channel) -> impl Fn(CallError) -> EngineError {
    move |error| match &error {
        CallError::Server(answered) => wrong_with(channel)(answered),
        _ => unavailable(error),
    }
}

/// Characters of a channel's name that go into an error: it may be anything.
const NAME_MAX: usize = 64;

/// What came is not what the script answers.
pub(super) fn unexpected() -> EngineError {
    EngineError::Unavailable("an answer of Redis is not what was expected".into())
}

impl Shard {
    /// When a call that begins now has to have an answer.
    pub(super) fn deadline(&self) -> Timestamp {
        self.clock.now().at + self.options.command_timeout
    }

    /// How keys are named, waited for until the first server has said what it is.
    pub(super) async fn keys(&self, deadline: Timestamp) -> Result<&Keys, EngineError> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let Some(layout) = self.layout(deadline).await else { return Err(unavailable(self.router.reason())) };
        let keys = Keys::new(self.options.prefix.clone(), layout).map_err(unavailable)?;
        self.claim_layout(&keys, deadline).await?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// Waits for the layout until the deadline, or until it is known that waiting is in vain.
    async fn layout(&self, deadline: Timestamp) -> Option<Layout> {
        let (mut layouts, mut changes) = (self.router.layout(), self.router.changes());
        let refused = async { while self.router.refusal().is_none() && changes.changed().await.is_ok() {} };
        let known = async {
            tokio::select! {
                known = layouts.wait_for(Option::is_some) => known.ok().and_then(|layout| *layout),
                () = refused => None,
            }
        };
        timeout(deadline.since(self.clock.now().at), known).await.ok().flatten()
    }

    pub(super) fn new_epoch(&self) -> Epoch {
        Epoch::from_random(self.random.next_u64())
    }

    /// What `tag` is about is called with; `writes` unless it only looks.
    pub(super) fn call_of(tag: &SlotTag<'_>, deadline: Timestamp) -> Call {
        Call { slot: tag.slot(), deadline, writes: true, is_repeatable: false }
    }

    /// Makes a call with a command that is made once and copied for each attempt.
    pub(super) async fn command(&self, call: Call, command: Command) -> Result<Value, EngineError> {
        self.router.call(call, &move || command.clone()).await.map_err(unavailable)
    }

    /// Runs a script, with its source where the server does not know it. Answers its elements without the word.
    pub(super) async fn script(&self, call: Call, script: &ScriptCall<'_>) -> Result<Vec<Value>, CallError> {
        let by_name = self.router.call(call, &|| script.by_name()).await;
        let answer = match by_name {
            Err(CallError::Server(error)) if error.word == ErrorWord::NoScript => {
                self.router.call(call, &|| script.by_source()).await
            }
            other => other,
        };
        answer.map(|value| match value {
            Value::Array(items) => items,
            other => vec![other],
        })
    }

    pub(super) async fn subscribe(self: Arc<Self>, channel: Channel) -> Result<(), EngineError> {
        let deadline = self.deadline();
        let tag = self.keys(deadline).await?.of_channel(&channel);
        let (name, hearer) = (tag.messages(), self.hearer_of(&tag));
        self.ears.remember(&channel);
        let topic = Topic::Channel(channel.clone());
        let mut undo = Undo { shard: &self, hearer: &hearer, channel: &channel, name: &name, is_due: true };
        let subscribed = hearer.subscriber.subscribe(name.clone(), topic, deadline).await;
        undo.is_due = subscribed.is_err();
        subscribed.map_err(unavailable)
    }

    pub(super) async fn unsubscribe(self: Arc<Self>, channel: Channel) -> Result<(), EngineError> {
        let tag = self.keys(self.deadline()).await?.of_channel(&channel);
        self.ears.forget(&channel);
        self.hearer_of(&tag).subscriber.unsubscribe(tag.messages()).map_err(unavailable)
    }

    /// What hears the messages of `tag`, and is probed from now on.
    fn hearer_of(self: &Arc<Self>, tag: &SlotTag<'_>) -> Arc<Hearer> {
        let (hearer, is_new) = self.hearing.of(tag);
        if is_new {
            self.tasks.spawn_background(super::probe::hear(Arc::downgrade(self), Arc::clone(&hearer)));
        }
        hearer
    }
}

/// Gives a channel up, unless somebody wants it by then, when the call that asked for it fails or is dropped: whoever made
/// it does not know that the channel is wanted all the same.
struct Undo<'s> {
    shard: &'s Shard,
    hearer: &'s Hearer,
    channel: &'s Channel,
    name: &'s str,
    is_due: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.shard.ears.forget(self.channel);
            // When even that does not fit, it is heard in vain until the channel is left.
            drop(self.hearer.subscriber.unsubscribe(self.name.to_owned()));
        }
    }
}
