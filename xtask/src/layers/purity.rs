//! What a pure crate must not pull in, however deep.

use anyhow::{Context as _, Result};

/// Crates whose presence means that a crate could touch the world, each with what it would bring.
///
/// `rand_core` is not among them: it has the traits of generators and no generator, and libraries that can sign ask for
/// it where only signatures are checked.
const BANNED: &[(&str, &str)] = &[
    ("tokio", "a runtime, sockets and timers"),
    ("async-std", "a runtime, sockets and timers"),
    ("smol", "a runtime, sockets and timers"),
    ("async-io", "sockets and timers"),
    ("async-executor", "a runtime"),
    ("futures-executor", "a runtime"),
    ("mio", "sockets"),
    ("polling", "sockets"),
    ("socket2", "sockets"),
    ("hyper", "sockets and a runtime"),
    ("hyper-util", "sockets and a runtime"),
    ("reqwest", "sockets and a runtime"),
    ("ureq", "sockets"),
    ("tonic", "sockets and a runtime"),
    ("axum", "sockets and a runtime"),
    ("tungstenite", "sockets"),
    ("rustix", "system calls"),
    ("nix", "system calls"),
    ("io-uring", "system calls"),
    ("memmap2", "files"),
    ("tempfile", "files"),
    ("notify", "files"),
    ("signal-hook", "signals"),
    ("rand", "randomness"),
    ("getrandom", "randomness"),
    ("fastrand", "randomness"),
    ("ahash", "hashes that are seeded at random"),
    ("chrono", "a clock"),
    ("time", "a clock"),
    ("jiff", "a clock"),
    ("quanta", "a clock"),
    ("instant", "a clock"),
    ("web-time", "a clock"),
    ("parking_lot", "locks, where one thread owns everything"),
    ("dashmap", "locks, where one thread owns everything"),
    ("crossbeam-channel", "queues between threads"),
    ("flume", "queues between threads"),
    ("rayon", "threads"),
    ("num_cpus", "the environment"),
    ("hostname", "the environment"),
    ("tracing-subscriber", "output"),
    ("env_logger", "output"),
];

/// Each banned crate in `listing`, the output of `cargo tree --prefix depth` for the crate `name` alone, with
/// the way that leads to it.
pub(super) fn breaches(name: &str, listing: &str) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    let mut way: Vec<&str> = Vec::new();
    for line in listing.lines().filter(|line| !line.trim().is_empty()) {
        let digits = line.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(line.len());
        let depth: usize = line[..digits].parse().with_context(|| format!("depth in {line:?}"))?;
        let package = line[digits..].split(' ').next().unwrap_or_default();
        way.truncate(depth);
        way.push(package);
        if let Some((_, brings)) = BANNED.iter().find(|(banned, _)| *banned == package) {
            breaches.push(format!("{name} is pure but gets {brings}: {}", way.join(" > ")));
        }
    }
    anyhow::ensure!(way.first() == Some(&name), "cargo tree did not list {name}");
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str =
        "0flywheel-hub v0.1.0 (/x)\n1bytes v1.12.1\n1flywheel-session v0.1.0 (/y)\n2bytes v1.12.1\n";

    #[test]
    fn a_pure_crate_with_pure_dependencies_is_fine() {
        assert_eq!(breaches("flywheel-hub", CLEAN).unwrap(), [""; 0]);
    }

    #[test]
    fn a_pure_crate_that_gains_tokio_is_refused_with_the_way_to_it() {
        let listing =
            format!("{CLEAN}1uuid v1.29.1\n2helper v1.0.0\n3tokio v1.54.1 (*)\n2bytes v1.12.1 (*)\n");
        assert_eq!(
            breaches("flywheel-hub", &listing).unwrap(),
            ["flywheel-hub is pure but gets a runtime, sockets and timers: \
              flywheel-hub > uuid > helper > tokio"]
        );
    }

    #[test]
    fn a_name_that_only_begins_like_a_banned_one_is_fine() {
        assert_eq!(breaches("flywheel-hub", &format!("{CLEAN}1tokio-util v1.0.0\n")).unwrap(), [""; 0]);
    }

    #[test]
    fn a_listing_of_something_else_proves_nothing() {
        assert!(breaches("flywheel-hub", "0flywheel-model v0.1.0\n").is_err());
        assert!(breaches("flywheel-hub", "").is_err());
        assert!(breaches("flywheel-hub", "flywheel-hub v0.1.0").is_err());
    }
}
