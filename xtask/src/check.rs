//! `check`: everything that can be said of the sources without running the tests.

use anyhow::{Result, bail};

use crate::shell::{self, Tree};
use crate::{hygiene, layers};

type Check = (&'static str, fn(&Tree) -> Result<()>);

/// Runs all checks, also after one has failed, and names those that did.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    let checks: [Check; 8] = [
        ("formatting", |tree| shell::run(&mut tree.cargo("fmt --all --check"))),
        ("layer rule", |tree| none_of(&layers::breaches(tree)?)),
        ("tidiness", |tree| none_of(&hygiene::findings(tree)?)),
        ("lints", |tree| {
            shell::run(&mut tree.cargo("clippy --quiet --workspace --all-targets -- -D warnings"))
        }),
        ("fuzz targets", fuzz_targets),
        ("documentation", documentation),
        ("pure crates on wasm32", pure_crates_on_wasm),
        ("dependencies", dependencies),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("check: {name}");
        if let Err(error) = check(tree) {
            println!("{error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("these checks failed: {}", failed.join(", "));
    }
    println!("check: all is well");
    Ok(())
}

fn none_of(findings: &[String]) -> Result<()> {
    if findings.is_empty() { Ok(()) } else { bail!("{}", findings.join("\n")) }
}

/// A workspace of its own, which the lints do not reach. It shares what they have compiled.
fn fuzz_targets(tree: &Tree) -> Result<()> {
    let mut cargo = tree.cargo("check --quiet --manifest-path fuzz/Cargo.toml");
    // Nothing is linked: it does without the fuzzer, and without the C++ compiler that would build it.
    cargo.env("CUSTOM_LIBFUZZER_PATH", "none/libfuzzer.a");
    shell::run(cargo.env("CARGO_TARGET_DIR", tree.target()?))
}

fn documentation(tree: &Tree) -> Result<()> {
    shell::run(tree.cargo("doc --quiet --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))
}

/// The best proof that a crate does no IO: it builds where there is none.
fn pure_crates_on_wasm(tree: &Tree) -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let installed = shell::output(&mut tree.command("rustc", "--print sysroot"))
        .is_ok_and(|root| std::path::Path::new(root.trim()).join("lib/rustlib").join(TARGET).is_dir());
    if !installed {
        println!("  not built: `rustup target add {TARGET}` would install it; the layer rule stands in");
        return Ok(());
    }
    for name in layers::pure_crates().filter(|name| tree.path("crates").join(name).is_dir()) {
        shell::run(&mut tree.cargo(&format!("build --quiet --target {TARGET} --package {name}")))?;
    }
    Ok(())
}

/// Licences, sources, duplicates and advisories, by `deny.toml`.
fn dependencies(tree: &Tree) -> Result<()> {
    if !shell::works("cargo-deny", &["--version"]) {
        println!("  not checked: `cargo install cargo-deny` would install the tool");
        return Ok(());
    }
    shell::run(&mut tree.cargo("deny --log-level warn check"))
}
