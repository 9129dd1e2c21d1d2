use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{Answer, Broker, EngineError, Presence, PresenceStats, PublishOptions, Published};
use flywheel_model::{Channel, ClientInfo, Publication};
use flywheel_stream::{History, HistoryQuery};
use tokio::task::JoinSet;

use super::handle::RedisEngine;
use super::shard::{Shard, unavailable};

impl RedisEngine {
    /// Does something in the place of a channel.
    fn there<T, F>(
        &self,
        channel: &Channel,
        work: impl FnOnce(Arc<Shard>, Channel) -> F,
    ) -> Answer<Result<T, EngineError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        match self.shard(channel) {
            Some(shard) => Answer::later(work(shard, channel.clone())),
            None => Answer::Now(Err(unavailable("there is no Redis"))),
        }
    }
}

/// Calls that are under way together; they share the connections anyway.
const TOGETHER: usize = 256;

/// Waits for all answers. The error of one does not keep the others from being made.
async fn all(answers: Vec<Answer<Result<(), EngineError>>>) -> Result<(), EngineError> {
    let mut result = Ok(());
    let mut under_way = JoinSet::new();
    let mut answers = answers.into_iter();
    loop {
        while under_way.len() < TOGETHER
            && let Some(answer) = answers.next()
        {
            under_way.spawn(answer.wait());
        }
        match under_way.join_next().await {
            None => return result,
            Some(Ok(one)) => result = result.and(one),
            Some(Err(error)) => result = Err(unavailable(error)),
        }
    }
}

impl Broker for RedisEngine {
    fn publish(
        &self,
        channel: &Channel,
        publication: Publication,
        options: PublishOptions,
    ) -> Answer<Result<Published, EngineError>> {
        self.there(
            channel,
            |shard, channel| async move { shard.publish(&channel, &publication, &options).await },
        )
    }

    fn publish_join(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        self.there(channel, |shard, channel| async move { shard.publish_join(&channel, &info).await })
    }

    fn publish_leave(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        self.there(channel, |shard, channel| async move { shard.publish_leave(&channel, &info).await })
    }

    fn subscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        self.there(channel, |shard, channel| async move { shard.subscribe(channel).await })
    }

    fn unsubscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        self.there(channel, |shard, channel| async move { shard.unsubscribe(channel).await })
    }

    fn history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
        meta_ttl: Duration,
    ) -> Answer<Result<History, EngineError>> {
        self.there(
            channel,
            move |shard, channel| async move { shard.history(&channel, &query, meta_ttl).await },
        )
    }

    fn remove_history(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        self.there(channel, |shard, channel| async move { shard.remove_history(&channel).await })
    }
}

impl Presence for RedisEngine {
    fn add(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        self.there(channel, |shard, channel| async move { shard.add_present(&channel, &info).await })
    }

    fn refresh(&self, entries: &[(Channel, Box<ClientInfo>)]) -> Answer<Result<(), EngineError>> {
        let added = entries.iter().map(|(channel, info)| self.add(channel, (**info).clone()));
        let added: Vec<_> = added.collect();
        Answer::later(all(added))
    }

    fn remove(&self, channel: &Channel, client: &str) -> Answer<Result<(), EngineError>> {
        let client = client.to_owned();
        self.there(channel, |shard, channel| async move { shard.remove_present(&channel, &client).await })
    }

    fn clients(&self, channel: &Channel) -> Answer<Result<Vec<Arc<ClientInfo>>, EngineError>> {
        self.there(channel, |shard, channel| async move { shard.present(&channel).await })
    }

    fn stats(&self, channel: &Channel) -> Answer<Result<PresenceStats, EngineError>> {
        self.there(channel, |shard, channel| async move { shard.presence_stats(&channel).await })
    }
}
