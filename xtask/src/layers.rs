//! The layer rule: imports go down at least one row, neighbours are strangers, and pure crates stay pure.
//!
//! Three proofs, because each sees what the others cannot: the workspace's own manifests ([`graph`]), all that a
//! pure crate pulls in ([`purity`]), and what its sources take from the standard library ([`sources`]).

mod graph;
mod purity;
mod rows;
mod sources;

use anyhow::Result;

use crate::layers::graph::Graph;
use crate::shell::{self, Tree};

pub(crate) use crate::layers::rows::pure_crates;

/// Every breach of the rule in the workspace, in words. Empty when it is kept.
pub(crate) fn breaches(tree: &Tree) -> Result<Vec<String>> {
    let graph = Graph::read(&tree.metadata()?)?;
    let mut breaches = graph.breaches();
    for name in graph.names().filter(|name| rows::is_pure(name)) {
        let listing = format!(
            "tree --package {name} --edges normal,no-proc-macro --target all --prefix depth --charset ascii"
        );
        breaches.extend(purity::breaches(name, &shell::output(&mut tree.cargo(&listing))?)?);
    }
    for (name, folder) in graph.folders().filter(|(name, _)| rows::is_pure(name)) {
        breaches.extend(sources::breaches(name, &folder.join("src"))?);
    }
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn this_workspace_keeps_the_layer_rule() {
        let breaches = breaches(&Tree::find().unwrap()).unwrap();
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }

    /// All of it on a real workspace, which breaks the rule in each of the ways there are.
    #[test]
    fn a_workspace_that_breaks_the_rule_is_refused() {
        let root = std::env::temp_dir().join(format!("flywheel-layers-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n")
            .unwrap();
        let harmless = "//! Text.\n";
        package(&root, "tokio", &[], harmless);
        package(&root, "harmless", &["tokio"], harmless);
        package(&root, "flywheel-model", &["harmless"], harmless);
        package(&root, "flywheel-stream", &["flywheel-model"], "use std::fs;\n");
        package(&root, "flywheel-protocol", &["flywheel-stream"], harmless);
        package(&root, "flywheel-engine", &["flywheel-node"], harmless);
        package(&root, "flywheel-node", &[], harmless);
        let found = breaches(&Tree::at(&root)).unwrap().join("\n");
        for expected in [
            "harmless has no row",
            "flywheel-protocol imports flywheel-stream: neighbours are strangers",
            "flywheel-engine imports flywheel-node: imports go down",
            "flywheel-stream > flywheel-model > harmless > tokio",
            "flywheel-stream is pure but takes files",
        ] {
            assert!(found.contains(expected), "{expected:?} is not in\n{found}");
        }
        fs::remove_dir_all(&root).unwrap();
    }

    fn package(root: &Path, name: &str, imports: &[&str], source: &str) {
        let folder = root.join("crates").join(name);
        fs::create_dir_all(folder.join("src")).unwrap();
        let import = |name: &&str| format!("{name} = {{ path = \"../{name}\" }}\n");
        let imports = imports.iter().map(import).collect::<Vec<_>>().concat();
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\n[dependencies]\n{imports}");
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        fs::write(folder.join("src/lib.rs"), source).unwrap();
    }
}
