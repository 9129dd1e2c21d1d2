use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flywheel_engine::conformance::Recorder;
use flywheel_engine::{Answer, Broker, Dependencies, EngineError, PublishOptions, Published, Sink};
use flywheel_model::{Channel, ChannelEvent, Payload, Publication, StreamPosition};
use flywheel_redis::engine::{EngineParts, RedisEngine, RedisOptions, Router};
use flywheel_redis::link::{Endpoint, LinkSettings};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_stream::{HistoryQuery, Retention};
use flywheel_testkit::{Bound, Footprint, MASTER_NAME, SentinelSet, wait_until};
use parking_lot::Mutex;
use tokio::task::{JoinHandle, JoinSet};

/// How long a condition may take that usually takes a tenth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long a fault lasts until a node says that it is not ready.
pub(crate) const GRACE: Duration = Duration::from_millis(2_500);
/// Memory that may be held more at the end of a row than at its beginning, in bytes.
const MEMORY: u64 = 64 << 20;
pub(crate) const KEEP: Retention =
    Retention { size: 1000, ttl: Duration::from_mins(5), meta_ttl: Duration::from_mins(10) };

/// A sink that remembers events and gaps. Everything has subscribers.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    pub(crate) recorder: Recorder,
    gaps: Mutex<Vec<Channel>>,
    /// Whether it has no room, so that what comes is dropped and counted.
    pub(crate) is_full: AtomicBool,
    pub(crate) dropped: AtomicUsize,
    /// What it had room for.
    pub(crate) heard: AtomicUsize,
    /// Whether it takes its time, with every event.
    pub(crate) is_slow: AtomicBool,
}

impl Sink for Ear {
    fn deliver(&self, event: ChannelEvent) {
        if self.is_slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_micros(200));
        }
        if self.is_full.load(Ordering::SeqCst) {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        } else {
            self.recorder.deliver(event);
            self.heard.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn gap(&self, channel: &Channel) {
        self.gaps.lock().push(channel.clone());
    }

    fn has_subscribers(&self, _channel: &Channel) -> bool {
        true
    }
}

/// A publication that was begun.
pub(crate) type UnderWay = JoinHandle<Result<Published, EngineError>>;

/// What all nodes of a test run on.
pub(crate) struct World {
    runtime: tokio::runtime::Runtime,
    tasks: Tasks,
    pub(crate) nodes: Vec<Node>,
    /// The longest deadline of a call, and the longest publication.
    deadline: Duration,
    longest: Mutex<Duration>,
    footprint: Footprint,
}

pub(crate) struct Node {
    pub(crate) engine: RedisEngine,
    pub(crate) ear: Arc<Ear>,
    pub(crate) shards: Vec<Arc<Shard>>,
}

pub(crate) fn options() -> RedisOptions {
    RedisOptions { presence_ttl: Duration::from_secs(3), ..RedisOptions::default() }
}

pub(crate) fn local(port: u16) -> Endpoint {
    Endpoint::tcp("127.0.0.1", port)
}

pub(crate) fn plain(seeds: Seeds) -> ShardSettings {
    ShardSettings::new(seeds, LinkSettings::default())
}

pub(crate) fn watched_by(set: &SentinelSet) -> ShardSettings {
    plain(Seeds::Sentinel {
        sentinels: set.sentinel_ports().into_iter().map(local).collect(),
        name: MASTER_NAME.to_owned(),
        settings: Box::default(),
    })
}

impl World {
    pub(crate) fn new() -> Self {
        // The second test of a process finds one set.
        drop(tracing_subscriber::fmt().with_test_writer().with_ansi(false).try_init());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let tasks = Tasks::new(runtime.handle().clone());
        let (deadline, longest) = (Duration::ZERO, Mutex::default());
        Self { runtime, tasks, nodes: Vec::new(), deadline, longest, footprint: Footprint::start() }
    }

    /// So many nodes on these shards.
    pub(crate) fn of(count: usize, shards: &[ShardSettings]) -> Self {
        let mut world = Self::new();
        (0..count).for_each(|_| world.add(shards, options()));
        world
    }

