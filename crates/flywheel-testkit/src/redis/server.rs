use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::Daemon;
use super::{Certificates, RedisClient, RedisRelease, RedisReply};
use crate::{free_port, wait_until};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(20);

/// How to start a Redis.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Which server it is.
    pub release: RedisRelease,
    /// Port of the primary that it replicates.
    pub replica_of: Option<u16>,
    /// The default user's password, also used towards a primary.
    pub password: Option<String>,
    /// Listens with TLS too, on a port of its own.
    pub tls: Option<Arc<Certificates>>,
    /// Whether clients must show a certificate.
    pub tls_client_auth: bool,
    /// Servers reach each other with TLS only, and Sentinels them and each other.
    pub tls_among_servers: bool,
    /// Further lines of the configuration, without line ends; the last of several wins.
    pub lines: Vec<String>,
}

impl RedisOptions {
    /// Another server than the one that is installed.
    pub fn of(release: RedisRelease) -> Self {
        Self { release, ..Self::default() }
    }

    /// With one more line of configuration.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }
}

/// A real Redis on a free port of 127.0.0.1 and on a Unix socket, which keeps nothing on disk; killed when dropped.
///
/// Needs `redis-server`.
#[derive(Debug)]
pub struct RedisServer {
    daemon: Daemon,
    folder: TempDir,
    options: RedisOptions,
    port: u16,
    tls_port: Option<u16>,
}

impl RedisServer {
    /// A primary that everybody may use.
    pub fn start() -> Self {
        Self::with(&RedisOptions::default())
    }

    /// Starts it and waits until it answers; panics with its log when it does not.
    pub fn with(options: &RedisOptions) -> Self {
        // Another test's process may have taken the port since it was found free.
        for _ in 0..5 {
            if let Some(server) = Self::try_start(options) {
                return server;
            }
        }
        panic!("no port for redis-server");
    }

    fn try_start(options: &RedisOptions) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (port, tls_port) = (free_port(), options.tls.as_ref().map(|_| free_port()));
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\nunixsocket {socket}\ndir {dir}\nsave \"\"\nappendonly no\nprotected-mode no\n\
             enable-debug-command yes\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\nloglevel notice\n",
            socket = folder.path().join("redis.sock").display(),
            dir = folder.path().display(),
        );
        if let (Some(port), Some(tls)) = (tls_port, &options.tls) {
            text += &tls.lines(port, options.tls_client_auth);
            if options.tls_among_servers {
                text += "tls-replication yes\ntls-cluster yes\n";
            }
        }
        if let Some(password) = &options.password {
            writeln!(text, "requirepass {password}\nmasterauth {password}").unwrap();
        }
        if let Some(primary) = options.replica_of {
            writeln!(text, "replicaof 127.0.0.1 {primary}").unwrap();
        }
        for line in &options.lines {
            writeln!(text, "{line}").unwrap();
        }
        let config = folder.path().join("redis.conf");
        fs::write(&config, text).unwrap();
        let daemon = Daemon::start(
            &options.release.program(),
            "redis-server",
            folder.path(),
            &[config.to_string_lossy()],
        );
        let mut server = Self { daemon, folder, options: options.clone(), port, tls_port };
        match server.wait_started() {
            Ok(()) => Some(server),
            Err(log) if log.contains("Address already in use") => None,
            Err(log) => panic!("redis-server did not start:\n{log}"),
        }
    }

    fn wait_started(&mut self) -> Result<(), String> {
        let mut ended = false;
        let answers = wait_until(START, || {
            ended = !self.daemon.is_running();
            ended || self.try_run(&["PING"]).is_ok_and(|reply| !reply.text().starts_with("LOADING"))
        });
        if answers && !ended { Ok(()) } else { Err(self.daemon.log()) }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens with TLS on 127.0.0.1; panics without TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("TLS was asked for")
    }

    /// Where other servers and Sentinels reach it on 127.0.0.1.
    pub fn peer_port(&self) -> u16 {
        if self.options.tls_among_servers { self.tls_port() } else { self.port }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// What it has logged since it was started last.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// A connection as the default user.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn client(&self) -> io::Result<RedisClient> {
        let mut client = RedisClient::connect(self.port)?;
        if let Some(password) = &self.options.password {
            client.try_run(&["AUTH", password])?;
        }
        Ok(client)
    }

    /// Runs a command over a connection of its own.
    ///
    /// # Errors
    ///
    /// There is no connection, or it broke, or there is no reply within 3 s. An error of Redis is a reply.
    pub fn try_run(&self, command: &[impl AsRef<[u8]>]) -> io::Result<RedisReply> {
        self.client()?.try_run(command)
    }

    /// Runs a command over a connection of its own; panics when that fails or Redis answers an error.
    pub fn run(&self, command: &[impl AsRef<[u8]>]) -> RedisReply {
        self.client().unwrap_or_else(|error| panic!("redis on port {}: {error}", self.port)).run(command)
    }

    /// A line of `INFO`; empty when there is none.
    pub fn info(&self, name: &str) -> String {
        let text = self.try_run(&["INFO", "everything"]).map(|reply| reply.text()).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }

    /// Stops it where it stands, connections open (`SIGSTOP`).
    pub fn freeze(&self) {
        self.daemon.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.daemon.signal(Signal::CONT);
    }

    /// Ends it at once (`SIGKILL`).
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again on the same port, after it was killed, empty.
    pub fn start_again(&mut self) {
        self.daemon.start_again();
        if let Err(log) = self.wait_started() {
            panic!("redis-server did not start again:\n{log}");
        }
    }

    /// Kills it and starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Waits until it replicates.
    pub fn wait_replicating(&self) {
        let up = wait_until(START, || self.info("master_link_status") == "up");
        assert!(up, "the replica does not replicate:\n{}", self.log());
    }
}
