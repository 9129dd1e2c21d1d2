//! Publications through Redis and their way to other nodes.

mod ground;
mod latency;
mod path;
mod subscribe;
mod throughput;

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, json};

use crate::redis::limit::STEP;
use crate::redis::server::Redis;
use crate::report::{Report, Table};
use ground::Ground;

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Publications of a run, rounded up to what the limit can do exactly.
    #[arg(long, default_value_t = 100_000)]
    publications: usize,
    /// Publications that the engine has under way at a time.
    #[arg(long, default_value_t = 512)]
    at_once: usize,
    /// Pairs of runs.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Channels whose acknowledgement is measured.
    #[arg(long, default_value_t = 100_000)]
    channels: usize,
    /// Only these parts.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "publish,one,cluster,latency,subscribe,path"
    )]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Throughput through one Redis while nobody listens.
    Publish,
    /// Throughput through one Redis while another node listens.
    One,
    /// The same through a cluster.
    Cluster,
    /// From node to node at half of the throughput.
    Latency,
    /// Channels in a second.
    Subscribe,
    /// The way from an HTTP request to a client of another node.
    Path,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let has = |part| options.parts.contains(&part);
    let (mut tables, mut figures) = (Vec::new(), Map::new());
    let mut rates = throughput::table(options.at_once);
    let mut costs = throughput::costs_table();
    let mut at_half = Table::new(
        "redis: ms from a call on one node to its delivery on another, at half of the throughput",
        &["through", "publications per second", "p50", "p99", "least p50", "least p99"],
    );
    let kinds = [
        (Part::Publish, "one Redis, nobody listens", false),
        (Part::One, "one Redis", true),
        (Part::Cluster, "cluster of six", true),
    ];
    for (part, label, listens) in kinds {
        if !has(part) {
            continue;
        }
        let redis = if part == Part::Cluster { Redis::cluster()? } else { Redis::alone()? };
        let mut ground = Ground::new(redis, listens)?;
        let found = throughput::compare(&mut ground, options.publications.next_multiple_of(STEP), options)?;
        rates.row(found.row(label));
        // Servers of a cluster that share cores keep each other waiting.
        if part != Part::Cluster {
            rates.row(found.own_row(label));
        }
        costs.row(found.costs_row(label));
        figures.insert(label.to_owned(), found.figures());
        if listens && has(Part::Latency) {
            let found = latency::measure(&mut ground, found.engine_rate() / 2.0, options.rounds)?;
            at_half.row(found.row(label));
            figures.insert(format!("{label}, latency"), found.figures());
        }
    }
    if has(Part::Publish) || has(Part::One) || has(Part::Cluster) {
        tables.extend([rates, costs]);
        if has(Part::Latency) {
            tables.push(at_half);
        }
    }
    if has(Part::Subscribe) {
        let (table, found) = subscribe::measure(options.channels, options.rounds)?;
        tables.push(table);
        figures.insert("subscribe".to_owned(), found);
    }
    if has(Part::Path) {
        let (table, found) = path::measure(program, options.rounds)?;
        tables.push(table);
        figures.insert("path".to_owned(), found);
    }
    Ok(Report { name: "redis", tables, figures: json!(figures) })
}
