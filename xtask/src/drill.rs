//! `drill`: one of the outages, again and again, with the stated times as limits.

use anyhow::{Result, bail};

use crate::shell::{self, Tree};

/// Names of drills, the tests they are, and how many faults these take turns with.
const DRILLS: &[(&str, &str, u32)] = &[("sentinel", "outage_sentinel", 5), ("frozen", "outage_frozen", 1)];

/// Cycles of a drill that is not told how many.
const CYCLES: u32 = 100;

/// Runs the drill `name` against the release build; `--cycles N` says how often each of its faults happens.
pub(crate) fn run(tree: &Tree, name: &str, options: &[&str]) -> Result<()> {
    let Some((_, test, faults)) = DRILLS.iter().find(|(known, ..)| *known == name) else {
        let known: Vec<_> = DRILLS.iter().map(|(known, ..)| *known).collect();
        bail!("no drill {name}; there are: {}", known.join(", "));
    };
    let mut cargo = tree.cargo("test --release --package flywheel --test");
    cargo.args([test, "--", "--nocapture", "--test-threads=1"]);
    let cycles = cycles(options)?.saturating_mul(*faults);
    cargo.env("FLYWHEEL_DRILL_CYCLES", cycles.to_string()).env("FLYWHEEL_DRILL_STRICT", "1");
    shell::run(&mut cargo)
}

fn cycles(options: &[&str]) -> Result<u32> {
    match options {
        [] => Ok(CYCLES),
        ["--cycles", count] => Ok(count.parse()?),
        _ => bail!("a drill takes --cycles N and nothing else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_a_number_or_the_default() {
        assert_eq!(cycles(&[]).unwrap(), CYCLES);
        assert_eq!(cycles(&["--cycles", "5"]).unwrap(), 5);
        assert!(cycles(&["--cycles", "many"]).is_err());
        assert!(cycles(&["--cycels", "5"]).is_err());
    }
}
