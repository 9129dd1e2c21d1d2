use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::{Broker, Dependencies, KeySets, Presence};
use flywheel_metrics::Metrics;
use flywheel_model::Channel;
use flywheel_runtime::{Clock, Tasks};
use flywheel_session::Settings;
use parking_lot::RwLock;
use tokio::sync::oneshot;

use crate::attendance::{Attendance, AttendanceParts};
use crate::cluster::Cluster;
use crate::health::Health;
use crate::users::Users;
use crate::{Access, Control, HealthSettings, Mail, Routes, ShardPost};

/// What a node is made of.
pub struct NodeParts {
    /// Names this run of the server; a UUID.
    pub uid: String,
    /// Name for people.
    pub name: String,
    /// Server version.
    pub version: String,
    /// Carries publications.
    pub broker: Arc<dyn Broker>,
    /// Knows who is there.
    pub presence: Arc<dyn Presence>,
    /// Gives out the keys that tokens are signed with, where they are published.
    pub key_sets: Arc<dyn KeySets>,
    /// What connects it with other nodes; `None` for a node that is alone.
    pub control: Option<Control>,
    /// What the node stands on outside the process.
    pub dependencies: Arc<dyn Dependencies>,
    /// How health is judged at first.
    pub health: HealthSettings,
    /// Where deliveries go.
    pub routes: Arc<Routes>,
    /// What time it is.
    pub clock: Clock,
    /// Where answers that take time are awaited.
    pub tasks: Tasks,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl NodeParts {
    /// A node on one engine that is alone: there are no other nodes, nobody publishes keys, and it stands on nothing outside
    /// the process. Its names are fit for tests.
    pub fn alone<E: Broker + Presence>(
        engine: &Arc<E>,
        routes: Arc<Routes>,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        Self {
            uid: "node".to_owned(),
            name: "node".to_owned(),
            version: "0".to_owned(),
            broker: Arc::clone(engine) as Arc<dyn Broker>,
            presence: Arc::clone(engine) as Arc<dyn Presence>,
            key_sets: Arc::new(()),
            control: None,
            dependencies: Arc::new(()),
            health: HealthSettings::default(),
            routes,
            clock,
            tasks,
            metrics: Arc::new(Metrics::new("0")),
        }
    }
}

/// One server process, apart from its sockets.
pub struct Node {
    pub(crate) parts: NodeParts,
    pub(crate) users: Users,
    pub(crate) cluster: Cluster,
    pub(crate) health: Health,
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) started: flywheel_model::Timestamp,
    /// Guards nothing but the pointer; taken for the time of a clone.
    settings: RwLock<Arc<Settings>>,
    access: RwLock<Arc<Access>>,
}

/// How long a question to all shards, or to an engine, may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

impl Node {
    /// A node that serves as soon as shards and APIs call it.
    pub fn new(parts: NodeParts, settings: Settings, access: Access) -> Arc<Self> {
        let started = parts.clock.now().at;
        let (settings, access) = (RwLock::new(Arc::new(settings)), RwLock::new(Arc::new(access)));
        let cluster = Cluster::new(&parts.uid, parts.control.clone(), started);
        let health = Health::new(parts.health, &parts.tasks, started);
        let attendance = Attendance::new(AttendanceParts {
            routes: Arc::clone(&parts.routes),
            broker: Arc::clone(&parts.broker),
            presence: Arc::clone(&parts.presence),
            tasks: parts.tasks.clone(),
            metrics: Arc::clone(&parts.metrics),
        });
        let node =
            Self { parts, users: Users::default(), cluster, health, attendance, started, settings, access };
        node.count_nodes();
        Arc::new(node)
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    pub(crate) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read())
    }

    /// What time it is.
    pub fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    /// Where tasks run.
    pub fn tasks(&self) -> &Tasks {
        &self.parts.tasks
    }

    /// Names this run of the server.
    pub fn uid(&self) -> &str {
        &self.parts.uid
    }

    /// Server version.
    pub fn version(&self) -> &str {
        &self.parts.version
    }

    /// The shards' mailboxes.
    pub fn posts(&self) -> &[Arc<ShardPost>] {
        self.parts.routes.posts()
    }

    /// Puts new settings and credentials into force everywhere. Subscriptions keep the options they began with. Once this
    /// is done, every shard decides by the new ones.
    pub async fn reload(&self, settings: Settings, access: Access) {
        let settings = Arc::new(settings);
        *self.access.write() = Arc::new(access);
        *self.settings.write() = Arc::clone(&settings);
        for post in self.posts() {
            post.send(Mail::Settings(Arc::clone(&settings)));
        }
        // Mail is read in order, so a shard that answers has read the settings.
        if self.ask_shards(Mail::Flush).await.is_err() {
            tracing::warn!(
                "a shard did not confirm the new settings in time; it takes them over when it reads its mail"
            );
        }
    }

    /// A shard has its first subscriber of a channel. The broker is asked when the subscription is set up.
    pub fn route(&self, channel: &Channel, shard: usize) {
        self.attendance.route(channel, shard);
    }

    /// A shard has no subscriber of a channel any more.
    pub fn unroute(&self, channel: &Channel, shard: usize) {
        self.attendance.unroute(channel, shard);
    }

    /// Asks every shard the question that `mail` makes of the place for the answer, and waits for all answers.
    ///
    /// # Errors
    /// A shard did not answer in time.
    pub(crate) async fn ask_shards<T>(
        &self,
        mail: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<Vec<T>, NoAnswer> {
        let answers: Vec<_> = self
            .posts()
            .iter()
            .map(|post| {
                let (sender, answer) = oneshot::channel();
                post.send(mail(sender));
                answer
            })
            .collect();
        let all = async {
            let mut values = Vec::with_capacity(answers.len());
            for answer in answers {
                values.push(answer.await.map_err(|_| NoAnswer)?);
            }
            Ok(values)
        };
        tokio::time::timeout(DEADLINE, all).await.map_err(|_| NoAnswer)?
    }
}

/// A shard did not answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a shard did not answer in time")]
pub(crate) struct NoAnswer;

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("uid", &self.parts.uid).finish_non_exhaustive()
    }
}
