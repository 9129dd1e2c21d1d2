//! Reads sections of a file, or of JSON in a variable, against the schema.

use serde_json::{Map, Value};

use crate::convert::{Dialect, Mismatch, describe, from_value};
use crate::layer::Assignments;
use crate::legacy::{Moved, moved, switch_on_named_proxies};
use crate::nearest::nearest_keys;
use crate::report::{ConfigError, Origin, Report, Warning};
use crate::schema::{Entry, Fragment, Shape, commercial, default_object, entry_at, find};
use crate::tree;

/// Past this many errors, unknown keys get no suggestions: a search costs time, and nobody reads on.
const SUGGESTIONS_MAX: usize = 50;

/// A place in the tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// As messages name it: `proxies[auth].http`.
    pub(crate) shown: String,
    /// As the schema names it: `proxies[].http`.
    pub(crate) schema: String,
    /// From the list item it is in, or else from the top.
    pub(crate) local: String,
}

impl Place {
    pub(crate) fn child(&self, name: &str) -> Self {
        Self {
            shown: tree::join(&self.shown, name),
            schema: tree::join(&self.schema, name),
            local: tree::join(&self.local, name),
        }
    }

    fn item(&self, label: &str) -> Self {
        Self {
            shown: format!("{}[{label}]", self.shown),
            schema: format!("{}[]", self.schema),
            local: String::new(),
        }
    }
}

/// Reads what one origin wrote.
pub(crate) struct Reader<'a> {
    pub(crate) origin: Origin,
    pub(crate) dialect: Dialect,
    /// Whether unknown keys are only warned about.
    pub(crate) lenient: bool,
    pub(crate) report: &'a mut Report,
}

