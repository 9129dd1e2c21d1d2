use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::Daemon;
use super::{RedisClient, RedisOptions, RedisReply, RedisServer};
use crate::{free_port, wait_until};

/// The name under which the Sentinels watch.
pub const MASTER_NAME: &str = "mymaster";

/// How long a set may take until every Sentinel knows everybody.
const FORMATION: Duration = Duration::from_secs(40);

/// How a Sentinel set is to be.
#[derive(Debug, Clone)]
pub struct SentinelOptions {
    /// Silence after which a Sentinel holds a server to be down.
    pub down_after: Duration,
    /// How the three servers are to be.
    pub redis: RedisOptions,
    /// Password of the Sentinels themselves.
    pub sentinel_password: Option<String>,
}

impl Default for SentinelOptions {
    fn default() -> Self {
        Self { down_after: Duration::from_secs(1), redis: RedisOptions::default(), sentinel_password: None }
    }
}

/// A primary with two replicas, watched by three Sentinels with a quorum of 2; all killed when dropped.
///
/// Needs `redis-server` and `redis-sentinel`.
#[derive(Debug)]
pub struct SentinelSet {
    servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
    password: Option<String>,
}

#[derive(Debug)]
struct Sentinel {
    daemon: Daemon,
    port: u16,
    tls_port: Option<u16>,
    _folder: TempDir,
}

impl SentinelSet {
    /// A set with a `down-after` of 1 s, formed.
    pub fn start() -> Self {
        Self::with(&SentinelOptions::default())
    }

    /// Starts it and waits until every Sentinel knows everybody.
    pub fn with(options: &SentinelOptions) -> Self {
        let primary = RedisServer::with(&options.redis);
        let replica = RedisOptions { replica_of: Some(primary.peer_port()), ..options.redis.clone() };
        let mut servers = vec![primary];
        servers.extend((0..2).map(|_| RedisServer::with(&replica)));
        servers[1..].iter().for_each(RedisServer::wait_replicating);
        let sentinels = (0..3).map(|_| Sentinel::start(servers[0].peer_port(), options)).collect();
        let set = Self { servers, sentinels, password: options.sentinel_password.clone() };
        set.wait_formed();
        set
    }

    /// Waits until every Sentinel sees a healthy primary, two replicas that replicate it, and the others.
    pub fn wait_formed(&self) {
        let formed = wait_until(FORMATION, || (0..3).all(|index| self.is_formed(index)));
        assert!(formed, "the Sentinel set has not formed:\n{}", self.sentinels[0].daemon.log());
    }

    fn is_formed(&self, index: usize) -> bool {
        let Ok(state) = self.ask(index, &["SENTINEL", "MASTER", MASTER_NAME]) else { return false };
        let is_known = state.field("flags") == "master"
            && state.field("num-slaves") == "2"
            && state.field("num-other-sentinels") == "2";
        let Ok(replicas) = self.ask(index, &["SENTINEL", "REPLICAS", MASTER_NAME]) else { return false };
        is_known
            && replicas.items().iter().all(|replica| {
                replica.field("master-link-status") == "ok" && replica.field("flags") == "slave"
            })
    }

