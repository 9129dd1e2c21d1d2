//! What `/health/live` and `/health/ready` say.

use flywheel_model::Timestamp;
use flywheel_node::HealthReport;
use flywheel_protocol::json::{self, Members};

/// `{"live":true}`, or why not.
pub(crate) fn live(stuck: Vec<String>) -> Vec<u8> {
    text(&Live { live: stuck.is_empty(), stuck })
}

/// `{"ready":true,"dependencies":[…]}`: one entry for each thing that the node needs.
pub(crate) fn ready(ready: bool, report: &HealthReport, stuck: Vec<String>, now: Timestamp) -> Vec<u8> {
    let dependencies = report.readiness.entries.iter().map(|entry| Dependency {
        name: entry.name.clone(),
        ok: entry.ok,
        reason: entry.reason.clone(),
        since_seconds: now.since(entry.since).as_secs(),
    });
    text(&Readiness { ready, stuck, dependencies: dependencies.collect() })
}

fn text<M: Members>(message: &M) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    json::write(message, &mut out);
    out
}

#[derive(Debug, Default)]
struct Live {
    live: bool,
    stuck: Vec<String>,
}

#[derive(Debug, Default)]
struct Readiness {
    ready: bool,
    stuck: Vec<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Default)]
struct Dependency {
    name: String,
    ok: bool,
    reason: String,
    since_seconds: u64,
}

json::members!(Live { live "always", stuck });
json::members!(Readiness { ready "always", stuck, dependencies "always" });
json::members!(Dependency { name "always", ok "always", reason, since_seconds "always" });

#[cfg(test)]
mod tests {
    use flywheel_node::{Entry, Report};

    use super::*;

    #[test]
    fn a_report_names_each_dependency_with_reason_and_age() {
        let entry = |name: &str, ok, reason: &str, since| Entry {
            name: name.into(),
            ok,
            reason: reason.into(),
            since: Timestamp::from_millis(since),
        };
        let entries = vec![entry("threads", true, "", 0), entry("redis[0].write", false, "READONLY", 61_500)];
        let report = HealthReport {
            at: Timestamp::from_millis(64_900),
            readiness: Report { ready: false, fit: false, entries },
            stuck: Vec::new(),
        };
        let text = ready(false, &report, Vec::new(), Timestamp::from_millis(65_000));
        let expected = concat!(
            r#"{"ready":false,"dependencies":[{"name":"threads","ok":true,"since_seconds":65},"#,
            r#"{"name":"redis[0].write","ok":false,"reason":"READONLY","since_seconds":3}]}"#
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_node_that_is_not_alive_says_which_thread_it_is() {
        assert_eq!(live(Vec::new()), br#"{"live":true}"#);
        let stuck = vec!["shard 1 has not turned for 12 s".to_owned()];
        assert_eq!(live(stuck), br#"{"live":false,"stuck":["shard 1 has not turned for 12 s"]}"#);
    }
}
