//! `fuzz`: libFuzzer on the pinned stable compiler. Coverage comes from LLVM's own pass; no sanitizer, no nightly.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::shell::{self, Tree};
use crate::tally::Tally;

const MANIFEST: &str = "fuzz/Cargo.toml";
/// What instruments the code; keeps comparisons apart that an optimiser would join; and leaves those of texts the
/// library calls that libFuzzer listens to, without which it would never guess a keyword.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Cllvm-args=-max-loads-per-memcmp=0 -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";
const AT_ONCE: usize = 2;
const DEFAULT_TIME: Duration = Duration::from_mins(1);

/// `[TARGET] [--for 60s]`.
pub(crate) fn run(tree: &Tree, options: &[&str]) -> Result<()> {
    let (target, time) = match options {
        [] => (None, DEFAULT_TIME),
        ["--for", time] => (None, seconds(time)?),
        [target] => (Some(*target), DEFAULT_TIME),
        [target, "--for", time] => (Some(*target), seconds(time)?),
        _ => bail!("usage: cargo xtask fuzz [TARGET] [--for 60s]"),
    };
    let mut targets = targets(tree)?;
    if let Some(target) = target {
        ensure!(
            targets.iter().any(|it| it == target),
            "no target {target}; there are: {}",
            targets.join(", ")
        );
        targets = vec![target.to_owned()];
    }
    let tally = fuzz(tree, &targets, time)?;
    println!("{tally}");
    ensure!(tally.failed == 0, "fuzzing found something");
    Ok(())
}

/// Builds all targets, beside whatever else is running. There is nothing to count.
pub(crate) fn build_all(tree: &Tree) -> Result<Tally> {
    build(tree, &targets(tree)?)?;
    Ok(Tally::default())
}

/// All targets, a minute each.
pub(crate) fn run_all(tree: &Tree) -> Result<Tally> {
    fuzz(tree, &targets(tree)?, DEFAULT_TIME)
}

fn seconds(text: &str) -> Result<Duration> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    let seconds = digits.parse().with_context(|| format!("{text} is no number of seconds"))?;
    ensure!(seconds > 0, "{text} is no time at all");
    Ok(Duration::from_secs(seconds))
}

fn targets(tree: &Tree) -> Result<Vec<String>> {
    let listing = format!("metadata --format-version 1 --no-deps --manifest-path {MANIFEST}");
    let metadata: Value = serde_json::from_str(&shell::output(&mut tree.cargo(&listing))?)?;
    let targets = metadata["packages"][0]["targets"].as_array().context("targets of the fuzz package")?;
    let mut names: Vec<String> = targets
        .iter()
        .filter(|target| target["kind"][0] == "bin")
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn fuzz(tree: &Tree, targets: &[String], time: Duration) -> Result<Tally> {
    let programs = build(tree, targets)?;
    let mut waiting: VecDeque<_> = targets.iter().collect();
    let mut running = Vec::new();
    let mut sum = Tally::default();
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(target) = waiting.pop_front()
        {
            running.push(Run::start(tree, target, &programs.join(target), time)?);
        }
        let mut still_running = Vec::new();
        for mut run in running {
            match run.child.try_wait()? {
                Some(status) => sum += run.report(status.success())?,
                None => still_running.push(run),
            }
        }
        running = still_running;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(sum)
}

/// Builds the targets and returns the folder with their programs.
fn build(tree: &Tree, targets: &[String]) -> Result<PathBuf> {
    let version = shell::output(&mut tree.command("rustc", "-vV"))?;
    // With a target named, the flags reach neither build scripts nor procedural macros.
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("host in rustc -vV")?;
    let folder = tree.target()?.join("fuzz");
    let bins: Vec<String> = targets.iter().map(|target| format!("--bin {target}")).collect();
    let mut cargo = tree.yielding_cargo(&format!(
        "build --quiet --release --manifest-path {MANIFEST} --target {host} {}",
        bins.join(" ")
    ));
    shell::run(cargo.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &folder))?;
    Ok(folder.join(host).join("release"))
}

struct Run {
    target: String,
    child: Child,
    log: PathBuf,
}

impl Run {
    /// Seeds are read from `fuzz/corpus`; what is found new goes to `target`, what fails to `fuzz/artifacts`.
    fn start(tree: &Tree, target: &str, program: &std::path::Path, time: Duration) -> Result<Self> {
        let grown = tree.path("target/fuzz-corpus").join(target);
        let artifacts = tree.path("fuzz/artifacts").join(target);
        for folder in [&grown, &artifacts] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let seeds = tree.path("fuzz/corpus").join(target);
        let log = tree.path("target/fuzz-corpus").join(format!("{target}.log"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let mut command = tree.yielding(program);
        command
            .arg(format!("-max_total_time={}", time.as_secs()))
            .args(["-rss_limit_mb=2048", "-timeout=5", "-use_value_profile=1", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(&grown)
            .args(seeds.is_dir().then_some(&seeds))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        println!("fuzz: {target} for {time:?}");
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { target: target.to_owned(), child, log })
    }

    /// Says what came of it: one line when all went well, the whole log when it did not.
    fn report(&self, passed: bool) -> Result<Tally> {
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        let runs = log.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("no closing line");
        if passed {
            println!("fuzz: {}: {runs}", self.target);
        } else {
            println!("fuzz: {} FAILED\n{log}", self.target);
        }
        Ok(Tally::of(passed))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_with_or_without_the_unit() {
        assert_eq!(seconds("60s").unwrap(), Duration::from_mins(1));
        assert_eq!(seconds("5").unwrap(), Duration::from_secs(5));
        assert!(seconds("5m").is_err());
        assert!(seconds("0s").is_err());
    }
}
