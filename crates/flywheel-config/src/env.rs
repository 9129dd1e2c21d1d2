//! Reads the environment: `FLYWHEEL_` and, as a fallback, `CENTRIFUGO_` before the key in upper case with `_` for `.`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::convert::{Dialect, Mismatch, from_text};
use crate::layer::Layer;
use crate::legacy::{Written, old_key_by_env, read_old_key};
use crate::load::LoadOptions;
use crate::nearest::nearest_variables;
use crate::report::{ConfigError, Origin, Report, Warning};
use crate::schema::{
    Fragment, Key, Kind, ROOT, Shape, commercial_variable, entry_at, env_name, key_by_env, keys,
};
use crate::section::{Place, Reader};
use crate::tree;

const PREFIXES: [&str; 2] = ["CENTRIFUGO_", "FLYWHEEL_"];

/// Lists whose items a variable may name, and whose items have variables of their own.
const NAMED_LISTS: [&str; 4] = ["channel.namespaces", "rpc.namespaces", "proxies", "consumers"];

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Environment<'a> {
    pub(crate) layer: Layer,
    /// Variables that set no key by themselves; they may belong to an item of a list.
    pub(crate) unmatched: Vec<Variable<'a>>,
}

/// A variable with one of our prefixes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable<'a> {
    prefix: &'static str,
    name: &'a str,
    text: &'a str,
}

impl Variable<'_> {
    fn origin(&self) -> Origin {
        Origin::Variable(format!("{}{}", self.prefix, self.name))
    }
}

/// Reads every variable that sets a key by itself.
pub(crate) fn read_environment<'a>(
    vars: &'a BTreeMap<String, String>,
    options: LoadOptions,
    report: &mut Report,
) -> Environment<'a> {
    let mut layer = Layer::default();
    let mut unmatched = Vec::new();
    for variable in variables(vars) {
        let Variable { name, text, .. } = variable;
        if let Some(key) = key_by_env(name) {
            if !(is_port(name) && is_link(text)) {
                read_variable(variable, key, &mut layer, options, report);
            }
        } else if is_injected(name, text) || name.starts_with("VAR_") {
        } else if let Some(old) = old_key_by_env(name) {
            let mut reader = reader(variable, options, report);
            read_old_key(&mut reader, old, Written::Text(text), &mut layer);
        } else {
            unmatched.push(variable);
        }
    }
    Environment { layer, unmatched }
}

/// Sets keys of list items that are there; gives back the variables that belong to none.
pub(crate) fn apply_item_variables<'a>(
    unmatched: Vec<Variable<'a>>,
    tree: &mut Value,
    origins: &mut BTreeMap<String, Origin>,
    options: LoadOptions,
    report: &mut Report,
) -> Vec<Variable<'a>> {
    let mut left = unmatched;
    for list in NAMED_LISTS {
        let list_prefix = format!("{}_", env_name(list));
        let Some(Shape::List(fragments)) = entry_at(ROOT, list).map(|entry| entry.shape) else { continue };
        let Some(Value::Array(items)) = tree::get_mut(tree, list) else { continue };
        let names: Vec<String> =
            items.iter().map(|item| item["name"].as_str().unwrap_or("").to_owned()).collect();
        left.retain(|variable| {
            let Some(rest) = variable.name.strip_prefix(list_prefix.as_str()) else { return true };
            let mut matched = false;
            for (item, name) in items.iter_mut().zip(&names) {
                let option =
                    rest.strip_prefix(env_name(name).as_str()).and_then(|rest| rest.strip_prefix('_'));
                let Some(key) = option.and_then(|option| item_key(list, option)) else { continue };
                matched = true;
                let local = &key.path[list.len() + 3..];
                let mut reader = reader(*variable, options, report);
                let shown = format!("{list}[{name}].{local}");
                let place = Place { shown: shown.clone(), schema: key.path.clone(), local: local.to_owned() };
                if let Some(value) = read_text(&mut reader, &place, key, fragments, variable.text) {
                    tree::set(item, local, value);
                    origins.insert(shown, variable.origin());
                }
            }
            !matched
        });
    }
    left
}

