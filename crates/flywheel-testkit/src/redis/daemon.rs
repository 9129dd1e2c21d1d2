use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{bare_command, fresh_log};

/// A program that runs beside the test, with a log in its folder; killed when dropped, and when the test's process ends
/// in whatever way.
#[derive(Debug)]
pub(crate) struct Daemon {
    binary: String,
    arguments: Vec<String>,
    folder: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    /// Starts `binary`, a name or a path; panics with the line that installs `package` when it is not there.
    pub(crate) fn start(binary: &str, package: &str, folder: &Path, arguments: &[impl AsRef<str>]) -> Self {
        let arguments = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
        let mut daemon =
            Self { binary: binary.to_owned(), arguments, folder: folder.to_owned(), child: None };
        assert!(
            is_installed(binary),
            "{binary} is missing: run `cargo xtask setup`, or `apt-get install --yes {package}`"
        );
        daemon.start_again();
        daemon
    }

    /// Starts it as before; it must not be running.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "{} is running", self.binary);
        let (out, err) = fresh_log(&self.folder.join("log"));
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        let child = bare_command(Path::new(&self.binary), &arguments, &self.folder)
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("starting {}: {error}", self.binary));
        reaper("+", child.id());
        self.child = Some(child);
    }

    /// Its process id; panics when it was killed.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it is running").id()
    }

    /// Whether it runs, frozen or not.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it at once, if it runs.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            child.wait().unwrap();
            reaper("-", child.id());
        }
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_installed(binary: &str) -> bool {
    if Path::new(binary).is_absolute() {
        return Path::new(binary).is_file();
    }
    let mut folders = std::env::var("PATH").unwrap_or_default();
    folders.push_str(":/usr/sbin:/usr/local/sbin");
    folders.split(':').any(|folder| Path::new(folder).join(binary).is_file())
}

/// Tells a small process, which outlives this one for an instant, what it must take along.
///
/// A fixture that several tests share is a `static`, and those are never dropped.
#[expect(clippy::zombie_processes, reason = "it ends after this process")]
fn reaper(sign: &str, pid: u32) {
    const SCRIPT: &str = r#"p=" "
while read -r sign pid; do
  case $sign in +) p="$p$pid ";; -) p="${p%% $pid *} ${p#* $pid }";; esac
done
kill -9 $p 2>/dev/null"#;
    static REAPER: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let reaper = REAPER.get_or_init(|| {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Mutex::new(child.stdin.take().unwrap())
    });
    writeln!(reaper.lock().unwrap(), "{sign} {pid}").unwrap();
}
