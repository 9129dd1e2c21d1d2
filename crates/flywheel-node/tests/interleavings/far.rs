//! An engine on a server: every call is answered later, and what is published is heard by whoever has subscribed there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{
    Answer, Broker, EngineError, Presence, PresenceStats, PublishOptions, Published, Sink,
};
use flywheel_model::{
    Channel, ChannelEvent, ChannelEventKind, ClientInfo, Epoch, Payload, Publication, Timestamp,
};
use flywheel_stream::{Append, History, HistoryQuery, Retention, Stream};

use crate::{Mutex, Routes};

const KEEP: Retention = Retention { size: 8, ttl: Duration::from_mins(1), meta_ttl: Duration::from_hours(1) };

/// What the engine does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// It gives a channel up without asking whether somebody came back.
    GivesUpBlindly,
}

/// Shared by all who call it.
#[derive(Clone)]
pub(crate) struct Far(Arc<Inner>);

struct Inner {
    server: Mutex<Server>,
    routes: Arc<Routes>,
    flaw: Flaw,
}

/// What the server knows.
#[derive(Default)]
pub(crate) struct Server {
    streams: BTreeMap<Channel, Stream>,
    /// Channels that this node is subscribed to.
    pub(crate) heard: BTreeSet<Channel>,
    pub(crate) present: BTreeSet<(Channel, String)>,
    /// Joins, `true`, and leaves, in order.
    pub(crate) attended: Vec<(String, bool)>,
}

impl Far {
    pub(crate) fn new(routes: &Arc<Routes>, flaw: Flaw) -> Self {
        let server = Mutex::new(Server::default());
        Self(Arc::new(Inner { server, routes: Arc::clone(routes), flaw }))
    }

    /// Looks at what the server knows.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Server) -> T) -> T {
        look(&self.0.server.lock())
    }

    /// Publishes at the server, as another node would.
    pub(crate) fn publish_there(&self, channel: &Channel) {
        let server = &mut *self.0.server.lock();
        let stream = server.streams.entry(channel.clone()).or_insert_with(begin);
        let publication = Publication::of(Payload::new("{}".into()));
        let Append::Appended(publication) = stream.append(Timestamp::ZERO, publication, None, KEEP) else {
            panic!("nothing supersedes it");
        };
        let kind = ChannelEventKind::Publication(publication, stream.position().epoch, None);
        if server.heard.contains(channel) {
            // Under the lock, as one connection hears in order.
            self.0.routes.deliver(ChannelEvent { channel: channel.clone(), kind });
        }
    }

    /// Does something at the server, later.
    fn later<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Server, &Inner) -> T + Send + 'static,
    ) -> Answer<Result<T, EngineError>> {
        let far = self.clone();
        Answer::later(async move { Ok(act(&mut far.0.server.lock(), &far.0)) })
    }
}

fn begin() -> Stream {
    Stream::new(Epoch::from("e"), Timestamp::ZERO, KEEP.meta_ttl)
}

impl Broker for Far {
    fn publish(
        &self,
        channel: &Channel,
        _publication: Publication,
        _options: PublishOptions,
    ) -> Answer<Result<Published, EngineError>> {
        panic!("nobody publishes into {channel} this way");
    }

    fn publish_join(&self, _channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        self.later(|server, _| server.attended.push((info.client, true)))
    }

    fn publish_leave(&self, _channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        self.later(|server, _| server.attended.push((info.client, false)))
    }

    fn subscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.later(|server, _| {
            server.heard.insert(channel);
        })
    }

    fn unsubscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.later(move |server, inner| {
            if inner.flaw == Flaw::GivesUpBlindly || !inner.routes.has_subscribers(&channel) {
                server.heard.remove(&channel);
            }
        })
    }

    fn history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
        _meta_ttl: Duration,
    ) -> Answer<Result<History, EngineError>> {
        let channel = channel.clone();
        self.later(move |server, _| {
            let stream = server.streams.entry(channel).or_insert_with(begin);
            stream.read(Timestamp::ZERO, &query).unwrap()
        })
    }

    fn remove_history(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        panic!("nobody clears {channel}");
    }
}

impl Presence for Far {
    fn add(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.later(|server, _| {
            server.present.insert((channel, info.client));
        })
    }

    fn remove(&self, channel: &Channel, client: &str) -> Answer<Result<(), EngineError>> {
        let entry = (channel.clone(), client.to_owned());
        self.later(move |server, _| {
            server.present.remove(&entry);
        })
    }

    fn clients(&self, channel: &Channel) -> Answer<Result<Vec<Arc<ClientInfo>>, EngineError>> {
        panic!("nobody asks who is in {channel}");
    }

    fn stats(&self, channel: &Channel) -> Answer<Result<PresenceStats, EngineError>> {
        panic!("nobody asks how many are in {channel}");
    }
}
