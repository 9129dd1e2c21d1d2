//! What the tests need beside cargo: how to tell that it is there, and how to get it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::debian13;
use crate::shell::{self, Tree};

/// Folder with the JavaScript SDK that the tests drive.
const JS: &str = "crates/flywheel-testkit/sdk/js";
/// Packages of the Python SDK that the tests drive.
const PYTHON_REQUIREMENTS: &str = "crates/flywheel-testkit/sdk/python/requirements.txt";
/// Virtual environment in which they are installed.
const VENV: &str = "target/sdk-venv";

/// One thing that must be there.
pub(crate) struct Need {
    /// Its name, for people.
    pub(crate) name: &'static str,
    /// Whether it is there, in the version that is wanted.
    pub(crate) is_met: fn(&Tree) -> Result<bool>,
    /// Puts it there.
    pub(crate) install: fn(&Tree) -> Result<()>,
}

/// Everything, in the order in which it is installed.
pub(crate) const NEEDS: &[Need] = &[
    Need {
        name: "a C++ compiler, for the fuzzer",
        is_met: |_| Ok(shell::works("c++", &["--version"])),
        install: |tree| apt(tree, "g++"),
    },
    Need {
        name: "Node.js, for the JavaScript SDK",
        is_met: |_| Ok(shell::works("node", &["--version"]) && shell::works("npm", &["--version"])),
        install: |tree| apt(tree, "nodejs npm"),
    },
    Need {
        name: "Python with virtual environments, for the Python SDK",
        is_met: |_| Ok(shell::works("python3", &["-c", "import venv, ensurepip"])),
        install: |tree| apt(tree, "python3 python3-venv"),
    },
    Need {
        name: "Chromium, for the browser tests",
        is_met: |_| Ok(shell::works("chromium", &["--version"])),
        install: |tree| apt(tree, "chromium"),
    },
    Need {
        name: "Redis and Redis Sentinel, for the engine's tests",
        is_met: |_| {
            Ok(shell::works("redis-server", &["--version"]) && shell::works("redis-sentinel", &["--version"]))
        },
        install: |tree| apt_without_services(tree, "redis-server redis-sentinel"),
    },
    Need {
        name: "Redis 8 and Valkey 8 of Debian 13, for the engine's tests",
        is_met: |tree| Ok(debian13::is_there(tree)),
        install: debian13::install,
    },
    Need {
        name: "HAProxy, for the tests of readiness",
        is_met: |_| Ok(shell::works("haproxy", &["-v"]) || Path::new("/usr/sbin/haproxy").is_file()),
        install: |tree| apt_without_services(tree, "haproxy"),
    },
    Need {
        name: "OpenSSL, for the certificates of tests",
        is_met: |_| Ok(shell::works("openssl", &["version"])),
        install: |tree| apt(tree, "openssl"),
    },
    Need { name: "packages of the JavaScript SDK", is_met: has_js, install: install_js },
    Need { name: "packages of the Python SDK", is_met: has_python, install: install_python },
];

fn apt(tree: &Tree, packages: &str) -> Result<()> {
    let is_root = shell::output(&mut tree.command("id", "-u"))?.trim() == "0";
    let prefix = if is_root { "" } else { "sudo" };
    for arguments in
        ["apt-get update".to_owned(), format!("apt-get install --yes --no-install-recommends {packages}")]
    {
        let line = format!("{prefix} env DEBIAN_FRONTEND=noninteractive {arguments}");
        let (program, rest) = line.trim().split_once(' ').context("an apt command")?;
        shell::run(&mut tree.command(program, rest))?;
    }
    Ok(())
}

/// Installs packages whose services would start at once, and keeps them from it: tests start what they need themselves.
fn apt_without_services(tree: &Tree, packages: &str) -> Result<()> {
    const SCRIPT: &str = r#"set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap "rm -f $policy" EXIT
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends "$@""#;
    let is_root = shell::output(&mut tree.command("id", "-u"))?.trim() == "0";
    let mut command = if is_root { tree.command("sh", "-c") } else { tree.command("sudo", "sh -c") };
    shell::run(command.args([SCRIPT, "sh"]).args(packages.split_whitespace()))
}

/// npm writes its own lock file into the folder last; a copy of ours tells for which wishes that was.
fn js_stamp(tree: &Tree) -> Result<Option<Stamp>> {
    let folder = tree.path(JS);
    let wishes = ["package-lock.json", "package.json"].map(|name| folder.join(name));
    let Some(wishes) = wishes.into_iter().find(|file| file.is_file()) else { return Ok(None) };
    Stamp::new(&wishes, folder.join("node_modules/.flywheel-installed")).map(Some)
}

fn has_js(tree: &Tree) -> Result<bool> {
    Ok(js_stamp(tree)?.is_none_or(|stamp| stamp.is_current()))
}

fn install_js(tree: &Tree) -> Result<()> {
    let Some(stamp) = js_stamp(tree)? else { return Ok(()) };
    let has_lock = tree.path(JS).join("package-lock.json").is_file();
    let order = if has_lock { "ci" } else { "install" };
    let mut npm = tree.command("npm", &format!("{order} --no-audit --no-fund --loglevel=error"));
    shell::run(npm.current_dir(tree.path(JS)))?;
    stamp.write()
}

fn python_stamp(tree: &Tree) -> Result<Option<Stamp>> {
    let wishes = tree.path(PYTHON_REQUIREMENTS);
    if !wishes.is_file() {
        return Ok(None);
    }
    Stamp::new(&wishes, tree.path(VENV).join("flywheel-installed")).map(Some)
}

fn has_python(tree: &Tree) -> Result<bool> {
    let python = tree.path(VENV).join("bin/python");
    let runs = shell::works(&python.to_string_lossy(), &["--version"]);
    Ok(python_stamp(tree)?.is_none_or(|stamp| runs && stamp.is_current()))
}

fn install_python(tree: &Tree) -> Result<()> {
    let Some(stamp) = python_stamp(tree)? else { return Ok(()) };
    shell::run(&mut tree.command("python3", &format!("-m venv --clear {VENV}")))?;
    let install =
        format!("-m pip install --quiet --disable-pip-version-check --requirement {PYTHON_REQUIREMENTS}");
    shell::run(&mut tree.command(tree.path(VENV).join("bin/python"), &install))?;
    stamp.write()
}

/// Remembers for which wishes something was installed.
struct Stamp {
    wishes: String,
    file: PathBuf,
}

impl Stamp {
    fn new(wishes: &Path, file: PathBuf) -> Result<Self> {
        let wishes = fs::read_to_string(wishes).with_context(|| wishes.display().to_string())?;
        Ok(Self { wishes, file })
    }

    fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|installed| installed == self.wishes)
    }

    fn write(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.file, &self.wishes).with_context(|| self.file.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_current_until_the_wishes_change() {
        let folder = std::env::temp_dir().join(format!("flywheel-stamp-{}", std::process::id()));
        let (wishes, file) = (folder.join("wishes"), folder.join("deep/installed"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&wishes, "ws 8").unwrap();
        let stamp = Stamp::new(&wishes, file.clone()).unwrap();
        assert!(!stamp.is_current());
        stamp.write().unwrap();
        assert!(stamp.is_current());
        fs::write(&wishes, "ws 9").unwrap();
        assert!(!Stamp::new(&wishes, file).unwrap().is_current());
        fs::remove_dir_all(&folder).unwrap();
    }
}
