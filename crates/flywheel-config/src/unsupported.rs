//! One warning for each key or section that is set and does nothing yet.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::load::Merged;
use crate::report::{Origin, Report, Warning};
use crate::schema::{Fragment, ROOT, Shape, Support, default_value, key, keys, supported_words};
use crate::tree;

/// Keys named in the warning about a section.
const NAMED_MAX: usize = 3;

/// Warns about everything that differs from its default and is not supported, once for each section.
///
/// A section that is switched off is left alone: nobody misses what it would do.
pub(crate) fn warn_unsupported(merged: &Merged, report: &mut Report) {
    let mut found = Found { merged, groups: BTreeMap::new(), order: Vec::new(), warnings: Vec::new() };
    found.section(ROOT, &merged.tree, "", "");
    report.warnings.append(&mut found.warnings);
    for group in found.order {
        let Some((origin, set)) = found.groups.remove(&group) else { continue };
        let alone = set.iter().all(|shown| *shown == group);
        let detail = if alone { String::new() } else { format!("set: {}", listed(&set)) };
        report.warnings.push(Warning::NotSupported { origin, key: group, detail });
    }
}

struct Found<'a> {
    merged: &'a Merged,
    groups: BTreeMap<String, (Option<Origin>, Vec<String>)>,
    /// Groups in the order of the tree.
    order: Vec<String>,
    warnings: Vec<Warning>,
}

impl Found<'_> {
    fn section(&mut self, fragments: &[Fragment], section: &Value, shown: &str, schema: &str) {
        if section.get("enabled") == Some(&Value::Bool(false)) {
            return;
        }
        for entry in fragments.iter().flat_map(|fragment| fragment.iter()) {
            let Some(value) = section.get(entry.name) else { continue };
            let shown = tree::join(shown, entry.name);
            let schema = tree::join(schema, entry.name);
            match entry.shape {
                Shape::Block(inner) => self.section(inner, value, &shown, &schema),
                Shape::Value(kind, default) => {
                    if *value != default_value(kind, default) {
                        self.value(&shown, &schema, value);
                    }
                }
                Shape::List(inner) => self.list(inner, value, &shown, &schema),
            }
        }
    }

    fn list(&mut self, fragments: &[Fragment], value: &Value, shown: &str, schema: &str) {
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        let on = |item: &&Value| item.get("enabled") != Some(&Value::Bool(false));
        if key(schema).is_some_and(|key| key.support == Support::NotYet) {
            for (at, item) in items.iter().enumerate().filter(|(_, item)| on(item)) {
                self.note(&format!("{shown}[{}]", tree::item_label(at, item)), schema);
            }
            return;
        }
        for (at, item) in items.iter().enumerate() {
            let shown = format!("{shown}[{}]", tree::item_label(at, item));
            self.section(fragments, item, &shown, &format!("{schema}[]"));
        }
    }

    fn value(&mut self, shown: &str, schema: &str, value: &Value) {
        if key(schema).is_some_and(|key| key.support == Support::NotYet) {
            self.note(shown, schema);
        } else if let Some(words) = supported_words(schema)
            && let Some(word) = value.as_str().filter(|word| !words.contains(word))
        {
            let origin = self.merged.origin(shown).cloned();
            let works = words.iter().rfind(|word| !word.is_empty()).unwrap_or(&"");
            let detail = format!("value {word:?}; {works:?} is used instead");
            self.warnings.push(Warning::NotSupported { origin, key: shown.to_owned(), detail });
        }
    }

    fn note(&mut self, shown: &str, schema: &str) {
        let group = group(schema);
        let origin = self.merged.origin(shown).cloned();
        if !self.groups.contains_key(&group) {
            self.order.push(group.clone());
        }
        self.groups.entry(group).or_insert((origin, Vec::new())).1.push(shown.to_owned());
    }
}

/// The outermost section around a key in which nothing is supported; else the key itself.
fn group(schema: &str) -> String {
    let ends = schema.match_indices('.').map(|(at, _)| at);
    let section = ends.map(|at| &schema[..at]).find(|section| nothing_works_in(section));
    section.unwrap_or(schema).trim_end_matches("[]").to_owned()
}

fn nothing_works_in(section: &str) -> bool {
    keys().iter().all(|key| {
        let inside = key.path.strip_prefix(section).is_some_and(|rest| rest.starts_with(['.', '[']));
        !inside || key.support == Support::NotYet
    })
}

fn listed(set: &[String]) -> String {
    let named = set.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match set.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