/// Reports the variables that belong to nothing.
pub(crate) fn report_unknown(unknown: Vec<Variable<'_>>, options: LoadOptions, report: &mut Report) {
    for variable in unknown {
        let (origin, key) = (variable.origin(), format!("{}{}", variable.prefix, variable.name));
        if commercial_variable(variable.name) {
            report.warnings.push(Warning::Commercial { origin, key });
            continue;
        }
        let nearest = nearest_variables(variable.name).into_iter();
        let nearest = nearest.map(|name| format!("{}{name}", variable.prefix)).collect();
        // Others may own variables that start like the reference's name; nobody owns ours.
        if options.lenient || variable.prefix == "CENTRIFUGO_" {
            report.warnings.push(Warning::UnknownKey { origin, key, nearest });
        } else {
            report.errors.push(ConfigError::UnknownKey { origin, key, nearest });
        }
    }
}

/// Our variables, those of the reference first; of two for the same key only ours.
fn variables(vars: &BTreeMap<String, String>) -> impl Iterator<Item = Variable<'_>> {
    PREFIXES.into_iter().flat_map(move |prefix| {
        vars.iter().filter_map(move |(name, text)| {
            let name = name.strip_prefix(prefix)?;
            let ours = vars.get(&format!("FLYWHEEL_{name}")).is_some_and(|ours| !ours.is_empty());
            let outdone = prefix == "CENTRIFUGO_" && ours;
            (!text.is_empty() && !outdone).then_some(Variable { prefix, name, text })
        })
    })
}

fn reader<'a>(variable: Variable<'_>, options: LoadOptions, report: &'a mut Report) -> Reader<'a> {
    let lenient = options.lenient || variable.prefix == "CENTRIFUGO_";
    Reader { origin: variable.origin(), dialect: Dialect::Json, lenient, report }
}

fn read_variable(
    variable: Variable<'_>,
    key: &'static Key,
    layer: &mut Layer,
    options: LoadOptions,
    report: &mut Report,
) {
    let place = Place { shown: key.path.clone(), schema: key.path.clone(), local: key.path.clone() };
    let is_list = key.kind == Kind::ObjectList;
    if is_list && NAMED_LISTS.contains(&key.path.as_str()) && !variable.text.trim_start().starts_with('[') {
        let names = variable.text.split(' ').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
        layer.named_items.push((key.path.clone(), names, variable.origin()));
        return;
    }
    let mut reader = reader(variable, options, report);
    if let Some(value) = read_text(&mut reader, &place, key, ROOT, variable.text) {
        layer.set(key.path.clone(), value, &variable.origin());
    }
}

/// Reads the text of a variable as a key's value. `fragments` are those that `place.local` starts from.
fn read_text(
    reader: &mut Reader<'_>,
    place: &Place,
    key: &Key,
    fragments: &'static [Fragment],
    text: &str,
) -> Option<Value> {
    if key.kind != Kind::ObjectList {
        return match from_text(key.kind, text) {
            Ok(converted) => converted.value,
            Err(mismatch) => {
                reader.wrong_type(place, &mismatch);
                None
            }
        };
    }
    let Some(Shape::List(items)) = entry_at(fragments, &place.local).map(|entry| entry.shape) else {
        return None;
    };
    match serde_json::from_str::<Value>(text) {
        Ok(value) => Some(Value::Array(reader.list(place, items, &value))),
        Err(error) => {
            let found = format!("text that is not JSON ({error})");
            reader.wrong_type(place, &Mismatch { found, expected: "a JSON array of objects".into() });
            None
        }
    }
}

/// The key of an item that a variable's last part names.
fn item_key(list: &str, option: &str) -> Option<&'static Key> {
    keys().iter().find(|key| {
        let local = key.path.strip_prefix(list).and_then(|rest| rest.strip_prefix("[]."));
        local.is_some_and(|local| !local.contains('[') && env_name(local) == option)
    })
}

/// Kubernetes tells a pod about services named like ours, in variables named like ours.
fn is_injected(name: &str, text: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let protocol = |part: &&str| matches!(*part, "TCP" | "UDP" | "SCTP");
    let port_of_protocol = parts.windows(3).any(|three| {
        three[0] == "PORT" && three[1].bytes().all(|byte| byte.is_ascii_digit()) && protocol(&three[2])
    });
    let service = parts.windows(2).any(|two| two[0] == "SERVICE" && matches!(two[1], "HOST" | "PORT"));
    port_of_protocol || service || (is_port(name) && is_link(text))
}

fn is_port(name: &str) -> bool {
    name == "PORT" || name.ends_with("_PORT")
}

fn is_link(text: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme))
}
