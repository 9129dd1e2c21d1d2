use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::run;

/// The line that makes everything these checks need.
const SETUP: &str = "cargo xtask setup";

/// Named checks that a program outside of Rust has made, in their order.
#[derive(Clone, Debug)]
pub struct Checks(Vec<(String, bool)>);

impl Checks {
    /// Panics unless exactly these checks were made and all of them held.
    pub fn assert_all(&self, names: &[&str]) {
        let failed: Vec<_> = self.0.iter().filter(|(_, held)| !held).map(|(name, _)| name).collect();
        assert!(failed.is_empty(), "these checks failed: {failed:?}");
        let made: Vec<_> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(made, names, "other checks were made than the test expects");
    }
}

/// The root of the workspace.
pub fn workspace_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The first of these programs that is installed.
pub fn installed(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|program| program.exists())
}

/// A published SDK, and what runs scripts that use it.
#[derive(Clone, Debug)]
pub struct Sdk {
    program: PathBuf,
    folder: PathBuf,
    needs: PathBuf,
}

impl Sdk {
    /// The package `centrifuge` of npm.
    pub fn javascript() -> Self {
        let program = installed(&["node"])
            .unwrap_or_else(|| panic!("Node.js is missing: install version 20 or later, then run `{SETUP}`"));
        let folder = sdk_folder("js");
        let needs = folder.join("node_modules/eventsource/package.json");
        Self { program, folder, needs }
    }

    /// The package `centrifuge-python` of `PyPI`.
    pub fn python() -> Self {
        let program = workspace_folder().join("target/sdk-venv/bin/python");
        Self { needs: program.clone(), program, folder: sdk_folder("python") }
    }

    /// Runs a script of this SDK's folder with arguments of the form `name=value`; see [`run_checks`].
    pub fn run(&self, script: &str, arguments: &[String], within: Duration) -> Checks {
        let arguments: Vec<_> = std::iter::once(script).chain(arguments.iter().map(String::as_str)).collect();
        run_checks(&self.program, &arguments, &self.folder, &self.needs, within)
    }
}

/// The folder of the scripts for one SDK, `js` or `python`.
pub fn sdk_folder(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(language)
}

/// Runs a script whose last line of output is `{"checks":[["name",true],..]}` or `{"failure":"why"}`.
///
/// What it writes becomes output of the test. `needs` must exist, else the panic names the command that installs it:
/// a missing tool fails the test, it skips nothing.
#[expect(clippy::print_stdout, reason = "figures of a run belong to the output of its test")]
pub fn run_checks(
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    needs: &Path,
    within: Duration,
) -> Checks {
    assert!(needs.exists(), "{} is missing: run `{SETUP}`", needs.display());
    let done = run(program, arguments, folder, within);
    let last = done.stdout.lines().last().unwrap_or_default();
    let report: Value = serde_json::from_str(last).unwrap_or(Value::Null);
    let said = format!("exit {:?}\n{}\n{}", done.code, done.stdout, done.stderr);
    println!("{}", done.stdout);
    assert!(report["failure"].is_null(), "{}\n{said}", report["failure"]);
    let checks = report["checks"].as_array().unwrap_or_else(|| panic!("no report: {said}"));
    assert_eq!(done.code, Some(0), "{said}");
    Checks(
        checks
            .iter()
            .map(|check| {
                let name = check[0].as_str().unwrap_or_default().to_owned();
                (name, check[1].as_bool().unwrap_or(false))
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(script: &str) -> Checks {
        let here = Path::new("/");
        run_checks(Path::new("/bin/sh"), &["-c", script], here, here, Duration::from_secs(5))
    }

    #[test]
    fn checks_that_hold_pass() {
        report(r#"echo noise; echo '{"checks":[["a",true],["b",true]]}'"#).assert_all(&["a", "b"]);
    }

    #[test]
    #[should_panic(expected = "these checks failed: [\"b\"]")]
    fn a_check_that_fails_fails_the_test() {
        report(r#"echo '{"checks":[["a",true],["b",false]]}'"#).assert_all(&["a", "b"]);
    }

    #[test]
    #[should_panic(expected = "other checks were made")]
    fn a_check_that_was_not_made_fails_the_test() {
        report(r#"echo '{"checks":[["a",true]]}'"#).assert_all(&["a", "b"]);
    }

    #[test]
    #[should_panic(expected = "it broke")]
    fn a_script_that_gives_up_fails_the_test() {
        report(r#"echo '{"failure":"it broke"}'; exit 1"#);
    }

    #[test]
    #[should_panic(expected = "run `cargo xtask setup`")]
    fn a_missing_tool_fails_the_test_and_names_the_remedy() {
        run_checks(
            Path::new("/bin/true"),
            &[],
            Path::new("/"),
            Path::new("/no/such/folder"),
            Duration::from_secs(1),
        );
    }
}
