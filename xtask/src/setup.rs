//! `setup`: installs what is missing, once. System packages come from apt, everything else stays in the checkout.

use anyhow::{Context as _, Result, bail, ensure};

use crate::needs::NEEDS;
use crate::shell::Tree;

/// Installs each need that is not met and says so.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    for need in NEEDS {
        if (need.is_met)(tree)? {
            println!("setup: {}: there", need.name);
            continue;
        }
        println!("setup: {}: installing", need.name);
        (need.install)(tree).with_context(|| format!("installing {}", need.name))?;
        ensure!((need.is_met)(tree)?, "{} was installed but is not found", need.name);
    }
    Ok(())
}

/// An error that names all that is missing.
pub(crate) fn ensure_done(tree: &Tree) -> Result<()> {
    let mut missing = Vec::new();
    for need in NEEDS {
        if !(need.is_met)(tree)? {
            missing.push(need.name);
        }
    }
    if !missing.is_empty() {
        bail!("missing: {}; `cargo xtask setup` installs it", missing.join("; "));
    }
    Ok(())
}
