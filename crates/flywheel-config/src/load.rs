use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::Config;
use crate::convert::{Dialect, describe, from_text};
use crate::env::{Environment, apply_item_variables, read_environment, report_unknown};
use crate::expand::expand_variables;
use crate::file::File;
use crate::layer::{Assignments, Layer, Setting};
use crate::legacy::{Written, is_old_key, read_old_key};
use crate::nearest::nearest_keys;
use crate::report::{ConfigError, Origin, Report, Warning};
use crate::schema::{ROOT, Shape, commercial, default_object, find, key};
use crate::section::{Place, Reader, unfolded};
use crate::tree;
use crate::unsupported::warn_unsupported;
use crate::validate::validate;

/// Everything a configuration is made from, in order of rising precedence.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The configuration file, if there is one.
    pub file: Option<File<'a>>,
    /// The environment, `.env` included. `FLYWHEEL_X` counts before `CENTRIFUGO_X`; an empty one counts as unset.
    pub env: Option<&'a BTreeMap<String, String>>,
    /// Flags as full key and text. A later one of the same key wins; the text of a text key may be empty.
    pub flags: &'a [(String, String)],
}

/// How strictly to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Unknown keys are warnings instead of errors.
    pub lenient: bool,
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The validated configuration.
    pub config: Config,
    /// What the operator should know about it.
    pub warnings: Vec<Warning>,
}

/// The merged tree, with the origin of what was set.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) tree: Value,
    origins: BTreeMap<String, Origin>,
}

impl Merged {
    /// Where a key was set; for a key of a list item, where the list was unless a variable set that very key.
    pub(crate) fn origin(&self, key: &str) -> Option<&Origin> {
        let list = || self.origins.get(key.split_once('[')?.0);
        self.origins.get(key).or_else(list)
    }

    /// Where the first key of this section was set.
    pub(crate) fn origin_below(&self, section: &str) -> Option<&Origin> {
        let section = format!("{section}.");
        let first = self.origins.range(section.clone()..).next();
        first.filter(|(set, _)| set.starts_with(&section)).map(|(_, origin)| origin)
    }

    /// The same, or else where something was set in the section around the key: that is what made the key matter.
    pub(crate) fn origin_near(&self, key: &str) -> Option<&Origin> {
        let sections = key.rmatch_indices('.').map(|(at, _)| &key[..=at]);
        let set_in = |section: &str| {
            let first = self.origins.range(section.to_owned()..).next();
            first.filter(|(set, _)| set.starts_with(section)).map(|(_, origin)| origin)
        };
        self.origin(key).or_else(|| sections.into_iter().find_map(set_in))
    }
}

/// Merges the sources and validates the outcome: flag before environment before file before default.
///
/// # Errors
/// Everything that is wrong, not only the first. With a broken file nothing but the file, the variables and the flags
/// is checked.
pub fn load(sources: &Sources<'_>, options: LoadOptions) -> Result<Loaded, Vec<ConfigError>> {
    let mut report = Report::default();
    let nothing = BTreeMap::new();
    let vars = sources.env.unwrap_or(&nothing);
    let file = sources.file.map(|file| (file, file.tree()));
    let mut merged = Merged { tree: default_object(ROOT), origins: BTreeMap::new() };
    let mut broken = false;
    match file {
        Some((file, Ok(top))) => {
            let layer = read_file(&file, &top, options, &mut report);
            apply(layer, &mut merged, &mut report);
        }
        Some((_, Err(error))) => {
            broken = true;
            report.errors.push(error);
        }
        None => {}
    }
    let environment = read_environment(vars, options, &mut report);
    let Environment { layer, unmatched } = environment;
    apply(layer, &mut merged, &mut report);
    let mut overrides = BTreeMap::new();
    let unknown = apply_item_variables(unmatched, &mut merged.tree, &mut overrides, options, &mut report);
    if !broken {
        report_unknown(unknown, options, &mut report);
    }
    merged.origins.extend(overrides);
    apply(read_flags(sources.flags, &mut report), &mut merged, &mut report);
    expand_variables(&mut merged, vars, &mut report);
    if !broken {
        validate(&merged, &mut report);
        warn_unsupported(&merged, &mut report);
    }
    if report.errors.is_empty() {
        Ok(Loaded { config: Config::from_tree(merged.tree), warnings: report.warnings })
    } else {
        Err(report.errors)
    }
}

