use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::Daemon;
use crate::{listening_addresses, wait_until};

/// A real HAProxy with a configuration of the test's; killed when dropped. Needs `haproxy`.
#[derive(Debug)]
pub struct HaProxy {
    daemon: Daemon,
    _folder: TempDir,
}

impl HaProxy {
    /// Starts it with this configuration, and waits until somebody listens on each of these ports.
    pub fn start(config: &str, ports: &[u16]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let daemon =
            Daemon::start("haproxy", "haproxy", folder.path(), &["-db", "-f", &*file.to_string_lossy()]);
        let listens = wait_until(Duration::from_secs(20), || {
            ports.iter().all(|port| !listening_addresses(*port).is_empty())
        });
        assert!(listens, "haproxy did not start:\n{}", daemon.log());
        Self { daemon, _folder: folder }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }
}
