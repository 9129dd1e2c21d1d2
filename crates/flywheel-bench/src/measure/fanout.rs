//! CPU for each delivery of a publication to many subscribers, against the raw sender.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::flywheel::{Flywheel, Liveness};
use crate::http::{self, Http};
use crate::peer::Peer;
use crate::report::{Pairs, Report, Table, percent};
use crate::{meter, wire};

const WARM_UP_BURSTS: usize = 20;
const BURSTS_MAX: usize = 5000;
/// Share of the raw limit to reach, by messages in a burst.
const TARGETS: [(usize, f64); 3] = [(1, 0.85), (8, 0.80), (32, 0.70)];

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Number of subscribers.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Messages in a burst, several to compare.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    burst: Vec<usize>,
    /// Pairs of runs for each size of burst.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// CPU time of the sender in one run, in seconds.
    #[arg(long, default_value_t = 0.65)]
    cpu_seconds: f64,
}

/// A sender with its receivers.
struct Side {
    sender: Sender,
    sink: Peer,
}

enum Sender {
    Raw(Peer),
    Server { server: Flywheel, api: Http },
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let mut raw = Side::raw(options.connections)?;
    let mut server = Side::server(program, options.connections)?;
    let mut table = Table::new(
        format!(
            "fan-out: µs of CPU per delivery, {} subscribers, frames of {} bytes",
            options.connections,
            wire::FRAME_BYTES
        ),
        &["messages per burst", "raw", "flywheel", "raw / flywheel by pair", "median", "target"],
    );
    let mut figures = serde_json::Map::new();
    for &size in &options.burst {
        let pairs = compare(&mut raw, &mut server, size, options)?;
        let target = TARGETS.iter().find(|target| target.0 == size);
        let mut row = pairs.row(size.to_string());
        row.push(target.map_or_else(String::new, |target| {
            format!("{} ({})", percent(target.1), verdict(pairs.ratio() >= target.1))
        }));
        table.row(row);
        figures.insert(size.to_string(), pairs.figures());
    }
    Ok(Report {
        name: "fanout",
        tables: vec![table],
        figures: json!({"connections": options.connections, "bursts": figures}),
    })
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn compare(raw: &mut Side, server: &mut Side, size: usize, options: &Options) -> Result<Pairs> {
    let raw_bursts = raw.warm_up(size, options)?;
    let server_bursts = server.warm_up(size, options)?;
    let mut costs = Vec::new();
    for pair in 0..=options.pairs {
        // Who goes first alternates, so that a drift of the clock speed favours nobody.
        let (first, second) = if pair % 2 == 0 {
            let first = raw.measure(size, raw_bursts)?;
            (first, server.measure(size, server_bursts)?)
        } else {
            let second = server.measure(size, server_bursts)?;
            (raw.measure(size, raw_bursts)?, second)
        };
        let is_warm_up = pair == 0;
        if !is_warm_up {
            let deliveries = |bursts: usize| (bursts * size * options.connections) as f64 * 1e3;
            costs.push((first / deliveries(raw_bursts), second / deliveries(server_bursts)));
        }
    }
    raw.finish()?;
    server.finish()?;
    Ok(Pairs { costs })
}

impl Side {
    fn raw(connections: usize) -> Result<Self> {
        let mut raw = Peer::start("raw", &["--connections", &connections.to_string()])?;
        let address = raw.hear("listening")?;
        Ok(Self { sink: sink(&address, connections)?, sender: Sender::Raw(raw) })
    }

    fn server(program: &Path, connections: usize) -> Result<Self> {
        let server = Flywheel::start(program, Liveness::NEVER)?;
        let sink = sink(&server.address.to_string(), connections)?;
        let api = Http::connect(server.address)?;
        Ok(Self { sink, sender: Sender::Server { server, api } })
    }

    fn pid(&self) -> u32 {
        match &self.sender {
            Sender::Raw(peer) => peer.pid(),
            Sender::Server { server, .. } => server.peer.pid(),
        }
    }

    /// Proves that frames arrive as they should, and finds the number of bursts for one run.
    fn warm_up(&mut self, size: usize, options: &Options) -> Result<usize> {
        let request = batch(size);
        self.sender.publish(size, &request)?;
        self.sink.ask(&format!("check {size}"), "done")?;
        let cost = self.measure(size, WARM_UP_BURSTS)? / WARM_UP_BURSTS as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small range"
        )]
        let bursts =
            (options.cpu_seconds * 1e9 / cost).clamp(WARM_UP_BURSTS as f64, BURSTS_MAX as f64) as usize;
        Ok(bursts)
    }

    /// CPU of the sender for so many bursts, in nanoseconds.
    fn measure(&mut self, size: usize, bursts: usize) -> Result<f64> {
        let request = batch(size);
        let order = format!("burst {}", size * wire::FRAME_BYTES);
        let before = meter::cpu_ns(self.pid())?;
        for _ in 0..bursts {
            self.sink.say(&order)?;
            self.sender.publish(size, &request)?;
            self.sink.hear("done")?;
        }
        Ok(meter::cpu_ns(self.pid())? - before)
    }

    /// An error when a client received more than it should have.
    fn finish(&mut self) -> Result<()> {
        self.sink.ask("quiet", "done").map(|_| ())
    }
}

impl Sender {
    fn publish(&mut self, size: usize, request: &[u8]) -> Result<()> {
        match self {
            Self::Raw(peer) => peer.say(&format!("burst {size}")),
            Self::Server { api, .. } => check_batch(api.call(request)?, size),
        }
    }
}

fn sink(address: &str, connections: usize) -> Result<Peer> {
    let mut sink = Peer::start("sink", &["--address", address, "--connections", &connections.to_string()])?;
    sink.hear("ready")?;
    Ok(sink)
}

fn batch(size: usize) -> Vec<u8> {
    let command =
        format!(r#"{{"publish":{{"channel":"{}","data":{}}}}}"#, wire::CHANNEL, wire::publication_data());
    http::post("/api/batch", &format!(r#"{{"commands":[{}]}}"#, vec![command; size].join(",")))
}

fn check_batch(body: &[u8], size: usize) -> Result<()> {
    let shown = || String::from_utf8_lossy(body);
    let answer: serde_json::Value =
        serde_json::from_slice(body).with_context(|| format!("batch: {}", shown()))?;
    let replies = answer["replies"].as_array().with_context(|| format!("batch: {}", shown()))?;
    let good = replies.len() == size && replies.iter().all(|reply| reply.get("publish").is_some());
    ensure!(good, "batch of {size}: {}", shown());
    Ok(())
}
