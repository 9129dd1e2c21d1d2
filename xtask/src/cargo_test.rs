//! What `cargo test` runs: as a whole, or in two parts, so that what only waits can run beside what computes.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::count::{Kept, count, count_kept};
use crate::shell::Tree;
use crate::tally::Tally;

/// Test targets that wait for failovers nearly all of their time.
const PATIENT: [&str; 5] = ["outage_sentinel", "outage_cluster", "shapes", "topology", "services"];
/// With all packages named, everything is compiled once for both parts: what features it has depends on who is asked for.
const COMMAND: &str = "test --workspace --no-fail-fast";

/// Runs everything.
pub(crate) fn all(tree: &Tree) -> Result<Tally> {
    count(&mut tree.cargo(COMMAND))
}

/// Runs everything but the patient tests.
pub(crate) fn brisk(tree: &Tree) -> Result<Tally> {
    let brisk = brisk_targets(&tree.metadata()?)?;
    let mut sum = count(&mut tree.cargo(&format!("{COMMAND} {}", brisk.join(" "))))?;
    sum += count(&mut tree.cargo(&format!("{COMMAND} --doc")))?;
    Ok(sum)
}

/// Runs the patient tests and keeps what they say.
pub(crate) fn patient(tree: &Tree) -> Result<Kept> {
    let patient = PATIENT.map(|name| format!("--test {name}"));
    count_kept(tree.cargo(&format!("{COMMAND} {}", patient.join(" "))))
}

/// What selects every target with tests, documentation aside, but the patient ones.
fn brisk_targets(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("packages in cargo metadata")?;
    let mut all = BTreeSet::new();
    for target in packages.iter().filter_map(|package| package["targets"].as_array()).flatten() {
        let name = target["name"].as_str().context("the name of a target")?;
        if target["test"] == true {
            all.insert(match target["kind"][0].as_str() {
                Some("lib") => "--lib".to_owned(),
                Some(kind @ ("bin" | "test" | "example" | "bench")) => format!("--{kind} {name}"),
                kind => anyhow::bail!("{name} has tests, and nobody knows how to select {kind:?}"),
            });
        }
    }
    for name in PATIENT {
        ensure!(all.remove(&format!("--test {name}")), "there is no test target {name} any more");
    }
    Ok(all.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn brisk_of(targets: &[(&str, &str, bool)]) -> Result<Vec<String>> {
        let patient = PATIENT.map(|name| ("test", name, true));
        let target = |(kind, name, test): &(&str, _, _)| json!({"kind": [kind], "name": name, "test": test});
        let targets: Vec<_> = targets.iter().chain(&patient).map(target).collect();
        brisk_targets(&json!({ "packages": [{ "targets": targets }] }))
    }

    #[test]
    fn whatever_has_tests_is_run_and_the_patient_ones_are_left_out() {
        let brisk = brisk_of(&[
            ("lib", "flywheel_hub", true),
            ("bin", "flywheel", true),
            ("test", "interleavings", true),
            ("test", "interleavings", true),
            ("bench", "fanout", true),
            ("example", "ws_echo", false),
            ("custom-build", "build-script-build", false),
        ]);
        let expected = ["--bench fanout", "--bin flywheel", "--lib", "--test interleavings"];
        assert_eq!(brisk.unwrap(), expected);
    }

    #[test]
    fn tests_that_cannot_be_selected_are_an_error() {
        let error = brisk_of(&[("cdylib", "hub", true)]).unwrap_err();
        assert!(error.to_string().contains("hub has tests"), "{error}");
    }

    #[test]
    fn a_patient_test_that_has_another_name_now_is_an_error() {
        let error = brisk_targets(&json!({"packages": []})).unwrap_err();
        assert!(error.to_string().contains("no test target outage_sentinel"), "{error}");
    }

    #[test]
    fn the_targets_of_this_workspace_can_be_told_apart() {
        let brisk = brisk_targets(&Tree::find().unwrap().metadata().unwrap()).unwrap();
        assert!(brisk.contains(&"--test outage_frozen".to_owned()), "{brisk:?}");
        assert!(!brisk.contains(&"--test shapes".to_owned()), "{brisk:?}");
    }
}
