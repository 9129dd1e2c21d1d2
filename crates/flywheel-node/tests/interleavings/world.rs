use std::sync::{Arc, OnceLock};

use flywheel_metrics::Metrics;
use flywheel_model::Timestamp;
use loom::thread::{Builder, JoinHandle, spawn};

use crate::attendance::{Attendance, AttendanceParts};
use crate::far::{self, Far};
use crate::shard::{self, Shard};
use crate::sleep::Sleep;
use crate::{Bell, Routes, ShardPost, Tasks};

/// What the threads of a model share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) post: Arc<ShardPost>,
    pub(crate) sleep: Arc<Sleep>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) far: Far,
    pub(crate) tasks: Tasks,
    pub(crate) attendance: Arc<Attendance>,
}

impl World {
    pub(crate) fn new(flaw: far::Flaw) -> Self {
        static METRICS: OnceLock<Arc<Metrics>> = OnceLock::new();
        let sleep = Arc::new(Sleep::new());
        let woken = Arc::clone(&sleep);
        let post = ShardPost::new(Arc::new(Bell::new(move || woken.wake())), Timestamp::ZERO);
        let routes = Routes::new(vec![Arc::clone(&post)]);
        let (far, tasks) = (Far::new(&routes, flaw), Tasks::new());
        let attendance = Attendance::new(AttendanceParts {
            routes: Arc::clone(&routes),
            broker: Arc::new(far.clone()),
            presence: Arc::new(far.clone()),
            tasks: tasks.clone(),
            metrics: Arc::clone(METRICS.get_or_init(|| Arc::new(Metrics::new("0")))),
        });
        Self { post, sleep, routes, far, tasks, attendance }
    }

    pub(crate) fn work(&self) -> JoinHandle<()> {
        let tasks = self.tasks.clone();
        spawn(move || tasks.work())
    }

    pub(crate) fn shard(&self, flaw: shard::Flaw) -> Shard {
        Shard::new(&self.post, &self.attendance, &self.far, &self.tasks, flaw)
    }

    /// What a shard does between two turns.
    pub(crate) fn rest(&self, flaw: shard::Flaw) {
        let was_idle = self.post.is_idle();
        self.post.bell.prepare();
        if if flaw == shard::Flaw::LooksTooEarly { was_idle } else { self.post.is_idle() } {
            self.sleep.until_woken();
        }
        self.post.bell.awake();
    }

    /// Everything that is under way ends.
    pub(crate) fn settle(&self, shard: &mut Shard) {
        self.tasks.settle();
        while !self.post.is_idle() {
            shard.turn();
            self.tasks.settle();
        }
        self.tasks.close();
    }

    /// Nobody is there any more, and nothing says otherwise.
    pub(crate) fn check_empty(&self) {
        assert!(self.routes.is_empty(), "a channel is routed for nobody");
        self.far.look(|server| {
            assert!(server.heard.is_empty(), "{:?} heard for nobody", server.heard);
            assert!(server.present.is_empty(), "{:?} left behind", server.present);
        });
        assert_eq!(self.post.mail.bytes(), 0, "a place was not given back");
    }
}

/// A session needs more room than loom gives a thread: here it is, in words.
const STACK: usize = 24 << 10;

pub(crate) fn spawn_shard(act: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    Builder::new().stack_size(STACK).spawn(act).unwrap()
}
