//! What the sources of a pure crate must not take from the standard library, which no manifest shows.

use std::path::Path;

use anyhow::Result;

use crate::hygiene;

const BANNED: &[(&str, &str)] = &[
    ("std::fs", "files"),
    ("std::net", "sockets"),
    ("std::env", "the environment"),
    ("std::thread", "threads"),
    ("std::process", "processes"),
    ("std::io::stdin", "input"),
    ("Instant::now", "a clock"),
    ("SystemTime::now", "a clock"),
];

/// What makes an import of `std::net` more than an import of addresses, which are plain values.
const SOCKETS: &[&str] = &["Tcp", "Udp", "ToSocketAddrs", "self", "*"];

/// Each banned name in the sources below `folder`, tests left out.
pub(super) fn breaches(name: &str, folder: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in hygiene::files(folder, &["rs"])? {
        let inner = file.strip_prefix(folder)?.with_extension("");
        if inner.iter().any(|part| part == "tests") {
            continue;
        }
        for (line, brings) in banned_lines(&hygiene::read(&file)?) {
            breaches.push(format!("{name} is pure but takes {brings}: {}:{line}", file.display()));
        }
    }
    Ok(breaches)
}

/// Numbers of the lines that use what is banned, with what that is. Stops at a module of tests.
fn banned_lines(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let follows = lines.peek().map_or("", |next| next.1);
        if line == "#[cfg(test)]" && follows.starts_with("mod ") && follows.ends_with('{') {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        found.extend(
            BANNED
                .iter()
                .filter(|(banned, _)| mentions(code, banned))
                .map(|(_, brings)| (number + 1, *brings)),
        );
    }
    found
}

/// Whether `code` has `path`, or imports it as part of a group such as `std::{fs, io}`.
fn mentions(code: &str, path: &str) -> bool {
    let group = path.strip_prefix("std::").zip(code.strip_prefix("use std::{"));
    let only_an_address =
        path == "std::net" && code.contains("Addr") && !SOCKETS.iter().any(|it| code.contains(it));
    code.contains(path) && !only_an_address
        || group.is_some_and(|(module, rest)| rest.split([',', '}', ' ', ':']).any(|word| word == module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_the_world_from_the_standard_library_is_refused() {
        for (line, brings) in [
            ("use std::fs::File;", "files"),
            ("    let now = std::time::Instant::now();", "a clock"),
            ("let home = std::env::var(\"HOME\");", "the environment"),
            ("use std::{collections::BTreeMap, thread};", "threads"),
            ("use std::net::{IpAddr, TcpStream};", "sockets"),
            ("use std::net;", "sockets"),
        ] {
            assert_eq!(banned_lines(&format!("//! Text.\n\n{line}\n")), [(3, brings)], "{line}");
        }
    }

    #[test]
    fn comments_tests_and_like_names_are_fine() {
        let text = "// as std::fs would\nuse std::fmt;\nuse std::{fmt, collections};\nuse std::net::{IpAddr, SocketAddr};\n\
                    #[cfg(test)]\nmod tests {\n    use std::thread;\n}\n";
        assert_eq!(banned_lines(text), []);
    }

    #[test]
    fn a_single_item_for_tests_does_not_hide_what_follows() {
        assert_eq!(banned_lines("#[cfg(test)]\nuse x;\nuse std::fs;\n"), [(3, "files")]);
    }
}
