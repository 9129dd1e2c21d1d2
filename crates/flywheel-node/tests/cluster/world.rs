//! Several nodes in one process: a bus with faults between them, shards that only note what they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flywheel_auth::{TokenSettings, Verifier};
use flywheel_engine::{
    Answer, ControlSink, Controller, Dependencies, Dependency, EngineError, MemoryEngine, MemoryLimits,
    Recipient,
};
use flywheel_metrics::Metrics;
use flywheel_model::Channel;
use flywheel_node::{
    Access, Control, ControlInbox, HealthSettings, Mail, Node, NodeParts, Routes, ShardCounts, ShardPost,
    Timing, Watchdog,
};
use flywheel_runtime::{Bell, Clock, Random, Tasks};
use flywheel_session::Settings;
use parking_lot::Mutex;
use tokio::runtime::Runtime;

/// Six times as fast as between real nodes.
const TIMING: Timing = Timing {
    ping_every: Duration::from_millis(500),
    silence_max: Duration::from_millis(1166),
    echo_max: Duration::from_millis(1083),
};
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn health() -> HealthSettings {
    HealthSettings {
        grace: Duration::from_millis(200),
        hand_over_after: None,
        spread: Duration::from_millis(700),
        ..HealthSettings::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "nodes run against the real clock here")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = now() + PATIENCE;
    while !holds() {
        assert!(now() < deadline, "it does not come to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is wrong with a node's connection to the others.
#[derive(Default)]
pub(crate) struct Faults {
    /// What it sends is accepted and lost.
    pub(crate) mute: AtomicBool,
    /// What it sends comes back to it and to nobody else.
    pub(crate) heard_by_itself_only: AtomicBool,
    /// Nothing reaches it.
    pub(crate) deaf: AtomicBool,
    /// It cannot send.
    pub(crate) cut_off: AtomicBool,
    /// Whether what it sends got through is never said.
    pub(crate) withheld: AtomicBool,
}

struct Attached {
    uid: String,
    inbox: Arc<ControlInbox>,
    faults: Arc<Faults>,
}

#[derive(Default)]
pub(crate) struct Bus(Mutex<Vec<Attached>>);

impl Bus {
    pub(crate) fn send(&self, from: &str, to: Recipient<'_>, message: &[u8]) -> Result<(), EngineError> {
        let on = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        let attached = self.0.lock();
        let (mut mute, mut alone) = (false, false);
        if let Some(sender) = attached.iter().find(|node| node.uid == from) {
            if on(&sender.faults.cut_off) {
                return Err(EngineError::Unavailable("cut off".to_owned()));
            }
            (mute, alone) = (on(&sender.faults.mute), on(&sender.faults.heard_by_itself_only));
        }
        for node in attached.iter().filter(|node| !mute && !on(&node.faults.deaf)) {
            let meant = matches!(to, Recipient::All) || to == Recipient::Node(&node.uid);
            if meant && (!alone || node.uid == from) {
                node.inbox.receive(message);
            }
        }
        Ok(())
    }
}

struct Plug {
    uid: String,
    faults: Arc<Faults>,
    attempts: Arc<Mutex<Vec<Instant>>>,
    distrusted: Arc<Mutex<Vec<String>>>,
    bus: Arc<Bus>,
}

impl Controller for Plug {
    fn send(&self, to: Recipient<'_>, message: Vec<u8>) -> Answer<Result<(), EngineError>> {
        self.attempts.lock().push(now());
        if self.faults.withheld.load(Ordering::SeqCst) {
            return Answer::later(std::future::pending());
        }
        Answer::Now(self.bus.send(&self.uid, to, &message))
    }

    fn distrust(&self, reason: &str) {
        self.distrusted.lock().push(reason.to_owned());
    }
}

/// A dependency that fails when told.
#[derive(Default)]
pub(crate) struct Database {
    pub(crate) down: AtomicBool,
    /// Whoever asks gets no answer.
    pub(crate) hangs: AtomicBool,
}

impl Dependencies for Database {
    fn dependencies(&self) -> Vec<Dependency> {
        // Not for ever, so that a test can fail.
        let mut hung = Duration::ZERO;
        while self.hangs.load(Ordering::SeqCst) && hung < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
            hung += Duration::from_millis(5);
        }
        let down = self.down.load(Ordering::SeqCst);
        let reason = if down { "connection refused" } else { "" };
        // As long as it has been so, if it is down.
        let for_ = if down { Duration::from_mins(1) } else { Duration::ZERO };
        vec![Dependency { name: "database".to_owned(), ok: !down, reason: reason.to_owned(), for_ }]
    }
}

pub(crate) struct TestNode {
    pub(crate) node: Arc<Node>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) database: Arc<Database>,
    /// What its shard was told, in words.
    pub(crate) told: Arc<Mutex<Vec<String>>>,
    /// What its shard answers when it is asked for channels.
    pub(crate) channels: Arc<Mutex<Vec<(Channel, usize)>>>,
    /// Its shard does nothing any more.
    pub(crate) stuck: Arc<AtomicBool>,
    /// How often its process would have been ended.
    pub(crate) aborts: Arc<AtomicUsize>,
    /// Why its connection was distrusted, each time.
    pub(crate) distrusted: Arc<Mutex<Vec<String>>>,
    /// When it tried to send something.
    pub(crate) attempts: Arc<Mutex<Vec<Instant>>>,
    _watchdog: Watchdog,
}

impl TestNode {
    pub(crate) fn is_ready(&self) -> bool {
        self.node.health().readiness.ready
    }

    /// Why it is not ready; empty when it is.
    pub(crate) fn reasons(&self) -> String {
        let report = self.node.health();
        let failing = report.readiness.entries.iter().filter(|entry| !entry.ok);
        failing.map(|entry| format!("{}: {}", entry.name, entry.reason)).collect::<Vec<_>>().join("; ")
    }

    /// UIDs of the nodes that it sees, itself included.
    pub(crate) fn sees(&self) -> Vec<String> {
        let mut uids: Vec<_> = self.node.info().into_iter().map(|info| info.uid).collect();
        uids.sort();
        uids
    }

    pub(crate) fn was_told(&self, words: &str) -> usize {
        self.told.lock().iter().filter(|told| told.contains(words)).count()
    }
}

pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) bus: Arc<Bus>,
    pub(crate) nodes: Vec<TestNode>,
    stop: Arc<AtomicBool>,
}

