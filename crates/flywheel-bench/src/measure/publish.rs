//! CPU for a publication over the HTTP API into a channel that nobody reads, against a bare web framework.

use std::path::Path;

use anyhow::Result;

use crate::measure::versus::Versus;
use crate::report::{Report, Table};

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Requests in one run.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// Pairs of runs.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let pairs = Versus {
        baseline: "axum",
        load: "post",
        prepare: None,
        at_once: options.at_once,
        units: options.requests,
        rounds: options.rounds,
        closes: false,
        program,
    }
    .run()?;
    let mut table = Table::new(
        format!("publish: µs of CPU per POST /api/publish, {} keep-alive connections", options.at_once),
        &["requests per run", "axum", "flywheel", "axum / flywheel by pair", "median"],
    );
    table.row(pairs.row(options.requests.to_string()));
    Ok(Report { name: "publish", tables: vec![table], figures: pairs.figures() })
}
