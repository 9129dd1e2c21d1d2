//! Real Redis servers on free ports, which keep nothing on disk.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flywheel_redis::resp::Value;
use tempfile::TempDir;

use crate::peer::Peer;
use crate::redis::talk::Talk;
use crate::{clock, meter, net};

const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a cluster may take to form.
const FORMATION_LIMIT: Duration = Duration::from_mins(1);
const SLOTS: u16 = 16_384;
const PRIMARIES: u16 = 3;

/// One server. Dropping it kills it.
pub(crate) struct Server {
    peer: Peer,
    /// Where it listens, on the loopback interface.
    pub(crate) port: u16,
    bus: u16,
    _folder: TempDir,
}

/// One server, or a cluster of three primaries with a replica each.
pub(crate) struct Redis {
    /// The primaries first.
    servers: Vec<Server>,
}

impl Server {
    fn start(lines: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (port, bus) = (net::free_address()?.port(), net::free_address()?.port());
        let mut command = Command::new("redis-server");
        command.current_dir(folder.path()).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--logfile", "log"]);
        // Who lags behind for a moment, because clients and server share the cores, is not thrown out.
        command.args(["--client-output-buffer-limit", "pubsub 0 0 0"]);
        command.args(lines);
        if !lines.is_empty() {
            command.args(["--cluster-port", &bus.to_string()]);
        }
        let mut peer = Peer::run("redis-server", &mut command)?;
        clock::until("redis-server", START_LIMIT, Duration::from_millis(20), || {
            peer.ensure_alive()?;
            Ok(Talk::to(port).and_then(|mut talk| talk.ask(&["PING"])).is_ok())
        })?;
        Ok(Self { peer, port, bus, _folder: folder })
    }

    fn talk(&self) -> Result<Talk> {
        Talk::to(self.port)
    }
}

impl Redis {
    /// A server by itself.
    pub(crate) fn alone() -> Result<Self> {
        Ok(Self { servers: vec![Server::start(&[])?] })
    }

    /// A cluster of six, formed.
    pub(crate) fn cluster() -> Result<Self> {
        let lines = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
        let servers = (0..2 * PRIMARIES).map(|_| Server::start(&lines)).collect::<Result<Vec<_>>>()?;
        let share = SLOTS / PRIMARIES;
        for (server, number) in servers.iter().zip(0..) {
            let mut talk = server.talk()?;
            talk.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()])?;
            if number < PRIMARIES {
                let last = if number + 1 == PRIMARIES { SLOTS } else { (number + 1) * share } - 1;
                talk.ask(&["CLUSTER", "ADDSLOTSRANGE", &(number * share).to_string(), &last.to_string()])?;
            }
        }
        let mut first = servers[0].talk()?;
        for server in &servers[1..] {
            first.ask(&[
                "CLUSTER",
                "MEET",
                "127.0.0.1",
                &server.port.to_string(),
                &server.bus.to_string(),
            ])?;
        }
        let (primaries, replicas) = servers.split_at(usize::from(PRIMARIES));
        for (replica, primary) in replicas.iter().zip(primaries) {
            let id = primary.talk()?.text(&["CLUSTER", "MYID"])?;
            clock::until("a replica of the cluster", FORMATION_LIMIT, Duration::from_millis(100), || {
                Ok(replica.talk()?.ask(&["CLUSTER", "REPLICATE", &id]).is_ok())
            })?;
        }
        clock::until("the cluster to form", FORMATION_LIMIT, Duration::from_millis(100), || {
            for (server, number) in servers.iter().zip(0..) {
                let cluster = server.talk()?.text(&["CLUSTER", "INFO"])?;
                let replication = server.talk()?.text(&["INFO", "replication"])?;
                let follows = number < PRIMARIES || replication.contains("master_link_status:up");
                let knows = cluster.contains("cluster_known_nodes:6");
                if !follows || !knows || !cluster.contains("cluster_state:ok") {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(Self { servers })
    }

    /// Where to begin to look for all servers.
    pub(crate) fn seed(&self) -> String {
        format!("127.0.0.1:{}", self.servers[0].port)
    }

    /// The servers that carry scripts out.
    pub(crate) fn primaries(&self) -> &[Server] {
        let count = if self.servers.len() > 1 { usize::from(PRIMARIES) } else { 1 };
        &self.servers[..count]
    }

    /// A channel for each primary, whose keys are on it.
    pub(crate) fn channels(&self) -> Result<Vec<String>> {
        let mut channels = vec![None; self.primaries().len()];
        for number in 0..1000 {
            let name = format!("bench-{number}");
            let owner = if self.servers.len() > 1 {
                let slot = flywheel_redis::keys::key_slot(name.as_bytes());
                usize::from((slot / (SLOTS / PRIMARIES)).min(PRIMARIES - 1))
            } else {
                0
            };
            channels[owner].get_or_insert(name);
        }
        channels.into_iter().collect::<Option<_>>().context("a channel for each primary")
    }

    /// CPU time of all servers, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> Result<f64> {
        self.servers.iter().try_fold(0.0, |sum, server| Ok(sum + meter::cpu_ns(server.peer.pid())?))
    }

    /// Time that a primary on average was kept from running, in nanoseconds.
    pub(crate) fn kept_waiting_ns(&self) -> Result<f64> {
        let primaries = self.primaries();
        let sum = primaries.iter().try_fold(0.0, |sum, server| {
            Ok::<_, anyhow::Error>(sum + meter::kept_waiting_ns(server.peer.pid())?)
        })?;
        Ok(sum / primaries.len() as f64)
    }

    /// Waits until somebody listens to every one of `names`.
    pub(crate) fn wait_heard(&self, names: &[String]) -> Result<()> {
        clock::until("somebody to listen", START_LIMIT, Duration::from_millis(20), || {
            let mut heard = 0;
            for server in &self.servers {
                let mut talk = server.talk()?;
                for name in names {
                    let answer = talk.ask(&["PUBSUB", "NUMSUB", name])?;
                    heard += answer.items().get(1).and_then(Value::uint).unwrap_or_default();
                }
            }
            Ok(heard >= names.len() as u64)
        })
    }

    /// Forgets all data.
    pub(crate) fn flush(&self) -> Result<()> {
        for server in self.primaries() {
            let answer = server.talk()?.text(&["FLUSHALL"])?;
            ensure!(answer == "OK", "FLUSHALL: {answer}");
        }
        Ok(())
    }
}