    /// The servers, in the order in which they were started: the first was the primary then.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// A server, to be killed or restarted.
    pub fn server_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// Ports of the Sentinels.
    pub fn sentinel_ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(|sentinel| sentinel.port).collect()
    }

    /// Addresses of the Sentinels, `127.0.0.1:port`.
    pub fn sentinel_addresses(&self) -> Vec<String> {
        self.sentinel_ports().iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// Addresses under which the Sentinels listen with TLS; with [`RedisOptions::tls_among_servers`].
    pub fn sentinel_tls_addresses(&self) -> Vec<String> {
        let ports = self.sentinels.iter().map(|sentinel| sentinel.tls_port.expect("TLS was asked for"));
        ports.map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// Asks a Sentinel.
    ///
    /// # Errors
    ///
    /// It does not answer within 3 s.
    pub fn ask(&self, index: usize, command: &[&str]) -> std::io::Result<RedisReply> {
        let mut client = RedisClient::connect(self.sentinels[index].port)?;
        if let Some(password) = &self.password {
            client.try_run(&["AUTH", password])?;
        }
        client.try_run(command)
    }

    /// Port of the primary in the eyes of a Sentinel; `None` when it does not answer.
    pub fn primary_according_to(&self, index: usize) -> Option<u16> {
        let reply = self.ask(index, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME]).ok()?;
        reply.items().get(1)?.text().parse().ok()
    }

    /// Index of the server that the first Sentinel that answers holds to be the primary.
    pub fn primary(&self) -> usize {
        let port = (0..3).find_map(|index| self.primary_according_to(index)).expect("a Sentinel answers");
        self.servers.iter().position(|server| server.peer_port() == port).expect("it is one of the set")
    }

    /// Waits until a Sentinel names another primary than the server `old`; returns the index of the new one.
    pub fn wait_switched_from(&self, old: usize, alive: &[usize]) -> usize {
        let old = self.servers[old].peer_port();
        let mut new = None;
        let switched = wait_until(Duration::from_secs(40), || {
            new =
                alive.iter().find_map(|index| self.primary_according_to(*index).filter(|port| *port != old));
            new.is_some()
        });
        assert!(switched, "no failover:\n{}", self.sentinels[alive[0]].daemon.log());
        self.servers.iter().position(|server| Some(server.peer_port()) == new).unwrap()
    }

    /// Stops a Sentinel where it stands.
    pub fn freeze_sentinel(&self, index: usize) {
        self.sentinels[index].daemon.signal(Signal::STOP);
    }

    /// Lets a Sentinel go on.
    pub fn resume_sentinel(&self, index: usize) {
        self.sentinels[index].daemon.signal(Signal::CONT);
    }

    /// Ends a Sentinel at once.
    pub fn kill_sentinel(&mut self, index: usize) {
        self.sentinels[index].daemon.kill();
    }

    /// Starts a killed Sentinel again, with what it knew.
    pub fn start_sentinel_again(&mut self, index: usize) {
        self.sentinels[index].daemon.start_again();
    }

    /// What a Sentinel has logged.
    pub fn sentinel_log(&self, index: usize) -> String {
        self.sentinels[index].daemon.log()
    }
}

impl Sentinel {
    fn start(primary: u16, options: &SentinelOptions) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let tls = options.redis.tls.as_ref().filter(|_| options.redis.tls_among_servers);
        let tls_port = tls.map(|_| free_port());
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\ndir {dir}\nprotected-mode no\n\
             sentinel monitor {MASTER_NAME} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {MASTER_NAME} {down_after}\n\
             sentinel failover-timeout {MASTER_NAME} 6000\nsentinel parallel-syncs {MASTER_NAME} 2\n",
            dir = folder.path().display(),
            down_after = options.down_after.as_millis(),
        );
        if let (Some(port), Some(tls)) = (tls_port, tls) {
            text += &tls.lines(port, options.redis.tls_client_auth);
            text += "tls-replication yes\n";
        }
        if let Some(password) = &options.redis.password {
            writeln!(text, "sentinel auth-pass {MASTER_NAME} {password}").unwrap();
        }
        if let Some(password) = &options.sentinel_password {
            writeln!(text, "requirepass {password}\nsentinel sentinel-pass {password}").unwrap();
        }
        let config = folder.path().join("sentinel.conf");
        fs::write(&config, text).unwrap();
        let daemon =
            Daemon::start("redis-sentinel", "redis-sentinel", folder.path(), &[config.to_string_lossy()]);
        let answers = wait_until(FORMATION, || RedisClient::connect(port).is_ok());
        assert!(answers, "redis-sentinel did not start:\n{}", daemon.log());
        Self { daemon, port, tls_port, _folder: folder }
    }
}
