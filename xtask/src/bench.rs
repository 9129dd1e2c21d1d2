//! `bench`: builds the server and its load generator for release, and measures.

use anyhow::Result;

use crate::shell::{self, Tree};

/// Runs `measurement`; `options` go to the load generator as they are.
pub(crate) fn run(tree: &Tree, measurement: &str, options: &[&str]) -> Result<()> {
    shell::run(&mut tree.cargo("build --release --package flywheel --bin flywheel"))?;
    shell::run(&mut tree.cargo("build --release --package flywheel-bench"))?;
    let release = tree.target()?.join("release");
    let mut bench = tree.command(release.join("flywheel-bench"), measurement);
    shell::run(bench.arg("--server").arg(release.join("flywheel")).args(options))
}
