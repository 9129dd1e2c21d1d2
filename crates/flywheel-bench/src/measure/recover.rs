//! CPU for a client that comes back and missed something, all clients at once, against a bare poller that only accepts.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::flywheel::Flywheel;
use crate::http::{self, Http};
use crate::measure::versus::Versus;
use crate::report::{Report, Table, median};
use crate::{meter, wire};

/// Publications that each client missed, and as many that it did not.
const MISSED: usize = 20;
/// What a client that comes back may cost, in bare clients.
const TARGET: f64 = 2.5;

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Clients that come back at once.
    #[arg(long, default_value_t = 3000)]
    clients: usize,
    /// Pairs of runs.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    // The load generators inherit it.
    meter::allow_connections(options.clients)?;
    let clients = Versus::of_clients(program, options.clients, options.clients, options.rounds);
    let pairs = Versus { prepare: Some(prepare), ..clients }.run()?;
    let mut table = Table::new(
        format!(
            "recover: µs of CPU per client, {} at once, each of which missed {MISSED} publications of {} bytes; \
             the bare poller only answers connect and subscribe",
            options.clients,
            wire::PUSH_BYTES
        ),
        &["clients", "bare", "flywheel", "flywheel / bare by pair", "median", "target"],
    );
    let times: Vec<f64> = pairs.costs.iter().map(|(bare, server)| server / bare).collect();
    let middle = median(&times);
    let verdict = if middle <= TARGET { "met" } else { "missed" };
    table.row([
        options.clients.to_string(),
        format!("{:.1}", pairs.baseline()),
        format!("{:.1}", pairs.server()),
        times.iter().map(|times| format!("{times:.2}")).collect::<Vec<_>>().join(" "),
        format!("{middle:.2}"),
        format!("{TARGET:.1} ({verdict})"),
    ]);
    let mut figures = pairs.figures();
    figures["times_bare_median"] = json!(middle);
    Ok(Report { name: "recover", tables: vec![table], figures })
}

/// Fills the channel, and tells the clients how far they had seen it.
fn prepare(server: &Flywheel) -> Result<(&'static str, Vec<String>)> {
    let channel = format!("{}:{}", wire::LOG, wire::CHANNEL);
    let mut api = Http::connect(server.address)?;
    let publication = format!(r#"{{"channel":"{channel}","data":{}}}"#, wire::publication_data());
    let mut position = Value::Null;
    for _ in 0..2 * MISSED {
        let answer: Value = serde_json::from_slice(api.call(&http::post("/api/publish", &publication))?)?;
        position = answer["result"].clone();
    }
    let epoch = position["epoch"].as_str().with_context(|| format!("no epoch in {position}"))?;
    let offset = position["offset"].as_u64().with_context(|| format!("no offset in {position}"))?;
    let options = [
        ("--channel", channel),
        ("--epoch", epoch.to_owned()),
        ("--offset", (offset - MISSED as u64).to_string()),
        ("--missed", MISSED.to_string()),
    ];
    Ok(("return", options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()))
}
