//! Tidiness that no compiler checks: leftover markers, the map of the crates, sound lock files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::shell::{self, Tree};

/// Folders that hold what was built or fetched, or what is not ours.
const FOREIGN_FOLDERS: &[&str] = &["target", "node_modules", "artifacts", "corpus", "__pycache__"];
const TEXTS: &[&str] = &["rs", "md", "toml", "js", "mjs", "ts", "py", "sh", "html", "css", "proto"];
/// Written in halves, or this file would be the first to be found.
const MARKERS: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!(")];

/// Everything untidy in the checkout, in words.
pub(crate) fn findings(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files(&tree.path(""), TEXTS)? {
        for (line, marker) in leftover_markers(&read(&file)?) {
            findings.push(format!("{}:{line}: a leftover {marker}", file.display()));
        }
    }
    findings.extend(missing_from_map(tree)?);
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let listing = format!("metadata --format-version 1 --locked --manifest-path {manifest}");
        if let Err(error) = shell::output(&mut tree.cargo(&listing)) {
            findings.push(format!("the lock file beside {manifest}: {error:#}"));
        }
    }
    Ok(findings)
}

/// Files with one of `extensions` below `folder`, in order of their paths.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if !name.starts_with('.') && !FOREIGN_FOLDERS.contains(&name.as_ref()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|it| extension == *it)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The text of `file`.
pub(crate) fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// Markers that stand as words of their own, with the numbers of their lines.
fn leftover_markers(text: &str) -> Vec<(usize, &'static str)> {
    let in_word =
        |letter: Option<char>| letter.is_some_and(|it| it.is_alphanumeric() || it == '_' || it == '-');
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for marker in MARKERS {
            let stands_alone = line.match_indices(marker).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                let after = line[start + marker.len()..].chars().next();
                !in_word(before) && (marker.ends_with('(') || !in_word(after))
            });
            if stands_alone {
                found.push((number + 1, *marker));
            }
        }
    }
    found
}

/// Crates that `ARCHITECTURE.md` does not mention.
fn missing_from_map(tree: &Tree) -> Result<Vec<String>> {
    let Ok(map) = fs::read_to_string(tree.path("ARCHITECTURE.md")) else {
        return Ok(vec!["there is no ARCHITECTURE.md".to_owned()]);
    };
    let metadata = tree.metadata()?;
    let packages = metadata["packages"].as_array().context("packages in cargo metadata")?;
    let names = packages.iter().filter_map(|package| package["name"].as_str());
    Ok(names
        .filter(|name| !mentions(&map, name))
        .map(|name| format!("ARCHITECTURE.md does not mention {name}"))
        .collect())
}

/// Whether `map` names the crate, in code type, with or without the project's prefix.
fn mentions(map: &str, name: &str) -> bool {
    let short = name.strip_prefix("flywheel-").unwrap_or(name);
    [name, short]
        .iter()
        .any(|name| map.contains(&format!("`{name}`")) || map.contains(&format!("`crates/{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_stands_alone_is_found() {
        let text = format!("fine\n// {}: later\n    {}value);\n", MARKERS[0], MARKERS[3]);
        assert_eq!(leftover_markers(&text), [(2, MARKERS[0]), (3, MARKERS[3])]);
    }

    #[test]
    fn a_marker_inside_a_word_is_none() {
        let text =
            format!("A{}S, mkdtemp-{}X, {}_list, x{}1)", MARKERS[0], MARKERS[2], MARKERS[1], MARKERS[3]);
        assert_eq!(leftover_markers(&text), []);
    }

    #[test]
    fn a_crate_is_mentioned_in_code_type() {
        assert!(mentions("| `model` | nouns |", "flywheel-model"));
        assert!(mentions("see `flywheel-model`", "flywheel-model"));
        assert!(!mentions("the model", "flywheel-model"));
    }

    #[test]
    fn built_and_hidden_folders_are_not_searched() {
        let found = files(Path::new(env!("CARGO_MANIFEST_DIR")), &["rs"]).unwrap();
        assert!(found.iter().any(|file| file.ends_with("src/hygiene.rs")));
        assert!(found.iter().all(|file| !file.iter().any(|part| part == "target")));
    }
}
