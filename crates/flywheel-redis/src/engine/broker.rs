use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{Answer, Broker, EngineError, Presence, PresenceStats, PublishOptions, Published};
use flywheel_model::{Channel, ClientInfo, Publication};
use flywheel_stream::{History, HistoryQuery};

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
