//! Rules that a merged configuration must keep. Source: configuration-v6, section 4.

mod channel;
mod choices;
mod client;
mod consumers;
mod proxies;
mod redis;
mod server;

use std::collections::BTreeSet;

use regex::Regex;

use crate::load::Merged;
use crate::report::{ConfigError, Report, Warning};
use crate::view::View;

/// Checks every rule and reports each breach, except in sections where a key could not be read at all.
pub(crate) fn validate(merged: &Merged, report: &mut Report) {
    let broken = report.errors.iter().map(|error| section_of(error.key()).to_owned()).collect();
    let mut check = Check { merged, broken, report };
    let tree = View::whole(&merged.tree);
    choices::check(&mut check, &tree);
    server::check(&mut check, &tree);
    redis::check(&mut check, &tree);
    client::check(&mut check, &tree);
    channel::check(&mut check, &tree);
    proxies::check(&mut check, &tree);
    consumers::check(&mut check, &tree);
}

/// Where breaches are reported to.
struct Check<'a> {
    merged: &'a Merged,
    /// Sections with a key that could not be read: its default stands in, so what follows would mislead.
    broken: BTreeSet<String>,
    report: &'a mut Report,
}

impl Check<'_> {
    /// Reports a breach by the key `name` of a section.
    fn refuse(&mut self, section: &View<'_>, name: &str, reason: impl Into<String>) {
        let key = section.key(name);
        if !self.broken.contains(section_of(&key)) {
            let origin = self.merged.origin_near(&key).cloned();
            self.report.errors.push(ConfigError::Invalid { origin, key, reason: reason.into() });
        }
    }

    /// Warns about the key `name` of a section.
    fn remark(&mut self, section: &View<'_>, name: &str, text: impl Into<String>) {
        let key = section.key(name);
        let origin = self.merged.origin(&key).or_else(|| self.merged.origin_below(&key)).cloned();
        self.report.warnings.push(Warning::Remark { origin, key, text: text.into() });
    }

    /// Refuses a pattern that does not compile.
    fn pattern(&mut self, section: &View<'_>, name: &str) {
        if let Err(error) = Regex::new(section.text(name)) {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or("").trim();
            self.refuse(
                section,
                name,
                format!("not a regular expression: {}", last.trim_start_matches("error: ")),
            );
        }
    }

    /// Refuses names that are malformed, taken or reserved.
    fn names(&mut self, items: &[View<'_>], letters: &str, is_letter: fn(u8) -> bool, reserved: &str) {
        let mut seen = BTreeSet::new();
        for item in items {
            let name = item.text("name");
            if name.len() < 2 || !name.bytes().all(is_letter) {
                self.refuse(item, "name", format!("write at least two characters out of {letters}"));
            } else if name == reserved {
                self.refuse(item, "name", format!("{reserved:?} is taken; choose another name"));
            } else if !seen.insert(name) {
                self.refuse(item, "name", format!("{name:?} is there twice; names must differ"));
            }
        }
    }
}

fn section_of(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(section, _)| section)
}
