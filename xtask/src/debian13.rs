//! Newer servers than an older Debian has: Redis 8 and Valkey 8 of Debian 13, in a folder below `target`.
//!
//! Nothing of the system changes: apt works with lists and a cache of its own there, packages are unpacked and not
//! installed, and the programs run with the C library that came with them.

use anyhow::{Result, ensure};

use crate::shell::{self, Tree};

/// Where they are. `flywheel-testkit` looks for them there.
const FOLDER: &str = "target/debian-13";

const SCRIPT: &str = r#"set -eu
into=$1
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keyring ] || { echo "$keyring is missing: apt-get install --yes debian-archive-keyring"; exit 1; }
rm -rf "$into"
mkdir -p "$into/apt/lists/partial" "$into/apt/archives/partial" "$into/bin" "$into/packages"
: > "$into/apt/status"
echo "deb [signed-by=$keyring] http://deb.debian.org/debian trixie main" > "$into/apt/sources.list"
apt() {
  apt-get --quiet --quiet -o APT::Sandbox::User= -o Acquire::Languages=none \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Dir::Etc::sourcelist="$into/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State="$into/apt" -o Dir::State::status="$into/apt/status" -o Dir::Cache="$into/apt" "$@"
}
apt update
cd "$into/packages"
apt download redis-tools valkey-tools libc6 libatomic1 liblzf1 libjemalloc2 libstdc++6 libsystemd0 libssl3t64 \
  libgcc-s1 libcap2 zlib1g libzstd1
for package in *.deb; do dpkg-deb --extract "$package" "$into"; done
for name in redis valkey; do
  cat > "$into/bin/$name-server" <<END
#!/bin/sh
here=\${0%/*}/..
lib=\$(echo "\$here"/usr/lib/*-linux-gnu)
exec "\$lib"/ld-linux-*.so.* --argv0 $name-server --library-path "\$lib" "\$here/usr/bin/$name-check-rdb" "\$@"
END
  chmod 755 "$into/bin/$name-server"
done
rm -rf "$into/apt" "$into/packages"
"#;

/// Whether both run.
pub(crate) fn is_there(tree: &Tree) -> bool {
    ["redis-server", "valkey-server"].iter().all(|name| {
        let program = tree.path(FOLDER).join("bin").join(name);
        shell::works(&program.to_string_lossy(), &["--version"])
    })
}

/// Fetches them.
pub(crate) fn install(tree: &Tree) -> Result<()> {
    let mut command = tree.command("sh", "-c");
    shell::run(command.arg(SCRIPT).arg("sh").arg(tree.path(FOLDER)))?;
    ensure!(is_there(tree), "the servers in {FOLDER} do not run");
    Ok(())
}
