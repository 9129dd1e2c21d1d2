//! The command line. Errors in the configuration exit with 2, everything else that fails with 1.

mod arguments;
mod doctor;
mod files;
mod serve;
mod tokens;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::ArgMatches;
use flywheel_server::LoadFailure;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A failed command: what to tell, unless it has been told, and the exit code.
struct Failed {
    message: String,
    code: u8,
}

type Outcome = Result<(), Failed>;

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self { message: format!("{error:#}"), code: 1 }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self { message: error.to_string(), code: 1 }
    }
}

impl From<LoadFailure> for Failed {
    fn from(failure: LoadFailure) -> Self {
        Self { message: failure.to_string(), code: 2 }
    }
}

pub(crate) fn run() -> ExitCode {
    let matches = arguments::command().get_matches();
    match dispatch(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { message, code }) => {
            if !message.is_empty() {
                // With nowhere to complain to, the exit code has to do.
                writeln!(stderr(), "flywheel: {message}").unwrap_or_default();
            }
            ExitCode::from(code)
        }
    }
}

fn dispatch(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        None => serve::run(matches),
        Some(("serve", matches)) => serve::run(matches),
        Some(("genconfig", matches)) => files::generate(matches),
        Some(("checkconfig", matches)) => files::check(matches),
        Some(("defaultconfig", matches)) => files::defaults(matches),
        Some(("doctor", matches)) => doctor::run(matches),
        Some(("gentoken", matches)) => tokens::generate(matches, None),
        Some(("gensubtoken", matches)) => tokens::generate(matches, matches.get_one::<String>("channel")),
        Some(("checktoken", matches)) => tokens::check(matches, tokens::Kind::Connection),
        Some(("checksubtoken", matches)) => tokens::check(matches, tokens::Kind::Subscription),
        Some(("version", _)) => print(&format!("flywheel {VERSION}\n")),
        Some((other, _)) => Err(Failed { message: format!("unknown command {other}"), code: 1 }),
    }
}

fn print(text: &str) -> Outcome {
    Ok(stdout().write_all(text.as_bytes())?)
}
