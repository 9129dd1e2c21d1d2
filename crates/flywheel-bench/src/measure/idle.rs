//! Memory of a client that only listens, and the CPU of keeping it: pings and pongs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::flywheel::{Flywheel, Liveness};
use crate::meter;
use crate::peer::Peer;
use crate::report::{Report, Table};
use crate::sink::Channels;

const LIVENESS: Liveness =
    Liveness { ping_interval: Duration::from_secs(5), pong_timeout: Duration::from_secs(3) };
const INTERVALS: u32 = 3;
const REST: Duration = Duration::from_secs(2);
/// Largest resident memory for each client, in bytes.
const BYTES_TARGET: f64 = 4096.0;
/// The fleet that the cost of pings is scaled to, its interval in seconds, and the cores it may cost.
const FLEET: f64 = 200_000.0;
const FLEET_INTERVAL: f64 = 25.0;
const CORES_TARGET: f64 = 0.2;

/// Options of this measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Number of clients.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Subscribe all clients to one channel instead of each to its own.
    #[arg(long)]
    shared: bool,
    /// Let all clients negotiate compression.
    #[arg(long)]
    deflate: bool,
}

/// Runs the measurement with the server at `program`.
pub(crate) fn run(program: &Path, options: &Options) -> Result<Report> {
    let channels = if options.shared { Channels::Shared } else { Channels::Own };
    let server = Flywheel::start(program, LIVENESS)?;
    let pid = server.peer.pid();
    let memory_before = meter::resident_bytes(pid)?;
    let mut sink = sink(&server, options.connections, channels, options.deflate)?;
    answer_pings(&mut sink, REST)?;
    let at_rest = per_client(pid, memory_before, options.connections)?;

    let cpu_before = meter::cpu_ns(pid)?;
    let pings = answer_pings(&mut sink, LIVENESS.ping_interval * INTERVALS)?;
    let cpu = meter::cpu_ns(pid)? - cpu_before;
    let after_pings = per_client(pid, memory_before, options.connections)?;

    let expected = options.connections as f64 * f64::from(INTERVALS);
    ensure!(
        (0.8..=1.2).contains(&(pings / expected)),
        "{pings} pings in {INTERVALS} intervals, not {expected}"
    );
    let ping_us = cpu / pings / 1e3;
    let cores = ping_us / 1e6 * FLEET / FLEET_INTERVAL;

    let kind = if options.shared { "one shared channel" } else { "a channel each" };
    let kind = if options.deflate { format!("{kind}, compressed") } else { kind.to_owned() };
    let mut table = Table::new(
        format!("idle: {} clients, {kind}, ping every {:?}", options.connections, LIVENESS.ping_interval),
        &["figure", "measured", "target"],
    );
    let mut line =
        |figure: &str, measured: String, target: String| table.row([figure.to_owned(), measured, target]);
    line("resident bytes per client, at rest", format!("{at_rest:.0}"), format!("{BYTES_TARGET:.0}"));
    line("resident bytes per client, after pings", format!("{after_pings:.0}"), format!("{BYTES_TARGET:.0}"));
    line("µs of CPU per ping and pong", format!("{ping_us:.2}"), String::new());
    line("cores for 200,000 clients at 25 s", format!("{cores:.3}"), format!("{CORES_TARGET}"));
    let figures = json!({
        "connections": options.connections, "shared": options.shared, "deflate": options.deflate, "pings": pings,
        "bytes_at_rest": at_rest, "bytes_after_pings": after_pings, "ping_us": ping_us, "fleet_cores": cores,
    });
    Ok(Report { name: "idle", tables: vec![table], figures })
}

fn sink(server: &Flywheel, connections: usize, channels: Channels, deflate: bool) -> Result<Peer> {
    let (address, count) = (server.address.to_string(), connections.to_string());
    let channels = match channels {
        Channels::Shared => "shared",
        Channels::Own => "own",
    };
    let mut arguments =
        vec!["--address", &address, "--connections", &count, "--channels", channels, "--pings"];
    arguments.extend(deflate.then_some("--deflate"));
    let mut sink = Peer::start("sink", &arguments)?;
    sink.hear("ready")?;
    Ok(sink)
}

fn answer_pings(sink: &mut Peer, time: Duration) -> Result<f64> {
    Ok(sink.ask(&format!("pings {}", time.as_millis()), "pings")?.parse()?)
}

fn per_client(pid: u32, before: u64, connections: usize) -> Result<f64> {
    Ok((meter::resident_bytes(pid)? as f64 - before as f64) / connections as f64)
}
