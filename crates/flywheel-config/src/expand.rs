//! `${FLYWHEEL_VAR_X}` and `${CENTRIFUGO_VAR_X}` in the values of text maps, so that secrets stay out of files.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::load::Merged;
use crate::report::{ConfigError, Report};
use crate::schema::{Fragment, Kind, ROOT, Shape};
use crate::tree;

const PREFIXES: [&str; 2] = ["FLYWHEEL_VAR_", "CENTRIFUGO_VAR_"];

/// Replaces the references in every text map; one to a variable that is not set is an error.
pub(crate) fn expand_variables(merged: &mut Merged, vars: &BTreeMap<String, String>, report: &mut Report) {
    let mut missing = Vec::new();
    expand_section(ROOT, &mut merged.tree, "", vars, &mut missing);
    for (key, variable) in missing {
        let origin = merged.origin_near(&key).cloned();
        let reason = format!("variable {variable} is not set");
        report.errors.push(ConfigError::Invalid { origin, key, reason });
    }
}

type Missing = Vec<(String, String)>;

fn expand_section(
    fragments: &[Fragment],
    section: &mut Value,
    path: &str,
    vars: &BTreeMap<String, String>,
    missing: &mut Missing,
) {
    for entry in fragments.iter().flat_map(|fragment| fragment.iter()) {
        let Some(value) = section.get_mut(entry.name) else { continue };
        let path = tree::join(path, entry.name);
        match (entry.shape, value) {
            (Shape::Block(inner), value) => expand_section(inner, value, &path, vars, missing),
            (Shape::List(inner), Value::Array(items)) => {
                for (at, item) in items.iter_mut().enumerate() {
                    let path = format!("{path}[{}]", tree::item_label(at, item));
                    expand_section(inner, item, &path, vars, missing);
                }
            }
            (Shape::Value(Kind::TextMap, _), Value::Object(map)) => {
                for (name, value) in map {
                    let Value::String(text) = value else { continue };
                    match expanded(text, vars) {
                        Ok(new) => *value = new.into(),
                        Err(variable) => missing.push((tree::join(&path, name), variable)),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The text with references replaced, or the first variable that is not set. Other `${..}` stay as they are.
fn expanded(text: &str, vars: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, after)) if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => {
                out.push_str(vars.get(name).ok_or_else(|| name.to_owned())?);
                rest = after;
            }
            _ => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_variables_are_put_in() {
        let vars = BTreeMap::from([
            ("FLYWHEEL_VAR_A".to_owned(), "1".to_owned()),
            ("CENTRIFUGO_VAR_B".to_owned(), "${FLYWHEEL_VAR_A}".to_owned()),
            ("HOME".to_owned(), "/root".to_owned()),
        ]);
        let table = [
            ("a ${FLYWHEEL_VAR_A}${CENTRIFUGO_VAR_B}.", "a 1${FLYWHEEL_VAR_A}."),
            ("${HOME} $FLYWHEEL_VAR_A", "${HOME} $FLYWHEEL_VAR_A"),
            ("${x ${FLYWHEEL_VAR_A}", "${x 1"),
            ("${FLYWHEEL_VAR_A", "${FLYWHEEL_VAR_A"),
            ("${", "${"),
        ];
        for (text, result) in table {
            assert_eq!(expanded(text, &vars).as_deref(), Ok(result), "{text}");
        }
        assert_eq!(expanded("${FLYWHEEL_VAR_C}", &vars), Err("FLYWHEEL_VAR_C".to_owned()));
    }
}
