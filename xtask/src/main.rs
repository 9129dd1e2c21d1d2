//! Every developer task, as `cargo xtask TASK`. The README names the two that matter: `setup` and `test`.

#![expect(clippy::print_stdout, reason = "a task tells the person at the terminal what it does")]
#![forbid(unsafe_code)]

mod autobahn;
mod bench;
mod cargo_test;
mod check;
mod count;
mod debian13;
mod drill;
mod fuzz;
mod hygiene;
mod layers;
mod needs;
mod setup;
mod shell;
mod suite;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::shell::Tree;

const USAGE: &str = "\
cargo xtask setup                      install what the tests need
cargo xtask check                      formatting, lints, layer rule, documentation, tidiness
cargo xtask test [--fast]              every test; --fast leaves out the frame suite and fuzzing
cargo xtask fuzz [TARGET] [--for 60s]  feed random input to one target, or to all
cargo xtask drill NAME [--cycles 100]  an outage again and again: sentinel, frozen; or matrix, all there is
cargo xtask bench MEASUREMENT [..]     fanout, delta, deflate, idle, connect, redis, .. or all";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let tree = Tree::find()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["setup"] => setup::run(&tree)?,
        ["check"] => check::run(&tree)?,
        ["test"] => return suite::run(&tree, suite::Extent::Whole),
        ["test", "--fast"] => return suite::run(&tree, suite::Extent::Fast),
        ["fuzz", options @ ..] => fuzz::run(&tree, options)?,
        ["drill", name, options @ ..] => drill::run(&tree, name, options)?,
        ["bench", measurement, options @ ..] => bench::run(&tree, measurement, options)?,
        _ => bail!("no such task\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
