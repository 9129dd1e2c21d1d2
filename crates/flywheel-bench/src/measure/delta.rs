//! CPU and bytes for each delivery with and without delta.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::client::Wishes;
use crate::measure::receivers::{Cost, Load, Receivers};
use crate::meter;
use crate::report::{Report, Table, median, percent};

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    load: Load,
    /// Pairs of runs for each size.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let load = &options.load;
    meter::allow_connections(load.connections)?;
    let mut off = Receivers::start(program, load.connections, Wishes::default())?;
    let mut on = Receivers::start(program, load.connections, Wishes { delta: true, deflate: false })?;
    let mut table = Table::new(
        format!(
            "delta: per delivery, {} subscribers in JSON, a tenth of a document changes",
            load.connections
        ),
        &["bytes of a document", "µs off", "µs on", "bytes off", "bytes on", "µs on / off by pair", "median"],
    );
    let mut figures = serde_json::Map::new();
    for &bytes in &load.bytes {
        let mut pairs: Vec<(Cost, Cost)> = Vec::new();
        for pair in 0..=options.pairs {
            let costs = if pair % 2 == 0 {
                let first = off.measure(bytes, load.documents)?;
                (first, on.measure(bytes, load.documents)?)
            } else {
                let second = on.measure(bytes, load.documents)?;
                (off.measure(bytes, load.documents)?, second)
            };
            let is_warm_up = pair == 0;
            if !is_warm_up {
                pairs.push(costs);
            }
        }
        let of = |pick: fn(&(Cost, Cost)) -> f64| median(&pairs.iter().map(pick).collect::<Vec<_>>());
        let ratios: Vec<f64> = pairs.iter().map(|(off, on)| on.us / off.us).collect();
        let (us_off, us_on) = (of(|pair| pair.0.us), of(|pair| pair.1.us));
        let (bytes_off, bytes_on) = (of(|pair| pair.0.bytes), of(|pair| pair.1.bytes));
        table.row([
            bytes.to_string(),
            format!("{us_off:.3}"),
            format!("{us_on:.3}"),
            format!("{bytes_off:.0}"),
            format!("{bytes_on:.0}"),
            ratios.iter().map(|ratio| percent(*ratio)).collect::<Vec<_>>().join(" "),
            percent(median(&ratios)),
        ]);
        figures.insert(
            bytes.to_string(),
            json!({"us_off": us_off, "us_on": us_on, "bytes_off": bytes_off, "bytes_on": bytes_on, "ratios": ratios}),
        );
    }
    Ok(Report { name: "delta", tables: vec![table], figures: figures.into() })
}
