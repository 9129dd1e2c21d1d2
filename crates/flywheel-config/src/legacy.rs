//! Keys of versions 2 to 5, which had no sections. Source: configuration-v6, sections 6 to 8.

mod items;
mod renamed;
mod table;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::convert::{Dialect, from_text};
use crate::layer::{Assignments, Layer};
use crate::schema::{Entry, ROOT, Shape, entry_at, env_name};
use crate::section::{Place, Reader, seconds};

pub(crate) use items::{Moved, moved, switch_on_named_proxies};
use table::{New, PROXIES, new_name, old_names};

/// What was written under an old key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written<'a> {
    /// A value of a file. With it, the file's `proxies`, which old keys may refer to.
    Value(&'a Value, &'a Value),
    /// The text of a variable.
    Text(&'a str),
}

/// Whether an old top-level key has that name.
pub(crate) fn is_old_key(name: &str) -> bool {
    new_name(name).is_some()
}

/// The old key that a variable set, by the part of its name after the prefix.
pub(crate) fn old_key_by_env(name: &str) -> Option<&'static str> {
    static BY_ENV: LazyLock<BTreeMap<String, &'static str>> =
        LazyLock::new(|| old_names().map(|old| (env_name(old), old)).collect());
    BY_ENV.get(name).copied()
}

/// Reads an old key into the layer, under its present name, and says so.
pub(crate) fn read_old_key(reader: &mut Reader<'_>, old: &str, written: Written<'_>, layer: &mut Layer) {
    let Some(new) = new_name(old) else { return };
    let dialect = std::mem::replace(&mut reader.dialect, Dialect::OldFile);
    let mut out = Assignments::new();
    match new {
        New::Gone(advice) => reader.removed(old, advice),
        New::Key(key) => {
            reader.renamed(old, key);
            assign(reader, old, key, written, &mut out);
        }
        New::Seconds(key) => {
            reader.renamed(old, key);
            match written {
                Written::Value(value, proxies) => {
                    assign(reader, old, key, Written::Value(&seconds(value), proxies), &mut out);
                }
                Written::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    assign(reader, old, key, Written::Text(&format!("{text}s")), &mut out);
                }
                Written::Text(_) => assign(reader, old, key, written, &mut out),
            }
        }
        New::KeyAndSwitch(key, switch) => {
            reader.renamed(old, &format!("{key}, {switch}"));
            assign(reader, old, key, written, &mut out);
            if !out.is_empty() {
                out.insert(switch.to_owned(), true.into());
            }
        }
        New::EveryProxy(key) => {
            reader.renamed(old, &format!("{key} of every proxy"));
            for proxy in PROXIES {
                assign(reader, old, &format!("{proxy}.{key}"), written, &mut out);
            }
        }
        New::Inlined(section) => inline(reader, old, section, written, &mut out),
    }
    reader.dialect = dialect;
    layer.set_old(old, out, &reader.origin);
}

/// Reads what was written as the value of the key `new`; messages call it `old`.
fn assign(reader: &mut Reader<'_>, old: &str, new: &str, written: Written<'_>, out: &mut Assignments) {
    let Some(entry) = entry_at(ROOT, new) else { return };
    let place = Place { shown: old.to_owned(), schema: new.to_owned(), local: new.to_owned() };
    match (written, entry.shape) {
        (Written::Value(value, _), _) if new == "http_server.tls_autocert.host_whitelist" => {
            reader.entry(&place, entry, &comma_separated(value), out);
        }
        (Written::Value(value, _), _) => reader.entry(&place, entry, value, out),
        (Written::Text(text), _) if new == "http_server.tls_autocert.host_whitelist" => {
            reader.entry(&place, entry, &comma_separated(&text.into()), out);
        }
        (Written::Text(text), _) => assign_text(reader, &place, entry, text, out),
    }
}

fn assign_text(reader: &mut Reader<'_>, place: &Place, entry: &Entry, text: &str, out: &mut Assignments) {
    match entry.shape {
        Shape::Value(kind, _) => match from_text(kind, text) {
            Ok(converted) => {
                out.extend(converted.value.map(|value| (place.local.clone(), value)));
            }
            Err(mismatch) => reader.wrong_type(place, &mismatch),
        },
        Shape::Block(_) | Shape::List(_) => match serde_json::from_str::<Value>(text) {
            Ok(value) => reader.entry(place, entry, &value, out),
            Err(error) => reader.wrong_type(
                place,
                &crate::convert::Mismatch {
                    found: format!("text that is not JSON ({error})"),
                    expected: "JSON".into(),
                },
            ),
        },
    }
}

/// Reads the proxy of that name as the section `section`, and switches it on.
fn inline(reader: &mut Reader<'_>, old: &str, section: &str, written: Written<'_>, out: &mut Assignments) {
    let Written::Value(Value::String(name), proxies) = written else {
        reader.removed(old, &format!("write the proxy's settings to {section}"));
        return;
    };
    let items = proxies.as_array().map_or(&[][..], Vec::as_slice);
    let named = items.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(name));
    let Some(Value::Object(item)) = named else {
        reader.removed(old, &format!("proxies has no item named {name:?}; write its settings to {section}"));
        return;
    };
    reader.renamed(old, &format!("{section}, {section}.enabled"));
    let mut item = item.clone();
    item.remove("name");
    let Some(Shape::Block(fragments)) = entry_at(ROOT, section).map(|entry| entry.shape) else { return };
    // Old names inside the item are those of an item of `proxies`.
    let place = Place { shown: old.to_owned(), schema: "proxies[]".into(), local: section.to_owned() };
    reader.section(&place, fragments, &item, out);
    out.insert(format!("{section}.enabled"), true.into());
}

fn comma_separated(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            text.split(',').map(str::trim).filter(|host| !host.is_empty()).map(Value::from).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_old_key_leads_to_a_key_of_the_tree() {
        for old in old_names() {
            let paths: Vec<String> = match new_name(old).unwrap() {
                New::Gone(advice) => {
                    assert!(!advice.is_empty());
                    Vec::new()
                }
                New::Key(key) | New::Seconds(key) | New::Inlined(key) => vec![key.to_owned()],
                New::KeyAndSwitch(key, switch) => vec![key.to_owned(), switch.to_owned()],
                New::EveryProxy(key) => PROXIES.iter().map(|proxy| format!("{proxy}.{key}")).collect(),
            };
            for path in paths {
                assert!(entry_at(ROOT, &path).is_some(), "{old} leads to {path}, which is not there");
            }
        }
    }

    #[test]
    fn no_old_key_hides_a_key_of_today() {
        for old in old_names() {
            let today = crate::schema::find(ROOT, old).map(|entry| entry.shape);
            assert!(matches!(today, None | Some(Shape::Block(_))), "{old}");
        }
    }
}
