use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::ROOT;
use super::entry::{Entry, Fragment, Kind, Literal, Shape};
use super::support::{Support, reloadable};
use crate::duration;

/// One key of the tree, spelt out.
#[derive(Debug, Clone)]
pub struct Key {
    /// The full key, with `[]` after the name of a list: `channel.namespaces[].presence`.
    pub path: String,
    /// What it holds.
    pub kind: Kind,
    /// What it holds when nobody sets it. Durations are text in their shortest form.
    pub default: Value,
    /// What it is for, in one sentence.
    pub meaning: &'static str,
    /// Whether setting it has an effect.
    pub support: Support,
    /// Whether a reload takes a new value over.
    pub reloadable: bool,
}

/// Every key with shared blocks spelt out, and every list of sections, in the order of the reference page.
pub fn keys() -> &'static [Key] {
    &KEYS
}

/// The key of that path, with `[]` after the names of lists.
pub fn key(path: &str) -> Option<&'static Key> {
    BY_PATH.get(path).and_then(|at| KEYS.get(*at))
}

/// The key that a variable sets, by the part of its name after the prefix. Keys of list items have no such name.
pub(crate) fn key_by_env(name: &str) -> Option<&'static Key> {
    BY_ENV.get(name).and_then(|at| KEYS.get(*at))
}

/// The name of a key's variable, without the prefix.
pub(crate) fn env_name(path: &str) -> String {
    path.to_ascii_uppercase().replace(['.', '-'], "_")
}

/// The entry of a name in a block.
pub(crate) fn find(fragments: &[Fragment], name: &str) -> Option<&'static Entry> {
    fragments.iter().flat_map(|fragment| fragment.iter()).find(|entry| entry.name == name)
}

/// The entry at a path without lists on the way, below `fragments`.
pub(crate) fn entry_at(fragments: &'static [Fragment], path: &str) -> Option<&'static Entry> {
    match path.split_once('.') {
        None => find(fragments, path),
        Some((name, rest)) => match find(fragments, name)?.shape {
            Shape::Block(inner) => entry_at(inner, rest),
            Shape::Value(..) | Shape::List(_) => None,
        },
    }
}

/// A section with every key at its default.
pub(crate) fn default_object(fragments: &[Fragment]) -> Value {
    let mut object = Map::new();
    for entry in fragments.iter().flat_map(|fragment| fragment.iter()) {
        let value = match entry.shape {
            Shape::Value(kind, literal) => default_value(kind, literal),
            Shape::Block(inner) => default_object(inner),
            Shape::List(_) => Value::Array(Vec::new()),
        };
        object.insert(entry.name.to_owned(), value);
    }
    Value::Object(object)
}

/// A default as a value of the merged tree.
pub(crate) fn default_value(kind: Kind, literal: Literal) -> Value {
    match (kind, literal) {
        (Kind::Duration, Literal::Text(text)) => duration::format(duration::parse(text).unwrap_or(0)).into(),
        (_, Literal::Int(number)) => number.into(),
        (_, Literal::Text(text)) => text.into(),
        (_, Literal::Texts(texts)) => texts.iter().copied().map(Value::from).collect(),
        (Kind::Bool, Literal::Zero) => false.into(),
        (Kind::Int(_), Literal::Zero) => 0.into(),
        (Kind::Duration, Literal::Zero) => "0s".into(),
        (Kind::Text | Kind::Choice(_) | Kind::Pem, Literal::Zero) => "".into(),
        (Kind::TextList | Kind::ObjectList, Literal::Zero) => Value::Array(Vec::new()),
        (Kind::TextMap, Literal::Zero) => Value::Object(Map::new()),
    }
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    spell_out("", ROOT, &mut keys);
    keys
});

static BY_PATH: LazyLock<BTreeMap<&'static str, usize>> =
    LazyLock::new(|| KEYS.iter().enumerate().map(|(at, key)| (key.path.as_str(), at)).collect());

static BY_ENV: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
    let named = KEYS.iter().enumerate().filter(|(_, key)| !key.path.contains('['));
    named.map(|(at, key)| (env_name(&key.path), at)).collect()
});

fn spell_out(prefix: &str, fragments: &[Fragment], keys: &mut Vec<Key>) {
    for entry in fragments.iter().flat_map(|fragment| fragment.iter()) {
        let path = if prefix.is_empty() { entry.name.to_owned() } else { format!("{prefix}.{}", entry.name) };
        match entry.shape {
            Shape::Value(kind, literal) => keys.push(spelt(path, kind, literal, entry.meaning)),
            Shape::Block(inner) => spell_out(&path, inner, keys),
            Shape::List(inner) => {
                let items = format!("{path}[]");
                keys.push(spelt(path, Kind::ObjectList, Literal::Zero, entry.meaning));
                spell_out(&items, inner, keys);
            }
        }
    }
}

fn spelt(path: String, kind: Kind, literal: Literal, meaning: &'static str) -> Key {
    Key {
        kind,
        default: default_value(kind, literal),
        meaning,
        support: Support::of(&path),
        reloadable: reloadable(&path),
        path,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::support;
    use super::*;

    #[test]
    fn every_key_of_the_reference_is_there() {
        // Version 6 has 1104 keys that hold a value (text maps among them) and 18 lists of sections; 46 more
        // below `broker.redisnats` are known from its environment only; the rest is our own, or was commercial.
        let lists = KEYS.iter().filter(|key| key.kind == Kind::ObjectList).count();
        let redisnats = KEYS.iter().filter(|key| key.path.starts_with("broker.redisnats.")).count();
        assert_eq!(lists, 18);
        assert_eq!(redisnats, 46);
        let own = KEYS.iter().filter(|key| is_own(&key.path)).count();
        assert_eq!(KEYS.len() - lists - redisnats - own, 1104);
    }

    /// Keys that the open edition of the reference does not know.
    fn is_own(path: &str) -> bool {
        const NAMES: [&str; 4] = [
            "redis.topology",
            "redis.probe_interval",
            "redis.topology_refresh_interval",
            "redis.sharded_pub_sub_partitions",
        ];
        const PATHS: [&str; 8] = [
            "node.shards",
            "node.hand_over_after",
            "shutdown.delay",
            "shutdown.spread",
            "health.grace",
            "health.scope",
            "health.stuck_after",
            "health.abort_after",
        ];
        PATHS.contains(&path) || NAMES.iter().any(|name| path.ends_with(name))
    }

    #[test]
    fn no_two_keys_share_a_path_or_a_variable() {
        assert_eq!(BY_PATH.len(), KEYS.len());
        assert_eq!(BY_ENV.len(), KEYS.iter().filter(|key| !key.path.contains('[')).count());
    }

    #[test]
    fn every_marker_names_a_key_or_a_block() {
        let paths: BTreeSet<&str> = KEYS.iter().map(|key| key.path.as_str()).collect();
        for marked in support::tests::marked() {
            let covered = paths.iter().any(|path| path.starts_with(&marked));
            assert!(covered, "{marked} marks nothing");
        }
    }

    #[test]
    fn every_key_says_what_it_is_for_and_durations_are_durations() {
        for key in keys() {
            assert!(key.meaning.ends_with('.'), "{} has no meaning", key.path);
            if key.kind == Kind::Duration {
                assert!(duration::parse(key.default.as_str().unwrap()).is_ok(), "{}", key.path);
            }
        }
        assert_eq!(key("websocket.write_timeout").unwrap().default, "1s");
        assert_eq!(key("channel.history_meta_ttl").unwrap().default, "720h");
    }
}
