//! Whether the node is alive and ready, draining, and handing clients over.
//!
//! All of it is looked at by one thread of its own, the [`Watchdog`], so that it goes on when the runtime does not. A second
//! one, which takes no lock at all, ends a process that would hold its clients for ever.

mod check;
mod drain;
mod dump;
mod findings;
mod guard;
mod lines;
mod watchdog;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flywheel_membership::{HandOver, Readiness, Report, Scope};
use flywheel_model::Timestamp;
use flywheel_runtime::{Pulse, Tasks, Workers};
use parking_lot::{Mutex, RwLock};

pub use drain::DrainedBy;
pub use watchdog::Watchdog;

use drain::Drain;
use lines::Lines;

/// How health is judged, and how clients are sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSettings {
    /// A fault counts when it has lasted this long. Config key `health.grace`.
    pub grace: Duration,
    /// Which faults count. Config key `health.scope`.
    pub scope: Scope,
    /// A thread that has not turned for so long is stuck. Config key `health.stuck_after`.
    pub stuck_after: Duration,
    /// A process one of whose threads has not turned for so long is ended; `None` never. Config key `health.abort_after`.
    pub abort_after: Option<Duration>,
    /// A node that was not ready for so long hands its clients over; `None` never. Config key `node.hand_over_after`.
    pub hand_over_after: Option<Duration>,
    /// Time between failing readiness and sending clients away. Config key `shutdown.delay`.
    pub delay: Duration,
    /// Time over which clients are sent away. Config key `shutdown.spread`.
    pub spread: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            grace: Duration::from_millis(2500),
            scope: Scope::Any,
            stuck_after: Duration::from_secs(10),
            abort_after: Some(Duration::from_secs(10)),
            hand_over_after: Some(Duration::from_secs(10)),
            delay: Duration::ZERO,
            spread: Duration::ZERO,
        }
    }
}

/// What was found when the node was last looked at.
#[derive(Debug, Clone, Default)]
pub struct HealthReport {
    /// When that was.
    pub at: Timestamp,
    /// Whether new clients are well served here, and by what that is known.
    pub readiness: Report,
    /// Threads that do not turn, in words; empty when all do.
    pub stuck: Vec<String>,
}

/// The state behind the reports.
pub(crate) struct Health {
    /// Guards the machines. Held for one look; the view's lock and mailboxes may be taken under it. Nothing is written into
    /// the log under it.
    judge: Mutex<Judge>,
    /// Guards nothing but the pointer.
    report: RwLock<Arc<HealthReport>>,
    /// New clients are to go elsewhere.
    refuses: AtomicBool,
    /// Of the runtime.
    pulse: Pulse,
    /// Of its workers.
    workers: Workers,
    /// Of the thread that looks at all this.
    watchdog: Pulse,
    /// In milliseconds, 0 for never: readable when the judge is not.
    abort_after: AtomicU64,
}

#[derive(Debug)]
struct Judge {
    settings: HealthSettings,
    readiness: Readiness,
    hand_over: HandOver,
    drain: Option<Drain>,
    looked_at: Timestamp,
    /// Since when the process has run without a break; silence of before is nobody's fault.
    awake_since: Timestamp,
    was_stuck: bool,
    /// For the log, which the watchdog writes.
    lines: Lines,
}

impl Health {
    pub(crate) fn new(settings: HealthSettings, tasks: &Tasks, now: Timestamp) -> Self {
        let readiness = Readiness::new(settings.grace, settings.scope);
        let report = HealthReport { at: now, readiness: readiness.report().clone(), stuck: Vec::new() };
        let judge = Judge {
            settings,
            readiness,
            hand_over: HandOver::new(settings.hand_over_after),
            drain: None,
            looked_at: now,
            awake_since: now,
            was_stuck: false,
            lines: Lines::default(),
        };
        let health = Self {
            judge: Mutex::new(judge),
            report: RwLock::new(Arc::new(report)),
            refuses: AtomicBool::new(false),
            pulse: Pulse::new(now),
            workers: Workers::new(tasks, now),
            watchdog: Pulse::new(now),
            abort_after: AtomicU64::new(0),
        };
        health.set_abort_after(settings.abort_after);
        health
    }

    fn set_abort_after(&self, after: Option<Duration>) {
        let millis = after.map_or(0, |after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1));
        self.abort_after.store(millis, Ordering::Relaxed);
    }

    fn abort_after(&self) -> Option<Duration> {
        let millis = self.abort_after.load(Ordering::Relaxed);
        (millis > 0).then(|| Duration::from_millis(millis))
    }
}
