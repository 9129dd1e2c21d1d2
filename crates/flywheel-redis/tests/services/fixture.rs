use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::conformance::Recorder;
use flywheel_engine::{Answer, ControlSink, Sink};
use flywheel_model::{Channel, ChannelEvent};
use flywheel_redis::engine::{EngineParts, RedisEngine, RedisOptions};
use flywheel_redis::link::{Endpoint, Link, LinkError, LinkSettings};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_testkit::wait_until;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

/// Longer than anything takes on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What an engine tells the node.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    pub(crate) recorder: Recorder,
    pub(crate) gaps: Mutex<Vec<Channel>>,
    pub(crate) control: Mutex<Vec<Vec<u8>>>,
}

impl Sink for Ear {
    fn deliver(&self, event: ChannelEvent) {
        self.recorder.deliver(event);
    }

    fn gap(&self, channel: &Channel) {
        self.gaps.lock().push(channel.clone());
    }

    fn has_subscribers(&self, channel: &Channel) -> bool {
        self.recorder.has_subscribers(channel)
    }
}

impl ControlSink for Ear {
    fn receive(&self, message: &[u8]) {
        self.control.lock().push(message.to_vec());
    }
}

/// Runtime, clock, chance and tasks.
pub(crate) struct Ground {
    pub(crate) clock: Clock,
    pub(crate) random: Arc<Random>,
    pub(crate) tasks: Tasks,
    pub(crate) runtime: Runtime,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let tasks = Tasks::new(runtime.handle().clone());
        Self { clock: Clock::system(), random: Arc::new(Random::system()), tasks, runtime }
    }

    pub(crate) fn connect(&self, endpoint: &Endpoint, settings: &LinkSettings) -> Result<Link, LinkError> {
        self.runtime.block_on(Link::connect(endpoint, settings, &self.clock, &self.random, &self.tasks))
    }

    pub(crate) fn engine(
        &self,
        uid: &str,
        endpoint: Endpoint,
        link: LinkSettings,
        options: RedisOptions,
    ) -> Node {
        let ear = Arc::new(Ear::default());
        let context = Context {
            clock: self.clock.clone(),
            random: Arc::clone(&self.random),
            tasks: self.tasks.clone(),
        };
        let router = Shard::start(ShardSettings::new(Seeds::Server(endpoint), link.clone()), &context);
        let engine = RedisEngine::start(EngineParts {
            uid: uid.into(),
            shards: vec![(router, link)],
            options,
            sink: ear.clone(),
            control: Some(ear.clone()),
            clock: self.clock.clone(),
            random: Arc::clone(&self.random),
            tasks: self.tasks.clone(),
        });
        Node { engine, ear }
    }

    pub(crate) fn wait<T: Send + 'static>(&self, answer: Answer<T>) -> T {
        self.runtime.block_on(answer.wait())
    }
}

/// An engine and what it tells.
pub(crate) struct Node {
    pub(crate) engine: RedisEngine,
    pub(crate) ear: Arc<Ear>,
}

pub(crate) fn local(port: u16) -> Endpoint {
    Endpoint::tcp("127.0.0.1", port)
}

#[track_caller]
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(wait_until(PATIENCE, condition), "{what}");
}