    pub(crate) fn add(&mut self, shards: &[ShardSettings], mut options: RedisOptions) {
        // Tests share a cluster, and each layout needs a prefix of its own.
        if let Some(partitions) = shards.first().map(|shard| shard.partitions).filter(|count| *count > 0) {
            options.prefix = format!("{}{partitions}", options.prefix);
        }
        self.deadline = self.deadline.max(options.command_timeout);
        let _inside = self.runtime.enter();
        let (clock, random) = (Clock::system(), Arc::new(Random::system()));
        let context =
            Context { clock: clock.clone(), random: Arc::clone(&random), tasks: self.tasks.clone() };
        let found: Vec<_> = shards.iter().map(|settings| Shard::start(settings.clone(), &context)).collect();
        let routers = found.iter().zip(shards);
        let ear = Arc::<Ear>::default();
        let engine = RedisEngine::start(EngineParts {
            uid: format!("node{}", self.nodes.len()),
            shards: routers
                .map(|(shard, settings)| (Arc::clone(shard) as Arc<dyn Router>, settings.link.clone()))
                .collect(),
            options,
            sink: Arc::clone(&ear) as _,
            control: None,
            clock,
            random,
            tasks: self.tasks.clone(),
        });
        self.nodes.push(Node { engine, ear, shards: found });
    }

