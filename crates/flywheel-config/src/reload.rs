use serde_json::Value;

use crate::config::Config;
use crate::schema::keys;
use crate::tree;

/// The keys that differ between two configurations. Lists of sections are compared as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// A reload takes these over.
    pub reloadable: Vec<String>,
    /// These wait for a restart.
    pub needs_restart: Vec<String>,
}

impl Changes {
    /// Compares the configuration that runs with the one that should.
    pub fn between(running: &Config, wanted: &Config) -> Self {
        let mut changes = Self::default();
        for key in keys().iter().filter(|key| !key.path.contains('[')) {
            let value = |config: &Config| tree::get(config.raw(), &key.path).unwrap_or(&Value::Null).clone();
            if value(running) != value(wanted) {
                let list = if key.reloadable { &mut changes.reloadable } else { &mut changes.needs_restart };
                list.push(key.path.clone());
            }
        }
        changes
    }
}
