use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::wait_until;

/// A program that has ended, or was stopped because it did not.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` when it had to be killed.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Both outputs, for searching.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// What `flywheel doctor` says of a configuration, in a file of this name.
pub fn examine(binary: &Path, name: &str, config: &str, within: Duration) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), config).unwrap();
    run(binary, &["doctor", "-c", name], folder.path(), within)
}

/// Runs a program in a folder with an environment of only `PATH` and `HOME`; kills it when it has not ended in time.
pub fn run(binary: &Path, arguments: &[&str], folder: &Path, within: Duration) -> Finished {
    let out = tempfile::NamedTempFile::new().unwrap();
    let err = tempfile::NamedTempFile::new().unwrap();
    let mut child = bare_command(binary, arguments, folder)
        .stdout(Stdio::from(out.reopen().unwrap()))
        .stderr(Stdio::from(err.reopen().unwrap()))
        .spawn()
        .unwrap_or_else(|error| panic!("starting {}: {error}", binary.display()));
    let mut code = None;
    let ended = wait_until(within, || {
        child.try_wait().unwrap().is_some_and(|status| {
            code = status.code();
            true
        })
    });
    if !ended {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    Finished {
        code,
        stdout: fs::read_to_string(out.path()).unwrap(),
        stderr: fs::read_to_string(err.path()).unwrap(),
    }
}

/// A command that inherits nothing that could configure a server.
pub(crate) fn bare_command(binary: &Path, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Bytes of memory that a process holds, read from the kernel.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the process is alive");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// The number of files and sockets that a process has open.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Addresses, in the kernel's hexadecimal form, on which somebody listens on this port.
///
/// `0100007F` is 127.0.0.1, `00000000` is every IPv4 address.
pub fn listening_addresses(port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let mut fields = line.split_whitespace().skip(1);
            let (Some(local), Some(_), Some(state)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            if let Some(address) = local.strip_suffix(&wanted)
                && state == "0A"
            {
                found.push(address.to_owned());
            }
        }
    }
    found
}

/// Raises the number of files this process may open, at most to the hard limit; returns what it is now.
pub fn file_limit(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let target = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if current >= target {
        return current;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum: limit.maximum }).unwrap();
    target
}

/// The file that collects what a server writes, emptied.
pub(crate) fn fresh_log(path: &Path) -> (Stdio, Stdio) {
    File::create(path).unwrap();
    let open = || Stdio::from(File::options().append(true).open(path).unwrap());
    (open(), open())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_gives_its_code_and_one_that_hangs_is_killed() {
        let here = Path::new("/");
        let done = run(
            Path::new("/bin/sh"),
            &["-c", "echo out; echo err >&2; exit 3"],
            here,
            Duration::from_secs(5),
        );
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (Some(3), "out\n", "err\n"));
        let hung = run(Path::new("/bin/sh"), &["-c", "exec sleep 60"], here, Duration::from_millis(50));
        assert_eq!(hung.code, None);
    }

    #[test]
    fn the_kernel_tells_about_this_process() {
        let me = std::process::id();
        assert!(resident_bytes(me) > 100_000);
        assert!(open_files(me) >= 3);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(listening_addresses(listener.local_addr().unwrap().port()), ["0100007F"]);
    }
}
