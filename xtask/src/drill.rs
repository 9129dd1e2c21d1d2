//! `drill`: what may fail, failing, with the stated times as limits.

use anyhow::{Result, bail};

use crate::shell::{self, Tree};

/// What can be drilled.
struct Drill {
    name: &'static str,
    /// Tests that it consists of: package, file, and what their names contain.
    tests: &'static [(&'static str, &'static str, &'static str)],
    /// How many faults take turns; `None` has each of its faults once and knows no cycles.
    faults: Option<u32>,
}

const DRILLS: &[Drill] = &[
    Drill { name: "sentinel", tests: &[("flywheel", "outage_sentinel", "")], faults: Some(5) },
    Drill { name: "frozen", tests: &[("flywheel", "outage_frozen", "")], faults: Some(1) },
    Drill {
        name: "matrix",
        tests: &[
            ("flywheel-redis", "topology", ""),
            ("flywheel-redis", "shapes", ""),
            ("flywheel-redis", "services", "after_a_crash_"),
            ("flywheel-redis", "services", "a_swallowed_"),
            ("flywheel-transport", "overflow", ""),
            ("flywheel", "outage_frozen", "z1_"),
            ("flywheel", "redis", "m1_"),
            ("flywheel", "doctor", ""),
        ],
        faults: None,
    },
];

/// Cycles of a drill that is not told how many.
const CYCLES: u32 = 100;

/// Runs the drill `name` against the release build; `--cycles N` says how often each of its faults happens.
pub(crate) fn run(tree: &Tree, name: &str, options: &[&str]) -> Result<()> {
    let Some(drill) = DRILLS.iter().find(|known| known.name == name) else {
        let known: Vec<_> = DRILLS.iter().map(|known| known.name).collect();
        bail!("no drill {name}; there are: {}", known.join(", "));
    };
    let cycles = drill.cycles(options)?;
    let mut failed = Vec::new();
    for (package, test, names) in drill.tests {
        let mut cargo = tree.cargo("test --release --package");
        cargo.args([package, "--test", test, "--", names, "--nocapture", "--test-threads=1"]);
        cargo.env("FLYWHEEL_DRILL_STRICT", "1");
        if let Some(cycles) = cycles {
            cargo.env("FLYWHEEL_DRILL_CYCLES", cycles.to_string());
        }
        if let Err(error) = shell::run(&mut cargo) {
            println!("drill: {package} {test}: {error:#}");
            failed.push(*test);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("these did not keep to it: {}", failed.join(", ")) }
}

impl Drill {
    /// Faults that there are to be.
    fn cycles(&self, options: &[&str]) -> Result<Option<u32>> {
        let cycles = match options {
            [] => CYCLES,
            ["--cycles", _] if self.faults.is_none() => bail!("{} has each of its faults once", self.name),
            ["--cycles", count] => count.parse()?,
            _ => bail!("a drill takes --cycles N and nothing else"),
        };
        Ok(self.faults.map(|faults| cycles.saturating_mul(faults)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(name: &str, options: &[&str]) -> Result<Option<u32>> {
        DRILLS.iter().find(|drill| drill.name == name).unwrap().cycles(options)
    }

    #[test]
    fn cycles_are_a_number_or_the_default_for_each_of_the_faults() {
        assert_eq!(cycles("sentinel", &[]).unwrap(), Some(5 * CYCLES));
        assert_eq!(cycles("frozen", &["--cycles", "5"]).unwrap(), Some(5));
        assert!(cycles("frozen", &["--cycles", "many"]).is_err());
        assert!(cycles("frozen", &["--cycels", "5"]).is_err());
    }

    #[test]
    fn what_has_no_cycles_takes_none() {
        assert_eq!(cycles("matrix", &[]).unwrap(), None);
        assert!(cycles("matrix", &["--cycles", "5"]).is_err());
    }
}
