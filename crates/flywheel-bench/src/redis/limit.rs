//! The limit: `redis-benchmark` with the very command that the engine sends.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Connections to each server, and commands under way on each: what it is fastest with on two cores.
const CONNECTIONS: usize = 8;
const PIPELINE: usize = 64;
/// Calls of a run are a multiple of it.
pub(crate) const STEP: usize = CONNECTIONS * PIPELINE;

/// A command for one server.
pub(crate) struct Limit {
    /// Where the server listens.
    pub(crate) port: u16,
    /// The command, word by word.
    pub(crate) words: Vec<Vec<u8>>,
}

/// What a run took.
pub(crate) struct Run {
    /// Calls in a second.
    pub(crate) rate: f64,
    /// CPU of the load generator, in nanoseconds.
    pub(crate) cpu_ns: f64,
}

/// Makes `calls` calls of each command, all at the same time.
pub(crate) fn run(limits: &[Limit], calls: usize) -> Result<Run> {
    let before = children_cpu_ns()?;
    let running = limits.iter().map(|limit| limit.start(calls)).collect::<Result<Vec<_>>>()?;
    let mut longest = Duration::ZERO;
    for child in running {
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "redis-benchmark: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        longest = longest.max(Duration::from_secs_f64(calls as f64 / rate(&text)?));
    }
    let rate = (calls * limits.len()) as f64 / longest.as_secs_f64();
    Ok(Run { rate, cpu_ns: children_cpu_ns()? - before })
}

impl Limit {
    fn start(&self, calls: usize) -> Result<Child> {
        let number = |number: usize| number.to_string();
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--csv", "-c", &number(CONNECTIONS)]);
        command.args(["-P", &number(PIPELINE), "-n", &number(calls)]);
        command.args(self.words.iter().cloned().map(OsString::from_vec));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("starting redis-benchmark")
    }
}

/// The second column of the last line; the first one may hold anything.
fn rate(csv: &str) -> Result<f64> {
    let line = csv.lines().last().unwrap_or_default();
    let cell = line.rsplit(',').nth(6).with_context(|| format!("redis-benchmark said {csv}"))?;
    cell.trim_matches('"').parse().with_context(|| format!("redis-benchmark said {csv}"))
}

/// CPU time of all children that have ended.
fn children_cpu_ns() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_whatever_the_command_holds() {
        let csv = "\"test\",\"rps\"\n\"EVALSHA \"d,x\",\"71428.57\",\"6.9\",\"1.0\",\"7.0\",\"8.1\",\"8.6\",\"9.0\"\n";
        assert!((rate(csv).unwrap() - 71_428.57).abs() < 1e-6);
        assert!(rate("ERR").is_err());
    }
}