    pub(crate) fn wait<T: Send + 'static>(&self, answer: Answer<T>) -> T {
        self.runtime.block_on(answer.wait())
    }

    pub(crate) fn subscribe(&self, channel: &str) {
        let channel = Channel::from(channel);
        for node in &self.nodes {
            let mut last = Ok(());
            // The first one may come before there is a connection.
            let subscribed = wait_until(PATIENCE, || {
                last = self.wait(node.engine.subscribe(&channel));
                last.is_ok()
            });
            assert!(subscribed, "subscribe {channel}: {last:?}");
        }
    }

    pub(crate) fn publish(&self, node: usize, channel: &str, data: &str) -> Result<Published, EngineError> {
        let options = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
        self.publish_with(node, channel, data, options)
    }

    pub(crate) fn publish_with(
        &self,
        node: usize,
        channel: &str,
        data: &str,
        options: PublishOptions,
    ) -> Result<Published, EngineError> {
        let publication = Publication::of(Payload::new(data.to_owned().into()));
        let begun = Instant::now();
        let published = self.wait(self.nodes[node].engine.publish(&channel.into(), publication, options));
        let mut longest = self.longest.lock();
        *longest = begun.elapsed().max(*longest);
        published
    }

    /// What every row of the matrix states, at its end: no publication outlived its deadline, and memory is what it was.
    #[track_caller]
    pub(crate) fn finish(&self, row: &str) {
        Bound::of_calls(row, self.deadline).holds("longest publication", *self.longest.lock(), "");
        self.footprint.grew_at_most(row, MEMORY);
    }

    pub(crate) fn top(&self, node: usize, channel: &str) -> Result<StreamPosition, EngineError> {
        let read = self.nodes[node].engine.history(&channel.into(), HistoryQuery::top(), KEEP.meta_ttl);
        self.wait(read).map(|history| history.top)
    }

    /// What a stream has, from its beginning.
    pub(crate) fn history(&self, node: usize, channel: &str) -> Vec<String> {
        let query = HistoryQuery::newest(KEEP.size);
        let history =
            self.wait(self.nodes[node].engine.history(&channel.into(), query, KEEP.meta_ttl)).unwrap();
        let data =
            |publication: &Arc<Publication>| String::from_utf8_lossy(publication.data.bytes()).into_owned();
        history.publications.iter().rev().map(data).collect()
    }

    /// Waits until every node is ready; answers how long that took.
    pub(crate) fn wait_ready(&self) -> Duration {
        let begun = Instant::now();
        let mut last = Vec::new();
        let ready = wait_until(PATIENCE, || {
            last =
                self.nodes.iter().flat_map(|node| node.engine.dependencies()).filter(|one| !one.ok).collect();
            last.is_empty()
        });
        assert!(ready, "never ready: {last:?}");
        begun.elapsed()
    }

    /// Waits until every node can publish and every node hears it; answers how long that took.
    pub(crate) fn wait_all_hear_each_other(&self, channel: &str, word: &str) -> Duration {
        let begun = Instant::now();
        for sender in 0..self.nodes.len() {
            let mut round = 0;
            let heard = wait_until(PATIENCE, || {
                round += 1;
                let data = format!("{word}-{sender}-{round}");
                self.publish(sender, channel, &data).is_ok()
                    && wait_until(Duration::from_millis(200), || self.all_heard(channel, &data))
            });
            assert!(heard, "node {sender} is not heard by all");
        }
        begun.elapsed()
    }

    fn all_heard(&self, channel: &str, data: &str) -> bool {
        let (channel, begin) = (Channel::from(channel), format!("{data}@"));
        self.nodes
            .iter()
            .all(|node| node.ear.recorder.events(&channel).iter().any(|event| event.starts_with(&begin)))
    }

    /// Waits until the first node would say that it is not ready; answers how long that took.
    #[track_caller]
    pub(crate) fn wait_unready(&self, what: &str) -> Duration {
        let begun = Instant::now();
        assert!(wait_until(PATIENCE, || self.is_unready()), "{what}: it stays ready");
        begun.elapsed()
    }

    /// Waits until the first node publishes again; answers how long that took.
    pub(crate) fn wait_publishes(&self, channel: &str) -> Duration {
        let begun = Instant::now();
        let published = wait_until(PATIENCE, || self.publish(0, channel, "again").is_ok());
        assert!(published, "{}", self.reason("write"));
        begun.elapsed()
    }

    /// Waits until every node was told of a gap in the channel; answers how long that took.
    pub(crate) fn wait_gap(&self, channel: &str) -> Duration {
        let begun = Instant::now();
        let channel = Channel::from(channel);
        let told =
            wait_until(PATIENCE, || self.nodes.iter().all(|node| node.ear.gaps.lock().contains(&channel)));
        assert!(told, "not every node was told of a gap in {channel}");
        begun.elapsed()
    }

    pub(crate) fn forget_gaps(&self) {
        self.nodes.iter().for_each(|node| node.ear.gaps.lock().clear());
    }

    /// Subscribes the first node to all of them at once.
    pub(crate) fn subscribe_all(&self, channels: &[String]) {
        let engine = &self.nodes[0].engine;
        let mut under_way = JoinSet::new();
        for channel in channels {
            let answer = engine.subscribe(&channel.as_str().into());
            under_way.spawn_on(answer.wait(), self.runtime.handle());
        }
        while let Some(answer) = self.runtime.block_on(under_way.join_next()) {
            assert_eq!(answer.unwrap(), Ok(()));
        }
    }

    /// Begins to publish on the first node into all of them at the same time.
    pub(crate) fn begin_all(&self, channels: &[String]) -> Vec<UnderWay> {
        let publish = |channel: &String| {
            let options = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
            let publication = Publication::of(Payload::new(channel.clone().into()));
            let answer = self.nodes[0].engine.publish(&channel.as_str().into(), publication, options);
            self.runtime.spawn(answer.wait())
        };
        channels.iter().map(publish).collect()
    }

    /// Answers where each of these publications is.
    pub(crate) fn end_all(&self, under_way: Vec<UnderWay>) -> Vec<Result<StreamPosition, EngineError>> {
        let ended = under_way.into_iter().map(|call| self.runtime.block_on(call).unwrap());
        ended.map(|published| published.map(|published| published.position().cloned().unwrap())).collect()
    }

    /// Both.
    pub(crate) fn publish_all(&self, channels: &[String]) -> Vec<Result<StreamPosition, EngineError>> {
        self.end_all(self.begin_all(channels))
    }

    /// Whether the first node was told of a gap in as many channels.
    pub(crate) fn has_gaps(&self, channels: usize) -> bool {
        let gaps = self.nodes[0].ear.gaps.lock();
        // To tell channels apart takes long.
        gaps.len() >= channels && gaps.iter().collect::<HashSet<_>>().len() >= channels
    }

    /// Whether the first node would say that it is not ready: a fault has lasted as long as nodes let it.
    pub(crate) fn is_unready(&self) -> bool {
        let found = self.nodes[0].engine.dependencies();
        found.iter().any(|one| !one.ok && one.for_ >= GRACE)
    }

    /// Whether it would say so because of this dependency.
    pub(crate) fn is_unready_by(&self, name: &str) -> bool {
        let found = self.nodes[0].engine.dependencies();
        found.iter().any(|one| one.name.contains(name) && !one.ok && one.for_ >= GRACE)
    }

    /// Why a dependency of the first node does not serve; empty when it does.
    pub(crate) fn reason(&self, name: &str) -> String {
        let found = self.nodes[0].engine.dependencies();
        found.into_iter().find(|one| one.name.contains(name)).map(|one| one.reason).unwrap_or_default()
    }
}