impl Reader<'_> {
    /// Reads the keys of one section into `out`, which is keyed from the list item the section is in.
    pub(crate) fn section(
        &mut self,
        place: &Place,
        fragments: &'static [Fragment],
        section: &Map<String, Value>,
        out: &mut Assignments,
    ) {
        for (written, value) in section {
            let (name, value) = unfolded(written, value);
            match find(fragments, &name) {
                Some(entry) => self.entry(&place.child(entry.name), entry, &value, out),
                None => self.not_found(place, fragments, &name, &value, out),
            }
        }
    }

    /// Reads the value of one entry, which may be a section.
    pub(crate) fn entry(&mut self, place: &Place, entry: &Entry, value: &Value, out: &mut Assignments) {
        match entry.shape {
            Shape::Block(fragments) => match value {
                Value::Object(section) => self.section(place, fragments, section, out),
                Value::Null => {}
                other => self.wrong_type(
                    place,
                    &Mismatch { found: describe(other), expected: "a section with keys of its own".into() },
                ),
            },
            Shape::Value(kind, _) => match from_value(kind, self.dialect, value) {
                Ok(converted) => {
                    if let Some(text) = converted.remark {
                        self.remark(place, text);
                    }
                    if let Some(value) = converted.value {
                        out.insert(place.local.clone(), value);
                    }
                }
                Err(mismatch) => self.wrong_type(place, &mismatch),
            },
            Shape::List(fragments) => {
                let items = self.list(place, fragments, value);
                if !items.is_empty() {
                    out.insert(place.local.clone(), Value::Array(items));
                }
            }
        }
    }

    /// Reads a list of sections; each item comes out with every key it may have.
    pub(crate) fn list(
        &mut self,
        place: &Place,
        fragments: &'static [Fragment],
        value: &Value,
    ) -> Vec<Value> {
        let items = match value {
            Value::Null => &[],
            Value::Array(items) => items.as_slice(),
            Value::Object(_) if self.dialect != Dialect::Json => std::slice::from_ref(value),
            other => {
                let mismatch = Mismatch { found: describe(other), expected: "a list of sections".into() };
                self.wrong_type(place, &mismatch);
                &[]
            }
        };
        items.iter().enumerate().map(|(at, item)| self.item(place, fragments, at, item)).collect()
    }

    fn item(&mut self, list: &Place, fragments: &'static [Fragment], at: usize, item: &Value) -> Value {
        let mut out = default_object(fragments);
        let place = list.item(&tree::item_label(at, item));
        match item {
            Value::Object(section) => {
                let mut assignments = Assignments::new();
                self.section(&place, fragments, section, &mut assignments);
                for (key, value) in assignments {
                    tree::set(&mut out, &key, value);
                }
            }
            Value::Null => {}
            other => {
                let mismatch = Mismatch { found: describe(other), expected: "a section".into() };
                self.wrong_type(&place, &mismatch);
            }
        }
        if self.dialect == Dialect::OldFile
            && place.schema == "channel.namespaces[]"
            && let Value::Object(item) = &mut out
        {
            switch_on_named_proxies(item);
        }
        out
    }

    fn not_found(
        &mut self,
        place: &Place,
        fragments: &'static [Fragment],
        name: &str,
        value: &Value,
        out: &mut Assignments,
    ) {
        let child = place.child(name);
        match moved(&place.schema, fragments, name) {
            Some(to) => self.moved_option(place, fragments, name, to, value, out),
            None if self.is_commercial(&child) => {}
            None => self.unknown(&child),
        }
    }

    fn moved_option(
        &mut self,
        place: &Place,
        fragments: &'static [Fragment],
        name: &str,
        to: Moved,
        value: &Value,
        out: &mut Assignments,
    ) {
        let (new, value) = match to {
            Moved::Gone(advice) => {
                self.removed(&place.child(name).shown, advice);
                return;
            }
            Moved::To(new) | Moved::ToAndSwitch(new, _) => (new, value.clone()),
            Moved::SecondsTo(new) => (new, seconds(value)),
        };
        let Some(entry) = entry_at(fragments, new) else { return };
        let mut moved = Assignments::new();
        self.entry(&place.child(new), entry, &value, &mut moved);
        if let Moved::ToAndSwitch(_, switch) = to
            && !moved.is_empty()
        {
            moved.insert(tree::join(&place.local, switch), true.into());
        }
        let new = place.child(new).shown;
        self.renamed(&place.child(name).shown, &new);
        for (key, value) in moved {
            out.entry(key).or_insert(value);
        }
    }

    fn is_commercial(&mut self, place: &Place) -> bool {
        let found = commercial(&place.schema).is_some();
        if found {
            let warning = Warning::Commercial { origin: self.origin.clone(), key: place.shown.clone() };
            self.report.warnings.push(warning);
        }
        found
    }

    /// A key that stands in no table.
    pub(crate) fn unknown(&mut self, place: &Place) {
        let said = self.report.errors.len() + self.report.warnings.len();
        let nearest = if said < SUGGESTIONS_MAX { nearest_keys(&place.schema) } else { Vec::new() };
        let (origin, key) = (self.origin.clone(), place.shown.clone());
        if self.lenient {
            self.report.warnings.push(Warning::UnknownKey { origin, key, nearest });
        } else {
            self.report.errors.push(ConfigError::UnknownKey { origin, key, nearest });
        }
    }

    pub(crate) fn wrong_type(&mut self, place: &Place, mismatch: &Mismatch) {
        self.report.errors.push(ConfigError::WrongType {
            origin: self.origin.clone(),
            key: place.shown.clone(),
            found: mismatch.found.clone(),
            expected: mismatch.expected.clone(),
        });
    }

    pub(crate) fn renamed(&mut self, old: &str, new: &str) {
        let (old, new) = (old.to_owned(), new.to_owned());
        self.report.warnings.push(Warning::Renamed { origin: self.origin.clone(), old, new });
    }

    pub(crate) fn removed(&mut self, old: &str, advice: &str) {
        let (old, advice) = (old.to_owned(), advice.to_owned());
        self.report.warnings.push(Warning::Removed { origin: self.origin.clone(), old, advice });
    }

    pub(crate) fn remark(&mut self, place: &Place, text: String) {
        let (origin, key) = (Some(self.origin.clone()), place.shown.clone());
        self.report.warnings.push(Warning::Remark { origin, key, text });
    }
}

/// The first part of a key in lower case, and the value with the other parts as sections around it.
pub(crate) fn unfolded(written: &str, value: &Value) -> (String, Value) {
    let lower = written.to_lowercase();
    match lower.split_once('.') {
        None => (lower, value.clone()),
        Some((name, rest)) => {
            let inner: Map<String, Value> = [(rest.to_owned(), value.clone())].into_iter().collect();
            (name.to_owned(), Value::Object(inner))
        }
    }
}

/// A bare number of seconds as a duration; anything else as it is.
pub(crate) fn seconds(value: &Value) -> Value {
    match value {
        Value::Number(number) => format!("{number}s").into(),
        other => other.clone(),
    }
}