fn apply(layer: Layer, merged: &mut Merged, report: &mut Report) {
    let mut layer = layer;
    let named = std::mem::take(&mut layer.named_items);
    for (key, Setting { value, origin }) in layer.finish(report) {
        tree::set(&mut merged.tree, &key, value);
        merged.origins.insert(key, origin);
    }
    for (list, names, origin) in named {
        let Some(Shape::List(fragments)) = crate::schema::entry_at(ROOT, &list).map(|entry| entry.shape)
        else {
            continue;
        };
        let Some(Value::Array(items)) = tree::get_mut(&mut merged.tree, &list) else { continue };
        for name in names {
            if items.iter().all(|item| item.get("name").and_then(Value::as_str) != Some(&name)) {
                let mut item = default_object(fragments);
                tree::set(&mut item, "name", name.into());
                items.push(item);
            }
        }
        merged.origins.entry(list).or_insert(origin);
    }
}

fn read_file(file: &File<'_>, top: &Map<String, Value>, options: LoadOptions, report: &mut Report) -> Layer {
    let mut layer = Layer::default();
    let mut reader = Reader {
        origin: Origin::File(file.name.to_owned()),
        dialect: Dialect::File,
        lenient: options.lenient,
        report,
    };
    read_top(&mut reader, top, &mut layer, true);
    layer
}

fn read_top(reader: &mut Reader<'_>, top: &Map<String, Value>, layer: &mut Layer, outermost: bool) {
    let values = top.iter().find(|(key, value)| key.to_lowercase() == "config" && value.is_object());
    if outermost && let Some((_, Value::Object(inner))) = values {
        let place = Place::default().child("config");
        let text = "these look like values of a Helm chart: what is below config is read, unknown keys beside it are \
                    not";
        reader.remark(&place, text.into());
        let lenient = std::mem::replace(&mut reader.lenient, true);
        let beside = top.iter().filter(|(key, _)| key.to_lowercase() != "config");
        let beside: Map<String, Value> = beside.map(|(key, value)| (key.clone(), value.clone())).collect();
        read_top(reader, &beside, layer, false);
        reader.lenient = lenient;
        read_top(reader, inner, layer, false);
        return;
    }
    let proxies =
        top.iter().find(|(key, _)| key.to_lowercase() == "proxies").map_or(&Value::Null, |pair| pair.1);
    for (written, value) in top {
        let (name, value) = unfolded(written, value);
        let section = Place::default().child(&name);
        let is_old = is_old_key(&name);
        let entry = find(ROOT, &name);
        match entry {
            Some(entry) if !(is_old && is_scalar(&value)) => {
                let mut out = Assignments::new();
                reader.entry(&section, entry, &value, &mut out);
                let origin = reader.origin.clone();
                layer.set_all(out, &origin);
            }
            _ if is_old => read_old_key(reader, &name, Written::Value(&value, proxies), layer),
            _ if commercial(&name).is_some() => {
                let (origin, key) = (reader.origin.clone(), name);
                reader.report.warnings.push(Warning::Commercial { origin, key });
            }
            _ => reader.unknown(&section),
        }
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_) | Value::Null)
}

fn read_flags(flags: &[(String, String)], report: &mut Report) -> Layer {
    let mut layer = Layer::default();
    for (path, text) in flags {
        let origin = Origin::Flag(path.clone());
        let known = key(path).filter(|_| !path.contains('['));
        let Some(known) = known else {
            let (key, nearest) = (path.clone(), nearest_keys(path));
            report.errors.push(ConfigError::UnknownKey { origin, key, nearest });
            continue;
        };
        match from_text(known.kind, text) {
            Ok(converted) => {
                if let Some(value) = converted.value {
                    layer.set(path.clone(), value, &origin);
                }
            }
            Err(mismatch) => report.errors.push(ConfigError::WrongType {
                origin,
                key: path.clone(),
                found: if text.is_empty() { describe(&Value::Null) } else { mismatch.found },
                expected: mismatch.expected,
            }),
        }
    }
    layer
}
