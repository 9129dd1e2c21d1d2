//! The Autobahn cases against the frame layer's echo server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::count::count;
use crate::shell::{self, Stopwatch, Tree};
use crate::tally::Tally;

const RUNNER: &str = "../shared/tools/autobahn/run.sh";
/// Cases that one way of running the echo server must pass.
struct Round {
    echo: &'static [&'static str],
    cases: &'static [&'static str],
    passed: u64,
}

const ROUNDS: [Round; 2] = [
    Round {
        echo: &[],
        cases: &["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"],
        passed: 301,
    },
    // Of the thousand messages of each of these cases, the first twenty find what there is to find.
    Round {
        echo: &["--deflate"],
        cases: &["12.*", "13.*", "--require-deflate", "--count", "20"],
        passed: 216,
    },
];
const START_LIMIT: Duration = Duration::from_secs(20);

/// A child that does not outlive this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs the cases when the runner lies beside the checkout; counts nothing when it does not.
pub(crate) fn run(tree: &Tree) -> Result<Tally> {
    let runner = tree.path(RUNNER);
    if !runner.is_file() {
        println!("not run: the runner is not at {RUNNER}");
        return Ok(Tally::default());
    }
    // With everything named that `cargo test` has compiled: alone it would get other features, and all be built again.
    shell::run(&mut tree.cargo("build --workspace --tests --example ws_echo"))?;
    let mut sum = Tally::default();
    for round in &ROUNDS {
        sum += run_round(tree, &runner, round)?;
    }
    Ok(sum)
}

fn run_round(tree: &Tree, runner: &Path, round: &Round) -> Result<Tally> {
    let port = free_port()?;
    let mut echo = Command::new(tree.target()?.join("debug/examples/ws_echo"));
    echo.args(["--port", &port.to_string()]).args(round.echo).stdin(Stdio::null());
    let mut server = Killed(echo.spawn().context("starting ws_echo")?);
    await_port(&mut server, port)?;
    let mut cases = Command::new(runner);
    cases
        .arg(format!("ws://127.0.0.1:{port}/"))
        .args(round.cases)
        .env("AUTOBAHN_WORK", tree.path("target/autobahn"));
    let mut tally = count(&mut cases)?;
    if tally.passed != round.passed && tally.failed == 0 {
        println!("{tally}, instead of {} passed: a case was not run", round.passed);
        tally += Tally::of(false);
    }
    Ok(tally)
}

fn await_port(server: &mut Killed, port: u16) -> Result<()> {
    let watch = Stopwatch::start();
    while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
        ensure!(server.0.try_wait()?.is_none(), "ws_echo ended");
        ensure!(watch.elapsed() < START_LIMIT, "ws_echo does not listen on port {port}");
        thread::sleep(Duration::from_millis(25));
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
