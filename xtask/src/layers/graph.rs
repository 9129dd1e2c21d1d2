//! Imports between the workspace's own crates, compared with their rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::layers::rows::{LOWEST_ROW_WITH_LEAVES, Place, is_node, is_outbound, is_pure, place};

/// The crates of a workspace and what each imports of the others, tests left out.
pub(super) struct Graph {
    crates: BTreeMap<String, Member>,
}

struct Member {
    folder: PathBuf,
    imports: Vec<String>,
}

impl Graph {
    /// From what `cargo metadata --no-deps` says. Dependencies of tests only are left out, those of build
    /// scripts are not.
    pub(super) fn read(metadata: &Value) -> Result<Self> {
        let packages = metadata["packages"].as_array().context("packages in cargo metadata")?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text in cargo metadata");
        let mut crates = BTreeMap::new();
        for package in packages {
            let manifest = PathBuf::from(text(&package["manifest_path"])?);
            let folder = manifest.parent().context("the folder of a manifest")?.to_owned();
            let dependencies =
                package["dependencies"].as_array().context("dependencies in cargo metadata")?;
            let imports = dependencies
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect::<Result<_>>()?;
            crates.insert(text(&package["name"])?, Member { folder, imports });
        }
        Ok(Self { crates })
    }

    /// Names of all crates, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.crates.keys().map(String::as_str)
    }

    /// Names and folders of all crates, sorted.
    pub(super) fn folders(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.crates.iter().map(|(name, member)| (name.as_str(), member.folder.as_path()))
    }

    /// Crates without a row, and imports that the rows forbid.
    pub(super) fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for (name, member) in &self.crates {
            let Some(from) = place(name) else {
                breaches.push(format!("{name} has no row: give it one in xtask/src/layers/rows.rs"));
                continue;
            };
            let own = member.imports.iter().filter(|import| self.crates.contains_key(*import));
            for (import, to) in own.filter_map(|import| Some((import, place(import)?))) {
                if let Some(reason) = forbidden((name, from), (import, to)) {
                    breaches.push(format!("{name} imports {import}: {reason}"));
                }
            }
        }
        breaches
    }
}

