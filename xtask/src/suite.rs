//! `test`: every test there is, stage by stage, and one closing line for all.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::count::Kept;
use crate::shell::{Stopwatch, Tree};
use crate::tally::Tally;
use crate::{autobahn, cargo_test, fuzz, setup};

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All stages.
    Whole,
    /// Only what `cargo test` runs.
    Fast,
}

/// Runs the stages, also after one has failed. The last line printed is `N passed, N failed`.
pub(crate) fn run(tree: &Tree, extent: Extent) -> Result<ExitCode> {
    setup::ensure_done(tree)?;
    let mut report = Report::default();
    match extent {
        Extent::Fast => {
            report.run("cargo test", || cargo_test::all(tree));
        }
        Extent::Whole => run_whole(tree, &mut report),
    }
    let Report { summary, sum } = report;
    println!("\n{}\n\n{sum}", summary.join("\n"));
    // No error, which would be printed: the closing line stays the last.
    Ok(if sum.failed == 0 && sum.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What waits runs beside what computes; fuzzing and what it needs give way to it.
fn run_whole(tree: &Tree, report: &mut Report) {
    report.run("cargo test", || cargo_test::brisk(tree));
    thread::scope(|scope| {
        let patient = scope.spawn(|| {
            let watch = Stopwatch::start();
            (cargo_test::patient(tree), watch.elapsed())
        });
        report.run("frame suite", || autobahn::run(tree));
        let targets_are_built = report.run("fuzz targets", || fuzz::build_all(tree));
        report.run_if(targets_are_built, "fuzzing", || fuzz::run_all(tree));
        let nothing = |_| (Err(anyhow!("the stage ended by itself")), Duration::ZERO);
        let (kept, time) = patient.join().unwrap_or_else(nothing);
        report.add_kept("cargo test, beside these", kept, time);
    });
}

/// What came of the stages.
#[derive(Default)]
struct Report {
    summary: Vec<String>,
    sum: Tally,
}

impl Report {
    /// Runs a stage, which shows what it does. Answers whether nothing failed.
    fn run(&mut self, name: &str, stage: impl FnOnce() -> Result<Tally>) -> bool {
        println!("== {name}");
        let watch = Stopwatch::start();
        let (tally, failed_before) = (stage(), self.sum.failed);
        self.add(name, tally, watch.elapsed());
        self.sum.failed == failed_before
    }

    /// Runs a stage that needs what another one has made, unless that failed: then it would only fail of the same, which is
    /// counted already.
    fn run_if(&mut self, is_made: bool, name: &str, stage: impl FnOnce() -> Result<Tally>) {
        if is_made {
            self.run(name, stage);
        } else {
            let line = format!("{name}: left out, because a stage before it failed");
            println!("== {line}");
            self.summary.push(line);
        }
    }

    /// Shows what a stage said that has run beside others.
    fn add_kept(&mut self, name: &str, kept: Result<Kept>, time: Duration) {
        println!("== {name}");
        let tally = kept.map(|Kept { tally, said }| {
            println!("{said}");
            tally
        });
        self.add(name, tally, time);
    }

    fn add(&mut self, name: &str, tally: Result<Tally>, time: Duration) {
        let tally = tally.unwrap_or_else(|error| {
            println!("{error:#}");
            Tally::of(false)
        });
        let line = format!("{name}: {tally} in {time:.0?}");
        println!("== {line}");
        self.summary.push(line);
        self.sum += tally;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_built_is_counted_once_and_the_stage_that_needs_it_is_named_as_left_out() {
        let mut report = Report::default();
        let is_made = report.run("fuzz targets", || Err(anyhow!("a target does not build")));
        report.run_if(is_made, "fuzzing", || Err(anyhow!("a target does not build")));
        assert_eq!(report.sum, Tally { passed: 0, failed: 1 });
        assert!(matches!(&report.summary[..], [_, left_out] if left_out.starts_with("fuzzing: left out")));
    }

    #[test]
    fn a_stage_whose_needs_are_met_is_run_also_when_another_one_has_failed() {
        let mut report = Report::default();
        report.run("cargo test", || Ok(Tally { passed: 1, failed: 2 }));
        let is_made = report.run("fuzz targets", || Ok(Tally::default()));
        report.run_if(is_made, "fuzzing", || Ok(Tally::of(true)));
        assert_eq!(report.sum, Tally { passed: 2, failed: 2 });
    }
}
