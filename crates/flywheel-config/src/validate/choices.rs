//! Keys that take one of a few words.

use super::Check;
use crate::schema::{Fragment, Kind, ROOT, Shape};
use crate::tree;
use crate::view::View;

/// These may say anything while their section is off.
const CHECKED_WHEN_ENABLED: [&str; 5] = [
    "presence_manager.type",
    "controller.type",
    "consumers[].kafka.sasl_mechanism",
    "consumers[].nats_jetstream.deliver_policy",
    "consumers[].google_pub_sub.auth_mechanism",
];

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    section(check, ROOT, tree, "", true);
}

fn section(check: &mut Check<'_>, fragments: &[Fragment], view: &View<'_>, schema: &str, enabled: bool) {
    let entries = || fragments.iter().flat_map(|fragment| fragment.iter());
    let enabled = enabled && (view.is("enabled") || entries().all(|entry| entry.name != "enabled"));
    for entry in entries() {
        let schema = tree::join(schema, entry.name);
        match entry.shape {
            Shape::Block(inner) => section(check, inner, &view.section(entry.name), &schema, enabled),
            Shape::List(inner) => {
                for item in view.items(entry.name) {
                    section(check, inner, &item, &format!("{schema}[]"), enabled);
                }
            }
            Shape::Value(Kind::Choice(words), _) => {
                if enabled || !CHECKED_WHEN_ENABLED.contains(&schema.as_str()) {
                    word(check, words, view, entry.name, &schema);
                }
            }
            Shape::Value(..) => {}
        }
    }
}

fn word(check: &mut Check<'_>, words: &[&str], view: &View<'_>, name: &str, schema: &str) {
    let word = view.text(name);
    let listed = || words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(", ");
    if schema == "log.level" {
        if !words.contains(&word.to_lowercase().as_str()) {
            let text = format!("{word:?} is no level, info is used; write one of {}", listed());
            check.remark(view, name, text);
        }
    } else if !words.contains(&word) {
        let found =
            if word.is_empty() { "nothing is set".to_owned() } else { format!("{word:?} is unknown") };
        check.refuse(view, name, format!("{found}; write one of {}", listed()));
    }
}
