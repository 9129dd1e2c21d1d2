//! Measures the server against the limits of the machine it runs on.
//!
//! What counts is CPU time of the server's process for each unit of work, beside what the thinnest possible
//! process pays for the same bytes on the wire, in pairs within seconds of each other. Clients, baselines and the
//! server are processes of their own; this one directs them. See `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "figures and the lines between its processes are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "counts and bytes become figures with three digits")]
#![forbid(unsafe_code)]

mod baseline;
mod client;
mod clock;
mod document;
mod flywheel;
mod http;
mod load;
mod measure;
mod meter;
mod net;
mod peer;
mod redis;
mod report;
mod sink;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Command, Parser, Subcommand};

use crate::load::Load;
use crate::load::dial::Dial;
use crate::load::post::Post;
use crate::load::recover::Recover;
use crate::measure::{connect, deflate, delta, fanout, idle, publish, recover};
use crate::report::{Report, as_json};

#[derive(Parser)]
#[command(version, about = "Measures Flywheel against the limits of the machine it runs on")]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// CPU for each delivery to many subscribers, against a loop of `send`.
    Fanout(Measurement<fanout::Options>),
    /// CPU and bytes for each delivery with and without delta.
    Delta(Measurement<delta::Options>),
    /// CPU and bytes for each delivery compressed once, for each client, and not at all.
    Deflate(Measurement<deflate::Options>),
    /// Memory of an idle client, and CPU of its pings.
    Idle(Measurement<idle::Options>),
    /// CPU for the whole life of a client, against a bare poller.
    Connect(Measurement<connect::Options>),
    /// CPU for a client that comes back and missed something, against a bare poller.
    Recover(Measurement<recover::Options>),
    /// CPU for a publication over HTTP, against a bare web framework.
    Publish(Measurement<publish::Options>),
    /// Every measurement with its defaults.
    All(Measurement<NoOptions>),
    /// Publications through Redis and their way to other nodes, against `redis-benchmark` with the same script.
    Redis(Measurement<measure::redis::Options>),
    #[command(hide = true)]
    Engine(redis::node::Options),
    #[command(hide = true)]
    Sink(sink::Options),
    #[command(hide = true)]
    Raw(baseline::raw::Options),
    #[command(hide = true)]
    Bare,
    #[command(hide = true)]
    Axum,
    #[command(hide = true)]
    Dial(LoadOptions),
    #[command(hide = true)]
    Post(LoadOptions),
    #[command(hide = true)]
    Return(load::recover::Options),
}

#[derive(Args)]
struct Measurement<O: Args> {
    /// The server's binary.
    #[arg(long, value_name = "PATH")]
    server: PathBuf,
    /// Print the figures as one line of JSON after the tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: O,
}

#[derive(Args)]
struct NoOptions {}

#[derive(Args)]
struct LoadOptions {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    at_once: usize,
    /// Where publications go; by default nobody reads them.
    #[arg(long, default_value = "nobody")]
    channel: String,
}

fn main() -> Result<()> {
    let (reports, as_line) = match Cli::parse().role {
        Role::Fanout(it) => (vec![fanout::run(&it.server, &it.options)?], it.json),
        Role::Delta(it) => (vec![delta::run(&it.server, &it.options)?], it.json),
        Role::Deflate(it) => (vec![deflate::run(&it.server, &it.options)?], it.json),
        Role::Idle(it) => (vec![idle::run(&it.server, &it.options)?], it.json),
        Role::Connect(it) => (vec![connect::run(&it.server, &it.options)?], it.json),
        Role::Recover(it) => (vec![recover::run(&it.server, &it.options)?], it.json),
        Role::Publish(it) => (vec![publish::run(&it.server, &it.options)?], it.json),
        Role::Redis(it) => (vec![measure::redis::run(&it.server, &it.options)?], it.json),
        Role::All(it) => (all(&it.server)?, it.json),
        Role::Engine(options) => return redis::node::run(&options),
        Role::Sink(options) => return sink::run(&options),
        Role::Raw(options) => return baseline::raw::run(&options),
        Role::Bare => return baseline::bare::run(),
        Role::Axum => return baseline::api::run(),
        Role::Dial(it) => return Load::new(it.address, it.at_once, Dial::new)?.obey(),
        Role::Post(it) => return Load::new(it.address, it.at_once, || Post::new(&it.channel))?.obey(),
        Role::Return(it) => return Load::new(it.address, it.at_once, || Recover::new(&it))?.obey(),
    };
    let texts: Vec<String> = reports.iter().map(Report::render).collect();
    print!("{}", texts.join("\n"));
    if as_line {
        println!("{}", as_json(&reports));
    }
    Ok(())
}

fn all(server: &Path) -> Result<Vec<Report>> {
    Ok(vec![
        fanout::run(server, &defaults())?,
        delta::run(server, &defaults())?,
        deflate::run(server, &defaults())?,
        idle::run(server, &defaults())?,
        connect::run(server, &defaults())?,
        recover::run(server, &defaults())?,
        publish::run(server, &defaults())?,
        measure::redis::run(server, &defaults())?,
    ])
}

/// The options that an empty command line means.
fn defaults<O: Args>() -> O {
    let command = O::augment_args(Command::new("defaults").no_binary_name(true));
    let empty = command.get_matches_from(std::iter::empty::<String>());
    O::from_arg_matches(&empty).unwrap_or_else(|error| error.exit())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_has_defaults() {
        Cli::command().debug_assert();
        defaults::<fanout::Options>();
        defaults::<delta::Options>();
        defaults::<deflate::Options>();
        defaults::<idle::Options>();
        defaults::<connect::Options>();
        defaults::<recover::Options>();
        defaults::<publish::Options>();
        defaults::<measure::redis::Options>();
    }
}
