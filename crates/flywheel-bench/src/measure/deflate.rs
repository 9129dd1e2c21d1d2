//! CPU and bytes for each delivery compressed once for all, compressed for each client, and not at all.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::client::Wishes;
use crate::document::{self, Deflater};
use crate::measure::receivers::{Cost, Load, Receivers};
use crate::peer::Peer;
use crate::report::{Report, Table, median, percent};
use crate::{meter, wire};

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    load: Load,
    /// Rounds for each size.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// A bare sender that compresses for each client anew.
struct Each {
    raw: Peer,
    sink: Peer,
    deflater: Deflater,
    connections: usize,
    next: usize,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let load = &options.load;
    meter::allow_connections(load.connections)?;
    let mut plain = Receivers::start(program, load.connections, Wishes::default())?;
    let mut once = Receivers::start(program, load.connections, Wishes { delta: false, deflate: true })?;
    let mut each = Each::start(load.connections)?;
    let mut table = Table::new(
        format!(
            "deflate: per delivery, {} subscribers in JSON, level 1; \"each\" is a bare loop that compresses for each client",
            load.connections
        ),
        &[
            "bytes of a document",
            "µs plain",
            "µs once",
            "µs each",
            "bytes plain",
            "bytes once",
            "once / each by round",
            "median",
        ],
    );
    let mut figures = serde_json::Map::new();
    for &bytes in &load.bytes {
        let mut rounds: Vec<[Cost; 3]> = Vec::new();
        for round in 0..=options.rounds {
            let costs = [
                plain.measure(bytes, load.documents)?,
                once.measure(bytes, load.documents)?,
                each.measure(bytes, load.documents)?,
            ];
            let is_warm_up = round == 0;
            if !is_warm_up {
                rounds.push(costs);
            }
        }
        let us = |which: usize| median(&rounds.iter().map(|costs| costs[which].us).collect::<Vec<_>>());
        let length =
            |which: usize| median(&rounds.iter().map(|costs| costs[which].bytes).collect::<Vec<_>>());
        let ratios: Vec<f64> = rounds.iter().map(|[_, once, each]| once.us / each.us).collect();
        table.row([
            bytes.to_string(),
            format!("{:.3}", us(0)),
            format!("{:.3}", us(1)),
            format!("{:.3}", us(2)),
            format!("{:.0}", length(0)),
            format!("{:.0}", length(1)),
            ratios.iter().map(|ratio| percent(*ratio)).collect::<Vec<_>>().join(" "),
            percent(median(&ratios)),
        ]);
        figures.insert(
            bytes.to_string(),
            json!({
                "us_plain": us(0), "us_once": us(1), "us_each": us(2),
                "bytes_plain": length(0), "bytes_once": length(1), "bytes_each": length(2), "ratios": ratios,
            }),
        );
    }
    Ok(Report { name: "deflate", tables: vec![table], figures: figures.into() })
}

impl Each {
    fn start(connections: usize) -> Result<Self> {
        let number = connections.to_string();
        let mut raw = Peer::start("raw", &["--connections", &number])?;
        let address = raw.hear("listening")?;
        let mut sink = Peer::start("sink", &["--address", &address, "--connections", &number])?;
        sink.hear("ready")?;
        Ok(Self { raw, sink, deflater: Deflater::new(), connections, next: 0 })
    }

    fn measure(&mut self, bytes: usize, documents: usize) -> Result<Cost> {
        let before = meter::cpu_ns(self.raw.pid())?;
        let mut sent = 0;
        for _ in 0..documents {
            self.next += 1;
            let frame = self.deflater.frame(&document::push(wire::CHANNEL, bytes, self.next))?.len();
            self.raw.say(&format!("deflate {bytes} {}", self.next))?;
            self.sink.ask(&format!("burst {frame}"), "done")?;
            sent += frame;
        }
        let cpu = meter::cpu_ns(self.raw.pid())? - before;
        self.sink.ask("quiet", "done")?;
        let deliveries = (documents * self.connections) as f64;
        Ok(Cost { us: cpu / deliveries / 1e3, bytes: sent as f64 / documents as f64 })
    }
}