/// Why `importer` must not import `imported`; `None` when it may.
fn forbidden(importer: (&str, Place), imported: (&str, Place)) -> Option<&'static str> {
    match (importer.1, imported.1) {
        (_, Place::Tool) => Some("a tool of the tests is for tests only"),
        (Place::Leaf, Place::Row(1..)) => Some("a leaf may import the model and nothing else"),
        (Place::Leaf, Place::Leaf) => Some("neighbours are strangers"),
        (Place::Row(_), Place::Leaf) if is_pure(importer.0) => {
            Some("a pure crate knows no clock and no runtime")
        }
        (Place::Row(..LOWEST_ROW_WITH_LEAVES), Place::Leaf) => Some("rows this low stay pure"),
        (Place::Row(_), Place::Row(_)) if is_outbound(importer.0) && is_node(imported.0) => {
            Some("an outbound adapter is handed a sink and never sees the node")
        }
        (Place::Row(from), Place::Row(to)) if from == to => Some("neighbours are strangers"),
        (Place::Row(from), Place::Row(to)) if from < to => Some("imports go down"),
        (Place::Tool | Place::Row(_), _) | (Place::Leaf, Place::Row(0)) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The breaches of a workspace in which each crate imports the ones named.
    fn check(crates: &[(&str, &[&str])]) -> Vec<String> {
        breaches_of(crates, &Value::Null)
    }

    fn breaches_of(crates: &[(&str, &[&str])], kind: &Value) -> Vec<String> {
        let packages: Vec<Value> = crates
            .iter()
            .map(|(name, imports)| {
                let imports: Vec<Value> =
                    imports.iter().map(|import| json!({ "name": import, "kind": kind })).collect();
                json!({ "name": name, "manifest_path": format!("/x/{name}/Cargo.toml"), "dependencies": imports })
            })
            .collect();
        Graph::read(&json!({ "packages": packages })).unwrap().breaches()
    }

    #[track_caller]
    fn refused(importer: &str, imported: &str, reason: &str) {
        let breaches = check(&[(importer, &[imported]), (imported, &[])]);
        assert_eq!(breaches, [format!("{importer} imports {imported}: {reason}")]);
    }

    #[test]
    fn imports_that_go_down_are_fine() {
        let breaches = check(&[
            ("flywheel", &["flywheel-server", "flywheel-model"]),
            ("flywheel-server", &["flywheel-redis", "flywheel-node", "flywheel-transport", "anyhow"]),
            ("flywheel-redis", &["flywheel-engine", "flywheel-runtime"]),
            ("flywheel-transport", &["flywheel-node", "flywheel-hub", "flywheel-session", "tokio"]),
            ("flywheel-node", &["flywheel-engine", "flywheel-metrics"]),
            ("flywheel-engine", &["flywheel-stream", "flywheel-admission"]),
            ("flywheel-admission", &[]),
            ("flywheel-hub", &["flywheel-session"]),
            ("flywheel-session", &["flywheel-protocol", "flywheel-model"]),
            ("flywheel-protocol", &["flywheel-model"]),
            ("flywheel-stream", &["flywheel-model"]),
            ("flywheel-runtime", &["flywheel-model", "tokio"]),
            ("flywheel-metrics", &["prometheus"]),
            ("flywheel-testkit", &["flywheel-server", "tokio"]),
            ("flywheel-model", &["bytes"]),
        ]);
        assert!(breaches.is_empty(), "{breaches:?}");
    }

    #[test]
    fn an_import_upwards_is_refused() {
        refused("flywheel-session", "flywheel-node", "imports go down");
        refused("flywheel-model", "flywheel-protocol", "imports go down");
        refused("flywheel-server", "flywheel", "imports go down");
    }

    #[test]
    fn an_import_of_a_neighbour_is_refused() {
        refused("flywheel-api", "flywheel-transport", "neighbours are strangers");
        refused("flywheel-hub", "flywheel-engine", "neighbours are strangers");
        refused("flywheel-websocket", "flywheel-protocol", "neighbours are strangers");
        refused("flywheel-transport", "flywheel-redis", "neighbours are strangers");
        refused("flywheel-metrics", "flywheel-runtime", "neighbours are strangers");
    }

    #[test]
    fn a_pure_crate_gets_no_leaf_and_a_leaf_gets_the_model_alone() {
        refused("flywheel-hub", "flywheel-runtime", "a pure crate knows no clock and no runtime");
        refused("flywheel-config", "flywheel-metrics", "a pure crate knows no clock and no runtime");
        refused("flywheel-runtime", "flywheel-config", "a leaf may import the model and nothing else");
    }

    #[test]
    fn an_outbound_adapter_never_sees_the_node() {
        let reason = "an outbound adapter is handed a sink and never sees the node";
        for adapter in ["redis", "nats", "zookeeper", "proxy"] {
            refused(&format!("flywheel-{adapter}"), "flywheel-node", reason);
        }
    }

    #[test]
    fn a_test_tool_is_a_dependency_of_tests_only() {
        refused("flywheel-server", "flywheel-testkit", "a tool of the tests is for tests only");
        refused("flywheel-sim", "flywheel-testkit", "a tool of the tests is for tests only");
        let crates: &[(&str, &[&str])] =
            &[("flywheel-server", &["flywheel-testkit"]), ("flywheel-testkit", &[])];
        assert!(breaches_of(crates, &json!("dev")).is_empty());
        assert_eq!(breaches_of(crates, &json!("build")).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        let breaches = check(&[("flywheel-helpers", &["flywheel-model"]), ("flywheel-model", &[])]);
        assert_eq!(breaches.len(), 1);
        assert!(breaches[0].starts_with("flywheel-helpers has no row"), "{breaches:?}");
    }
}
