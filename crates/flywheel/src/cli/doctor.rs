use clap::ArgMatches;
use flywheel_server::{ConfigSource, doctor};

use super::{Failed, Outcome, arguments, print};

/// `doctor`: prints what was found; how bad it is decides the exit code.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    // It sees what a server started here would see.
    let source = ConfigSource { dotenv: true, ..arguments::source(matches) };
    let report = doctor::examine(&source);
    if matches.get_flag("json") {
        print(&format!("{:#}\n", report.json()))?;
    } else {
        print(&report.text())?;
    }
    match report.exit_code() {
        0 => Ok(()),
        code => Err(Failed { message: String::new(), code }),
    }
}
