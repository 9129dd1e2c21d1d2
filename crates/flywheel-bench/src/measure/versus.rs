//! Comparisons in which one load generator drives the server and a baseline in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::flywheel::{Flywheel, Liveness};
use crate::peer::Peer;
use crate::report::Pairs;
use crate::{clock, meter};

const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// A process with the load generator that drives it.
struct Driven {
    pid: u32,
    load: Peer,
    /// Descriptors before there was load.
    descriptors: usize,
}

/// See [`Versus::prepare`].
pub(super) type Prepare = fn(&Flywheel) -> Result<(&'static str, Vec<String>)>;

/// One comparison.
pub(super) struct Versus<'a> {
    /// Role of the baseline process.
    pub(super) baseline: &'static str,
    /// Role of the load generator.
    pub(super) load: &'static str,
    /// Prepares the server and answers the role and arguments of the load generator that drives it, where they differ.
    pub(super) prepare: Option<Prepare>,
    /// Connections of the load generator.
    pub(super) at_once: usize,
    /// Units of work in one run.
    pub(super) units: usize,
    /// Pairs of runs.
    pub(super) rounds: usize,
    /// Whether a unit ends with its connection, so that its cost includes the close.
    pub(super) closes: bool,
    /// The server's binary.
    pub(super) program: &'a Path,
}

impl<'a> Versus<'a> {
    /// Clients of the server at `program` against those of a bare poller, each for its whole life.
    pub(super) fn of_clients(program: &'a Path, clients: usize, at_once: usize, rounds: usize) -> Self {
        let (baseline, load) = ("bare", "dial");
        Self { baseline, load, prepare: None, at_once, units: clients, rounds, closes: true, program }
    }
}

impl Versus<'_> {
    /// Microseconds of CPU for each unit of work, pair by pair, after one warm-up of each.
    pub(super) fn run(&self) -> Result<Pairs> {
        let mut bare = Peer::start(self.baseline, &[])?;
        let address = bare.hear("listening")?;
        let mut baseline = self.drive(bare.pid(), &address, &(self.load, Vec::new()))?;
        let server = Flywheel::start(self.program, Liveness::NEVER)?;
        let load = self.prepare.map_or_else(|| Ok((self.load, Vec::new())), |prepare| prepare(&server))?;
        let mut flywheel = self.drive(server.peer.pid(), &server.address.to_string(), &load)?;
        let mut costs = Vec::new();
        for round in 0..=self.rounds {
            let cost = if round % 2 == 0 {
                let first = self.measure(&mut baseline)?;
                (first, self.measure(&mut flywheel)?)
            } else {
                let second = self.measure(&mut flywheel)?;
                (self.measure(&mut baseline)?, second)
            };
            let is_warm_up = round == 0;
            if !is_warm_up {
                costs.push(cost);
            }
        }
        Ok(Pairs { costs })
    }

    fn drive(&self, pid: u32, address: &str, load: &(&'static str, Vec<String>)) -> Result<Driven> {
        let descriptors = meter::descriptors(pid)?;
        let at_once = self.at_once.to_string();
        let mut arguments = vec!["--address", address, "--at-once", &at_once];
        arguments.extend(load.1.iter().map(String::as_str));
        let mut load = Peer::start(load.0, &arguments)?;
        load.hear("ready")?;
        Ok(Driven { pid, load, descriptors })
    }

    fn measure(&self, driven: &mut Driven) -> Result<f64> {
        let before = meter::cpu_ns(driven.pid)?;
        driven.load.ask(&format!("go {}", self.units), "done")?;
        if self.closes {
            clock::until("the last clients to be closed", SETTLE_LIMIT, Duration::from_millis(5), || {
                Ok(meter::descriptors(driven.pid)? <= driven.descriptors)
            })?;
        }
        Ok((meter::cpu_ns(driven.pid)? - before) / self.units as f64 / 1e3)
    }
}
