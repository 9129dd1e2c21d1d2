//! `test`: every test there is, stage by stage, and one closing line for all.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};

use crate::shell::{self, Stopwatch, Tree};
use crate::tally::Tally;
use crate::{autobahn, fuzz, setup};

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All stages.
    Whole,
    /// Only what `cargo test` runs.
    Fast,
}

type Stage = (&'static str, fn(&Tree) -> Result<Tally>);

const FAST: &[Stage] = &[("cargo test", cargo_test)];
const SLOW: &[Stage] = &[("frame suite", autobahn::run), ("fuzzing", fuzz::run_all)];

/// Runs the stages, also after one has failed. The last line printed is `N passed, N failed`.
pub(crate) fn run(tree: &Tree, extent: Extent) -> Result<ExitCode> {
    setup::ensure_done(tree)?;
    let slow = if extent == Extent::Whole { SLOW } else { &[] };
    let mut sum = Tally::default();
    let mut summary = Vec::new();
    for (name, stage) in FAST.iter().chain(slow) {
        println!("== {name}");
        let watch = Stopwatch::start();
        let tally = stage(tree).unwrap_or_else(|error| {
            println!("{error:#}");
            Tally::of(false)
        });
        summary.push(format!("{name}: {tally} in {:.0?}", watch.elapsed()));
        println!("== {}", summary.last().map_or("", String::as_str));
        sum += tally;
    }
    println!("\n{}\n\n{sum}", summary.join("\n"));
    // No error, which would be printed: the closing line stays the last.
    Ok(if sum.failed == 0 && sum.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo_test(tree: &Tree) -> Result<Tally> {
    count(&mut tree.cargo("test --workspace --no-fail-fast"))
}

/// Runs `command`, shows its output, and counts the tests of all closing lines in it.
/// A failure that no line tells of, such as a program that does not compile, counts as one.
pub(crate) fn count(command: &mut Command) -> Result<Tally> {
    let starting = || format!("starting {}", shell::shown(command));
    let starting = starting();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context(starting)?;
    let output = child.stdout.take().context("the output of a child")?;
    let mut sum = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(tally) = Tally::read(line.trim()) {
            sum += tally;
        }
    }
    let is_unexplained = !child.wait()?.success() && sum.failed == 0;
    sum += Tally { passed: 0, failed: u64::from(is_unexplained) };
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str) -> Tally {
        count(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn closing_lines_are_summed() {
        let line = "test result: ok. 2 passed; 0 failed; 0 ignored";
        assert_eq!(
            check(&format!("echo '{line}'; echo noise; echo '{line}'")),
            Tally { passed: 4, failed: 0 }
        );
    }

    #[test]
    fn a_failure_that_no_line_tells_of_counts_once() {
        assert_eq!(
            check("echo 'test result: ok. 2 passed; 0 failed'; exit 101"),
            Tally { passed: 2, failed: 1 }
        );
        assert_eq!(
            check("echo 'test result: FAILED. 2 passed; 3 failed'; exit 101"),
            Tally { passed: 2, failed: 3 }
        );
    }
}
