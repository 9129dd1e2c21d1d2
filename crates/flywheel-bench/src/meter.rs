//! What a process has used, read from outside.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// CPU time of the process `pid`, user and system, of all its threads that live or lived, in nanoseconds.
pub(crate) fn cpu_ns(pid: u32) -> Result<f64> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    let clock = ClockId::pid_cpu_clock_id(pid).context("CPU clock of a process")?;
    let used = Duration::from(clock_gettime(clock).context("CPU clock of a process")?);
    Ok(used.as_secs_f64() * 1e9)
}

/// Time that threads of the process `pid` were ready to run and had no processor, in nanoseconds.
pub(crate) fn kept_waiting_ns(pid: u32) -> Result<f64> {
    let mut sum = 0.0;
    let path = format!("/proc/{pid}/task");
    for thread in fs::read_dir(&path).context(path)? {
        let path = thread?.path().join("schedstat");
        // A thread may end before it is looked at.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let waited = text.split_whitespace().nth(1).context("schedstat")?;
        sum += waited.parse::<f64>().context("schedstat")?;
    }
    Ok(sum)
}

/// Resident memory of the process `pid` in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).context(path)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS")?;
    Ok(kib * 1024)
}

/// Open descriptors of the process `pid`.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).context(path)?.count())
}

/// Lifts this process's limit of descriptors, and so that of its children, as far as it may.
/// An error when `connections` do not fit.
pub(crate) fn allow_connections(connections: usize) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the limit of open files")?;
    anyhow::ensure!(
        connections as u64 + 200 <= hard,
        "{connections} connections do not fit the limit of {hard} open files"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn the_own_cpu_time_grows_with_work() {
        let me = std::process::id();
        let before = cpu_ns(me).unwrap();
        let mut sum = 0u64;
        while cpu_ns(me).unwrap() - before < 5e6 {
            sum = black_box(sum.wrapping_add(1));
        }
        assert!(resident_bytes(me).unwrap() > 100_000);
        assert!(kept_waiting_ns(me).unwrap() >= 0.0);
        assert!(descriptors(me).unwrap() >= 3);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(cpu_ns(pid).is_err());
        assert!(resident_bytes(pid).is_err());
    }

    #[test]
    fn more_connections_than_descriptors_are_refused() {
        assert!(allow_connections(usize::MAX / 2).is_err());
        allow_connections(10).unwrap();
    }
}
