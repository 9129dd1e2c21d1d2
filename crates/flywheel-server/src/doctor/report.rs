use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, and something will go wrong one day, or is not what it seems.
    Warning,
    /// It does not work.
    Broken,
}

impl Level {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is about: `configuration`, or a key that says where a service is, such as `engine.redis.address`.
    pub subject: String,
    /// What was looked at, in one word for programs: `connect`, `role`, `write`, ..
    pub check: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What was found, as one sentence without a full stop.
    pub text: String,
    /// What to change, with the key; empty where there is nothing to.
    pub advice: String,
    /// How long it took, where that was measured.
    pub took: Option<Duration>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn fine(subject: &str, check: &'static str, text: impl Into<String>) -> Self {
        Self::new(subject, check, Level::Fine, text, "")
    }

    /// Something to look at.
    pub fn warning(
        subject: &str,
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(subject, check, Level::Warning, text, advice)
    }

    /// Something that does not work.
    pub fn broken(
        subject: &str,
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(subject, check, Level::Broken, text, advice)
    }

    fn new(
        subject: &str,
        check: &'static str,
        level: Level,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (text, advice) = (text.into(), advice.into());
        Self { subject: subject.to_owned(), check, level, text, advice, took: None }
    }

    /// The same with the time it took.
    #[must_use]
    pub fn took(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }
}

/// Everything that was found, in the order in which it was looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
    /// The configuration cannot be loaded; nothing else was looked at.
    pub unusable: bool,
}

impl Report {
    /// How many findings are of that level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// For scripts: 0 when everything works, 1 when something does not, 2 when there is no usable configuration.
    /// Warnings change nothing.
    pub fn exit_code(&self) -> u8 {
        if self.unusable { 2 } else { u8::from(self.count(Level::Broken) > 0) }
    }

    /// For people: findings below what they are about, advice below findings, a line that counts at the end.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut subject = "";
        for finding in &self.findings {
            if finding.subject != subject {
                let gap = if subject.is_empty() { "" } else { "\n" };
                subject = &finding.subject;
                push(&mut text, format_args!("{gap}{subject}\n"));
            }
            let took = finding.took.map_or(String::new(), |took| format!(" ({})", milliseconds(took)));
            push(&mut text, format_args!("  {:<8} {}{took}\n", finding.level.as_str(), finding.text));
            if !finding.advice.is_empty() {
                push(&mut text, format_args!("           -> {}\n", finding.advice));
            }
        }
        let (broken, warnings) = (self.count(Level::Broken), self.count(Level::Warning));
        let verdict = match broken {
            0 => "everything works".to_owned(),
            1 => "1 thing is broken".to_owned(),
            more => format!("{more} things are broken"),
        };
        let also = match warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            more => format!(", {more} warnings"),
        };
        push(&mut text, format_args!("\n{verdict}{also}\n"));
        text
    }

    /// For programs. Members are only ever added.
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let mut item = json!({
                    "subject": finding.subject,
                    "check": finding.check,
                    "level": finding.level.as_str(),
                    "text": finding.text,
                    "advice": finding.advice,
                });
                if let (Some(took), Value::Object(item)) = (finding.took, &mut item) {
                    item.insert("milliseconds".into(), json!(rounded(took)));
                }
                item
            })
            .collect();
        json!({
            "ok": self.exit_code() == 0,
            "broken": self.count(Level::Broken),
            "warnings": self.count(Level::Warning),
            "findings": findings,
        })
    }
}

/// Writing to a text cannot fail.
fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).unwrap_or_default();
}

/// A time as people read it.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{} ms", rounded(time))
}

/// In milliseconds, to a hundredth.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            findings: vec![
                Finding::fine("configuration", "load", "config.yaml is good"),
                Finding::fine("engine.redis.address", "ping", "answers").took(Duration::from_micros(1234)),
                Finding::warning("engine.redis.address", "version", "is old", "move to Redis 6.2 or newer"),
            ],
            unusable: false,
        }
    }

    #[test]
    fn a_report_for_people_is_grouped_by_what_it_is_about() {
        let text = "configuration\n  fine     config.yaml is good\n\nengine.redis.address\n  fine     answers (1.23 ms)\n  \
                    warning  is old\n           -> move to Redis 6.2 or newer\n\neverything works, 1 warning\n";
        assert_eq!(report().text(), text);
        assert_eq!(report().exit_code(), 0);
    }

    #[test]
    fn what_is_broken_is_counted_and_decides_the_exit_code() {
        let mut report = report();
        report.findings.push(Finding::broken("engine.redis.address", "write", "refused", "change it"));
        assert!(report.text().ends_with("\n1 thing is broken, 1 warning\n"));
        assert_eq!(report.exit_code(), 1);
        report.unusable = true;
        assert_eq!(report.exit_code(), 2);
    }

    #[test]
    fn a_report_for_programs_has_the_same_findings() {
        let json = report().json();
        assert_eq!((&json["ok"], &json["broken"], &json["warnings"]), (&json!(true), &json!(0), &json!(1)));
        let ping = json!({
            "subject": "engine.redis.address", "check": "ping", "level": "fine", "text": "answers", "advice": "",
            "milliseconds": 1.23
        });
        assert_eq!(json["findings"][1], ping);
        assert_eq!(json["findings"].as_array().map(Vec::len), Some(3));
    }
}
