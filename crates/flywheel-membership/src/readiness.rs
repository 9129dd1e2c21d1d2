use std::time::Duration;

use flywheel_model::Timestamp;

/// What a probe found just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was probed.
    pub name: String,
    /// It serves.
    pub ok: bool,
    /// Why not; empty when it serves.
    pub reason: String,
    /// Since when it has been so; for what does not serve, since it was last known to.
    pub since: Timestamp,
    /// A decision and no fault: it counts at once.
    pub decided: bool,
}

/// One line of a readiness report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub name: String,
    /// It serves, or has failed only for a blink.
    pub ok: bool,
    /// Why not; empty when it serves.
    pub reason: String,
    /// Since when it has been so.
    pub since: Timestamp,
}

/// Whether a node is ready, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// New clients are well served here.
    pub ready: bool,
    /// Everything serves. Differs from `ready` only with [`Scope::Own`].
    pub fit: bool,
    /// In the order of the findings.
    pub entries: Vec<Entry>,
}

/// Which faults make a node not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All.
    #[default]
    Any,
    /// Those that another node does not have: a fault that all share, or that nobody can be asked about, drains nobody.
    Own,
}

/// What is known of other nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Elsewhere {
    /// When one of them last said that it is fit to serve.
    pub fit_at: Option<Timestamp>,
}

/// Something that an operator wants to read about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An entry failed or recovered.
    Entry(Entry),
    /// The node became ready, or is so no more.
    Ready(bool),
}

/// Time by which two nodes may notice the same fault apart.
const SKEW: Duration = Duration::from_secs(1);

/// Steady answers out of what probes find: a fault counts when it has lasted, a recovery at once.
#[derive(Debug, Clone)]
pub struct Readiness {
    grace: Duration,
    scope: Scope,
    report: Report,
}

impl Readiness {
    /// Faults count after `grace`.
    pub fn new(grace: Duration, scope: Scope) -> Self {
        let report = Report { ready: true, fit: true, entries: Vec::new() };
        Self { grace, scope, report }
    }

    /// Changes the rules.
    pub fn set_rules(&mut self, grace: Duration, scope: Scope) {
        (self.grace, self.scope) = (grace, scope);
    }

    /// Takes in what was found just now; answers what has changed.
    pub fn evaluate(&mut self, now: Timestamp, findings: Vec<Finding>, elsewhere: Elsewhere) -> Vec<Change> {
        let mut changes = Vec::new();
        let (mut ready, mut fit) = (true, true);
        let mut entries = Vec::with_capacity(findings.len());
        for finding in findings {
            let Finding { name, ok, reason, since, decided } = finding;
            let before = self.report.entries.iter().find(|entry| entry.name == name);
            let fails = !ok && (decided || now.since(since) >= self.grace);
            if fails {
                fit = false;
                let shared = self.scope == Scope::Own && !decided;
                ready &= shared && elsewhere.fit_at.is_none_or(|at| at <= since + self.grace + SKEW);
            }
            let since = match before {
                Some(before) if before.ok != fails => before.since,
                None if !fails => since,
                _ => now,
            };
            let entry = Entry { name, ok: !fails, reason: if fails { reason } else { String::new() }, since };
            if before.map_or(fails, |before| before.ok == fails) {
                changes.push(Change::Entry(entry.clone()));
            }
            entries.push(entry);
        }
        if ready != self.report.ready {
            changes.push(Change::Ready(ready));
        }
        self.report = Report { ready, fit, entries };
        changes
    }

    /// The answer as of the last evaluation.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

#[cfg(test)]
mod tests;