impl World {
    /// Nodes `n0`, `n1` and so on, that see each other.
    pub(crate) fn new(count: usize, health: HealthSettings) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut world = Self { runtime, bus: Arc::default(), nodes: Vec::new(), stop: Arc::default() };
        for number in 0..count {
            world.add(&format!("n{number}"), health);
        }
        wait_for("all nodes see each other", || world.nodes.iter().all(|node| node.sees().len() == count));
        world
    }

    pub(crate) fn add(&mut self, uid: &str, health: HealthSettings) {
        let clock = Clock::system();
        let post = ShardPost::new(Arc::new(Bell::new(|| ())), clock.now().at);
        let routes = Routes::new(vec![Arc::clone(&post)]);
        let limits = MemoryLimits::default();
        let engine = Arc::new(MemoryEngine::new(routes.clone(), clock.clone(), Random::seeded(1), limits));
        let (distrusted, attempts) = (Arc::default(), Arc::default());
        let (faults, database, inbox) =
            (Arc::new(Faults::default()), Arc::new(Database::default()), ControlInbox::new());
        self.bus.0.lock().push(Attached {
            uid: uid.to_owned(),
            inbox: Arc::clone(&inbox),
            faults: Arc::clone(&faults),
        });
        let controller = Arc::new(Plug {
            uid: uid.to_owned(),
            faults: Arc::clone(&faults),
            attempts: Arc::clone(&attempts),
            distrusted: Arc::clone(&distrusted),
            bus: Arc::clone(&self.bus),
        });
        let parts = NodeParts {
            uid: uid.to_owned(),
            name: format!("name of {uid}"),
            version: "1".to_owned(),
            control: Some(Control { controller, inbox, timing: TIMING }),
            dependencies: database.clone(),
            health,
            metrics: Arc::new(Metrics::new("1")),
            ..NodeParts::alone(&engine, routes, clock, Tasks::new(self.runtime.handle().clone()))
        };
        let tokens = Arc::new(Verifier::new(TokenSettings::default()).unwrap());
        let access = Access { anonymous_without_token: true, insecure: true, ..Access::with_tokens(tokens) };
        let node = Node::new(parts, Settings::default(), access);
        let aborts = Arc::<AtomicUsize>::default();
        let test = TestNode {
            faults,
            database,
            told: Arc::default(),
            channels: Arc::default(),
            stuck: Arc::default(),
            aborts: Arc::clone(&aborts),
            distrusted,
            attempts,
            _watchdog: {
                let _in_runtime = self.runtime.enter();
                let aborts = Arc::clone(&aborts);
                let abort = move || {
                    aborts.fetch_add(1, Ordering::SeqCst);
                };
                Watchdog::start(&node, abort).unwrap()
            },
            node,
        };
        self.start_shard(&test, post);
        test.node.join_cluster();
        self.nodes.push(test);
    }

    /// A thread that reads its mail and notes it.
    fn start_shard(&self, test: &TestNode, post: Arc<ShardPost>) {
        let (node, told, channels, stuck, stop) = (
            Arc::downgrade(&test.node),
            Arc::clone(&test.told),
            Arc::clone(&test.channels),
            Arc::clone(&test.stuck),
            Arc::clone(&self.stop),
        );
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
                let Some(node) = node.upgrade() else { return };
                if stuck.load(Ordering::SeqCst) {
                    continue;
                }
                post.pulse.beat(node.clock().now().at);
                post.set_counts(ShardCounts { clients: 7, subscriptions: 9 });
                let mut mail = Vec::new();
                post.mail.drain(&mut mail);
                post.mail.release(mail.len());
                for item in mail {
                    match item {
                        Mail::Operation(operation, answer) => {
                            told.lock().push(format!("{operation:?}"));
                            answer.send(()).unwrap_or_default();
                        }
                        Mail::Channels(pattern, answer) => {
                            let wanted = |name: &str| pattern.as_ref().is_none_or(|glob| glob.is_match(name));
                            let channels = channels.lock();
                            let channels = channels.iter().filter(|(channel, _)| wanted(channel.as_str()));
                            answer.send(channels.cloned().collect()).unwrap_or_default();
                        }
                        Mail::Frame(session, frame, answer) => {
                            told.lock().push(format!("{session} {frame:?}"));
                            answer.send(true).unwrap_or_default();
                        }
                        other => told.lock().push(format!("{other:?}")),
                    }
                }
            }
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}
