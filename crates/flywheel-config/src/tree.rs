//! Paths through the merged tree.

use serde_json::{Map, Value};

/// A key below a section, or at the top when the section is empty.
pub(crate) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The value at a path of names.
pub(crate) fn get<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |section, name| section.get(name))
}

/// The value at a path of names, to be changed.
pub(crate) fn get_mut<'a>(tree: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(tree, |section, name| section.get_mut(name))
}

/// Puts a value at a path of names; sections on the way are made.
pub(crate) fn set(tree: &mut Value, path: &str, value: Value) {
    if !tree.is_object() {
        *tree = Value::Object(Map::new());
    }
    let Value::Object(section) = tree else { return };
    match path.split_once('.') {
        None => {
            section.insert(path.to_owned(), value);
        }
        Some((name, rest)) => set(section.entry(name).or_insert(Value::Null), rest, value),
    }
}

/// What messages call an item of a list: its name, or its place counted from 0.
pub(crate) fn item_label(at: usize, item: &Value) -> String {
    let name = item.get("name").and_then(Value::as_str).filter(|name| !name.is_empty() && name.len() <= 64);
    name.map_or_else(|| at.to_string(), ToOwned::to_owned)
}
