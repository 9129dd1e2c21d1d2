//! Commands that run tests, and how many of them passed.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};

use crate::shell;
use crate::tally::Tally;

/// What a command counted, and all it said.
pub(crate) struct Kept {
    /// What was counted.
    pub(crate) tally: Tally,
    /// What it printed, to both outputs.
    pub(crate) said: String,
}

/// Runs `command`, shows its output, and counts the tests of all closing lines in it.
/// A failure that no line tells of, such as a program that does not compile, counts as one.
pub(crate) fn count(command: &mut Command) -> Result<Tally> {
    let starting = starting(command);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context(starting)?;
    let output = child.stdout.take().context("the output of a child")?;
    let mut sum = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        sum += counted(&line);
    }
    Ok(explained(sum, child.wait()?))
}

/// The same, and shows nothing: for a command that runs beside others.
pub(crate) fn count_kept(mut command: Command) -> Result<Kept> {
    let (mut output, end) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(end.try_clone()?).stderr(end);
    let mut child = command.spawn().with_context(|| starting(&command))?;
    // It holds the pipe open, which would never end.
    drop(command);
    let mut said = Vec::new();
    output.read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let mut sum = Tally::default();
    said.lines().for_each(|line| sum += counted(line));
    Ok(Kept { tally: explained(sum, child.wait()?), said })
}

fn starting(command: &Command) -> String {
    format!("starting {}", shell::shown(command))
}

fn counted(line: &str) -> Tally {
    Tally::read(line.trim()).unwrap_or_default()
}

fn explained(sum: Tally, status: ExitStatus) -> Tally {
    let is_unexplained = !status.success() && sum.failed == 0;
    Tally { failed: sum.failed + u64::from(is_unexplained), ..sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str) -> Tally {
        let tally = count(&mut shell(script)).unwrap();
        assert_eq!(count_kept(shell(script)).unwrap().tally, tally);
        tally
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
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

    #[test]
    fn what_is_kept_is_in_the_order_in_which_it_was_said() {
        let kept = count_kept(shell("echo one; echo two >&2; echo three")).unwrap();
        assert_eq!(kept.said, "one\ntwo\nthree\n");
    }
}
