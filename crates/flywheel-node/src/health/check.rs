use std::sync::Arc;
use std::sync::atomic::Ordering;

use flywheel_membership::{Change, Elsewhere, Entry, Step};
use flywheel_model::Timestamp;
use flywheel_protocol::Disconnect;
use flywheel_runtime::Pulse;

use super::findings::CLUSTER;
use super::guard::{LOOKS_WITHIN, words};
use super::lines::Line;
use super::{HealthReport, HealthSettings, Judge};
use crate::Node;

impl Node {
    /// What was found when the node was last looked at, a fraction of a second ago.
    pub fn health(&self) -> Arc<HealthReport> {
        Arc::clone(&self.health.report.read())
    }

    /// Threads that do not turn, the one that looks after the others among them; empty while the node is alive.
    pub fn stuck_threads(&self) -> Vec<String> {
        // The pulse, not the report: whoever asks for a drain makes a new report, and nobody else beats.
        let silent = self.health.watchdog.silent_for(self.clock().now().at);
        let stuck_after =
            self.health.judge.try_lock_for(LOOKS_WITHIN).map(|judge| judge.settings.stuck_after);
        if stuck_after.is_none_or(|stuck_after| silent > stuck_after) {
            return vec![format!("the watchdog has not turned for {} s", silent.as_secs())];
        }
        self.health().stuck.clone()
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

    /// Looks at everything, does what is due, and then writes down what has changed. The watchdog calls it many times a
    /// second. It waits for the log, and until then the watchdog has not turned.
    pub fn check_health(&self) {
        self.look(&mut self.health.judge.lock());
        self.write_down();
        self.health.watchdog.beat(self.clock().now().at);
    }

    /// Writes what there is to be said of health. Waits for the log, and holds no lock meanwhile.
    pub(super) fn write_down(&self) {
        let lines = self.health.judge.lock().lines.take();
        for line in lines {
            line.write();
        }
    }

    /// Looks at everything, and does what is due. Writes nothing: that is the watchdog's.
    pub(super) fn look(&self, judge: &mut Judge) {
        let now = self.clock().now().at;
        let fit_at = self.cluster.fit_elsewhere_at(now);
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
        self.rebuild(&changes);
        note(judge, changes, stuck);
        self.act(judge, now, fit_at.is_some());
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
                judge.lines.note(Line::Left(spread));
                self.send_clients_away(&mut judge.lines, &Disconnect::SHUTDOWN, spread);
            }
            self.health.refuses.store(drain.has_left(), Ordering::Relaxed);
            return;
        }
        match judge.hand_over.evaluate(now, judge.readiness.report().fit, elsewhere) {
            Some(Step::HandOver) => {
                judge.lines.note(Line::HandedOver(spread));
                self.send_clients_away(&mut judge.lines, &Disconnect::FORCE_RECONNECT, spread);
            }
            Some(Step::TakeBack) => {
                judge.lines.note(Line::TakenBack);
                self.let_clients_stay(&mut judge.lines);
            }
            None => {}
        }
        self.health.refuses.store(judge.hand_over.refuses(elsewhere), Ordering::Relaxed);
    }
}

/// One line per change of state.
fn note(judge: &mut Judge, changes: Vec<Change>, stuck: Vec<String>) {
    for change in changes {
        judge.lines.note(Line::Changed(change));
    }
    let is_stuck = !stuck.is_empty();
    if is_stuck != std::mem::replace(&mut judge.was_stuck, is_stuck) {
        judge.lines.note(if is_stuck { Line::Stuck(stuck) } else { Line::Turning });
    }
}
