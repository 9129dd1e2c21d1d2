use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::{duration, tree};

/// A section of the merged tree, read by local key. A key that is not there reads as zero.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    section: &'a Value,
    /// Full key as messages name it; empty for the whole tree.
    shown: String,
}

impl<'a> View<'a> {
    pub(crate) fn whole(tree: &'a Value) -> Self {
        Self { section: tree, shown: String::new() }
    }

    /// The full key of a local one.
    pub(crate) fn key(&self, name: &str) -> String {
        tree::join(&self.shown, name)
    }

    /// The section's own key.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn section(&self, name: &str) -> Self {
        Self { section: self.get(name), shown: self.key(name) }
    }

    pub(crate) fn items(&self, name: &str) -> Vec<Self> {
        let items = self.get(name).as_array().map_or(&[][..], Vec::as_slice);
        let item = |(at, section)| {
            let shown = format!("{}[{}]", self.key(name), tree::item_label(at, section));
            Self { section, shown }
        };
        items.iter().enumerate().map(item).collect()
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.get(name) == &Value::Bool(true)
    }

    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.get(name).as_str().unwrap_or("")
    }

    /// The text, unless it is empty.
    pub(crate) fn some_text(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        self.get(name).as_i64().unwrap_or(0)
    }

    /// The number; what is negative counts as 0.
    pub(crate) fn size(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or(0)
    }

    /// The number, unless it is 0 or negative.
    pub(crate) fn limit(&self, name: &str) -> Option<usize> {
        Some(self.size(name)).filter(|limit| *limit > 0)
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<&'a str> {
        let texts = self.get(name).as_array().map_or(&[][..], Vec::as_slice);
        texts.iter().filter_map(Value::as_str).collect()
    }

    pub(crate) fn text_map(&self, name: &str) -> BTreeMap<String, String> {
        let entries = self.get(name).as_object().into_iter().flatten();
        entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    pub(crate) fn nanoseconds(&self, name: &str) -> i64 {
        duration::parse(self.text(name)).unwrap_or(0)
    }

    /// The time; what is negative counts as 0.
    pub(crate) fn time(&self, name: &str) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanoseconds(name)).unwrap_or(0))
    }

    /// The time, unless it is 0 or negative.
    pub(crate) fn some_time(&self, name: &str) -> Option<Duration> {
        Some(self.time(name)).filter(|time| !time.is_zero())
    }

    fn get(&self, name: &str) -> &'a Value {
        tree::get(self.section, name).unwrap_or(&Value::Null)
    }
}
