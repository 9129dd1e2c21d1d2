//! CPU for the whole life of a client, against a bare poller.

use std::path::Path;

use anyhow::Result;

use crate::measure::versus::Versus;
use crate::report::{Report, Table};

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Clients in one run.
    #[arg(long, default_value_t = 4000)]
    clients: usize,
    /// Clients alive at the same time.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// Pairs of runs.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let pairs = Versus::of_clients(program, options.clients, options.at_once, options.rounds).run()?;
    let mut table = Table::new(
        format!(
            "connect: µs of CPU per client (accept, handshake, connect, subscribe, close), {} at a time",
            options.at_once
        ),
        &["clients per run", "bare", "flywheel", "bare / flywheel by pair", "median"],
    );
    table.row(pairs.row(options.clients.to_string()));
    Ok(Report { name: "connect", tables: vec![table], figures: pairs.figures() })
}
