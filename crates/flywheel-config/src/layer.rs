use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use crate::report::{Origin, Report, Warning};

/// Values by full key.
pub(crate) type Assignments = BTreeMap<String, Value>;

/// One value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// What one source sets. Keys under their present name win over the same keys under an old one.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    settings: BTreeMap<String, Setting>,
    old: BTreeMap<String, (String, Setting)>,
    /// Names of list items to add, by list.
    pub(crate) named_items: Vec<(String, Vec<String>, Origin)>,
}

impl Layer {
    /// Sets a key under its present name; a later call wins.
    pub(crate) fn set(&mut self, key: impl Into<String>, value: Value, origin: &Origin) {
        self.settings.insert(key.into(), Setting { value, origin: origin.clone() });
    }

    /// Sets several.
    pub(crate) fn set_all(&mut self, assignments: Assignments, origin: &Origin) {
        for (key, value) in assignments {
            self.set(key, value, origin);
        }
    }

    /// Sets a key that was written under the name `old`; a later call wins.
    pub(crate) fn set_old(&mut self, old: &str, assignments: Assignments, origin: &Origin) {
        for (key, value) in assignments {
            self.old.insert(key, (old.to_owned(), Setting { value, origin: origin.clone() }));
        }
    }

    /// Everything set, with a warning for each old name that the present one outdoes.
    pub(crate) fn finish(self, report: &mut Report) -> BTreeMap<String, Setting> {
        let mut settings = self.settings;
        let mut reported: Vec<String> = Vec::new();
        for (key, (old, setting)) in self.old {
            match settings.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(setting);
                }
                Entry::Occupied(taken) if !reported.contains(&old) => {
                    reported.push(old.clone());
                    let (origin, new) = (setting.origin, taken.key().clone());
                    report.warnings.push(Warning::Shadowed { origin, old, new });
                }
                Entry::Occupied(_) => {}
            }
        }
        settings
    }
}
