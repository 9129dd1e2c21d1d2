use std::sync::Arc;
use std::sync::atomic::Ordering;

use flywheel_membership::{Change, Elsewhere, Entry, Step};
use flywheel_model::Timestamp;
use flywheel_protocol::Disconnect;
use flywheel_runtime::Pulse;

use super::findings::CLUSTER;
use super::guard::{LOOKS_WITHIN, words};
use super::{HealthReport, HealthSettings, Judge};
use crate::Node;

impl Node {
    /// What was found when the node was last looked at, a fraction of a second ago.
    pub fn health(&self) -> Arc<HealthReport> {
        Arc::clone(&self.health.report.read())
    }

    /// Threads that do not turn, the one that looks after the others among them; empty while the node is alive.
    pub fn stuck_threads(&self) -> Vec<String> {
        let report = self.health();
        let silent = self.clock().now().at.since(report.at);
        let stuck_after =
            self.health.judge.try_lock_for(LOOKS_WITHIN).map(|judge| judge.settings.stuck_after);
        if stuck_after.is_none_or(|stuck_after| silent > stuck_after) {
            return vec![format!("the watchdog has not turned for {} s", silent.as_secs())];
        }
        report.stuck.clone()
    }

    /// Whether new clients are to go elsewhere: they are answered 503.
    pub fn refuses_clients(&self) -> bool {
        self.health.refuses.load(Ordering::Relaxed)
    }

    /// Shows whether the runtime turns; to be beaten by a task of it, at least once a second.
    pub fn runtime_pulse(&self) -> &Pulse {
        &self.health.pulse
    }

    /// Puts new settings into force.
    pub fn reload_health(&self, settings: HealthSettings) {
        self.health.set_abort_after(settings.abort_after);
        let mut judge = self.health.judge.lock();
        judge.settings = settings;
        judge.readiness.set_rules(settings.grace, settings.scope);
        judge.hand_over.set_after(settings.hand_over_after);
    }

    /// Looks at everything, and does what is due. The watchdog calls it many times a second.
    pub fn check_health(&self) {
        let now = self.clock().now().at;
        let fit_at = self.cluster.fit_elsewhere_at(now);
        let mut judge = self.health.judge.lock();
        if now.since(judge.looked_at) > LOOKS_WITHIN {
            judge.awake_since = now;
        }
        judge.looked_at = now;
        let awake = now.since(judge.awake_since);
        let mut findings = self.findings(now, awake);
        findings.extend(judge.drain.as_ref().map(super::Drain::finding));
        let changes = judge.readiness.evaluate(now, findings, Elsewhere { fit_at });
        let stuck = self.stuck(now, awake, judge.settings.stuck_after);
        let readiness = judge.readiness.report().clone();
        let metrics = &self.parts.metrics.cluster;
        metrics.set_ready(readiness.ready);
        metrics.set_live(stuck.is_empty());
        for entry in &readiness.entries {
            metrics.set_dependency(&entry.name, entry.ok);
        }
        let stuck = words(&stuck);
        *self.health.report.write() = Arc::new(HealthReport { at: now, readiness, stuck: stuck.clone() });
        // Whoever reads the log may be slow. Those who ask are answered by then.
        log(&changes, &mut judge, &stuck);
        self.rebuild(&changes);
        self.act(&mut judge, now, fit_at.is_some());
        drop(judge);
        self.health.watchdog.beat(now);
    }

    /// The way to other nodes is not what it seems to be.
    fn rebuild(&self, changes: &[Change]) {
        for change in changes {
            if let Change::Entry(Entry { name, ok: false, reason, .. }) = change
                && name == CLUSTER
            {
                self.cluster.distrust(reason);
            }
        }
    }

    /// Sends clients away, or takes them again, when it is time.
    fn act(&self, judge: &mut Judge, now: Timestamp, elsewhere: bool) {
        let HealthSettings { spread, .. } = judge.settings;
        if let Some(drain) = &mut judge.drain {
            if drain.is_due(now) {
                tracing::info!(spread = ?spread, "clients are sent elsewhere: the node is drained");
                self.send_clients_away(&Disconnect::SHUTDOWN, spread);
            }
            self.health.refuses.store(drain.has_left(), Ordering::Relaxed);
            return;
        }
        match judge.hand_over.evaluate(now, judge.readiness.report().fit, elsewhere) {
            Some(Step::HandOver) => {
                tracing::warn!(spread = ?spread, "clients are sent elsewhere: this node is not ready, others are");
                self.send_clients_away(&Disconnect::FORCE_RECONNECT, spread);
            }
            Some(Step::TakeBack) => {
                tracing::info!("the node takes clients again");
                self.let_clients_stay();
            }
            None => {}
        }
        self.health.refuses.store(judge.hand_over.refuses(elsewhere), Ordering::Relaxed);
    }
}

/// One line per change of state.
fn log(changes: &[Change], judge: &mut Judge, stuck: &[String]) {
    for change in changes {
        match change {
            Change::Entry(Entry { name, ok: true, .. }) => tracing::info!(dependency = name, "recovered"),
            Change::Entry(Entry { name, reason, .. }) => {
                tracing::warn!(dependency = name, reason, "does not serve");
            }
            Change::Ready(true) => tracing::info!("the node is ready"),
            Change::Ready(false) => tracing::warn!("the node is not ready"),
        }
    }
    let is_stuck = !stuck.is_empty();
    if is_stuck != std::mem::replace(&mut judge.was_stuck, is_stuck) {
        if is_stuck {
            tracing::error!(threads = %stuck.join(", "), "the node is stuck");
        } else {
            tracing::info!("all threads of the node turn again");
        }
    }
}
