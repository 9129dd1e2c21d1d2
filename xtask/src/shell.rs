//! The checkout, and commands that run in it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The checkout that this program belongs to.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The checkout whose `xtask` folder this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the folder above xtask")?;
        ensure!(root.join("Cargo.toml").is_file(), "{} is no checkout any more", root.display());
        Ok(Self { root: root.to_owned() })
    }

    /// The checkout at `root`, whatever it holds.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// `path` below the root of the checkout.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// A command that runs at the root, with `arguments` separated by blanks.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).args(arguments.split_whitespace());
        command
    }

    /// A `cargo` command, the same cargo that runs this program.
    pub(crate) fn cargo(&self, arguments: &str) -> Command {
        self.command(cargo(), arguments)
    }

    /// The same, which gives way to whatever else wants to run.
    pub(crate) fn yielding_cargo(&self, arguments: &str) -> Command {
        let mut command = self.yielding(cargo());
        command.args(arguments.split_whitespace());
        command
    }

    /// A command in the root folder which gives way to whatever else wants to run.
    pub(crate) fn yielding(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command("nice", "-n 19");
        command.arg(program);
        command
    }

    /// What `cargo metadata` says of the workspace, without its dependencies.
    pub(crate) fn metadata(&self) -> Result<Value> {
        let text = output(&mut self.cargo("metadata --format-version 1 --no-deps"))?;
        serde_json::from_str(&text).context("cargo metadata")
    }

    /// Folder into which cargo builds.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let folder = metadata["target_directory"].as_str().context("target_directory in cargo metadata")?;
        Ok(folder.into())
    }
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs `command` with the terminal as its output. An error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(status.success(), "{} failed: {status}", shown(command));
    Ok(())
}

/// Runs `command` and returns what it printed. An error, with what it said, when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(
        output.status.success(),
        "{} failed: {}\n{}",
        shown(command),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("output of {}", shown(command)))
}

/// Whether `program` is found and succeeds with `arguments`.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A point in time from which a stage is measured, or a wait bounded.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "durations of stages are for people")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
