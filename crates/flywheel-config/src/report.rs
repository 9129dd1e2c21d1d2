//! What is wrong with a configuration, and what is merely worth saying.

use std::fmt;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file of that name.
    File(String),
    /// The environment variable of that name.
    Variable(String),
    /// The command-line flag of that key.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(key) => write!(f, "flag --{key}"),
        }
    }
}

/// Why a configuration cannot be used. Items of a list are named after their `name`: `proxies[auth].timeout`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not what its extension promises.
    #[error("{file}:{line}:{column}: {reason}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What the parser stumbled over.
        reason: String,
    },
    /// No such key.
    #[error("{origin}: unknown key {key}{}", did_you_mean(.nearest))]
    UnknownKey {
        /// Where it was written.
        origin: Origin,
        /// The key as written.
        key: String,
        /// Keys that may have been meant, the likeliest first. For variables, names of variables.
        nearest: Vec<String>,
    },
    /// The value cannot be read as the key's type.
    #[error("{origin}: {key}: found {found}, expected {expected}")]
    WrongType {
        /// Where it was written.
        origin: Origin,
        /// The full key.
        key: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// The value, alone or together with others, makes no sense.
    #[error("{}{key}: {reason}", prefix(.origin.as_ref()))]
    Invalid {
        /// Where it was written; `None` for a default.
        origin: Option<Origin>,
        /// The full key.
        key: String,
        /// What is wrong and what to write.
        reason: String,
    },
}

impl ConfigError {
    /// The key in question; empty for a broken file.
    pub fn key(&self) -> &str {
        match self {
            Self::Syntax { .. } => "",
            Self::UnknownKey { key, .. } | Self::WrongType { key, .. } | Self::Invalid { key, .. } => key,
        }
    }
}

/// What an operator should know about a configuration that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// No such key; it has no effect.
    UnknownKey {
        /// Where it was written.
        origin: Origin,
        /// The key as written.
        key: String,
        /// Keys that may have been meant, the likeliest first.
        nearest: Vec<String>,
    },
    /// The key was renamed since; its value is used.
    Renamed {
        /// Where it was written.
        origin: Origin,
        /// The name as written.
        old: String,
        /// The name since version 6; several are separated by commas.
        new: String,
    },
    /// The key was renamed since, and the new name is set too: that one counts.
    Shadowed {
        /// Where it was written.
        origin: Origin,
        /// The name as written.
        old: String,
        /// The name since version 6.
        new: String,
    },
    /// The key of an old version has no effect any more.
    Removed {
        /// Where it was written.
        origin: Origin,
        /// The name as written.
        old: String,
        /// What to do instead.
        advice: String,
    },
    /// A key or a whole section that this version does not support yet; it has no effect.
    NotSupported {
        /// Where it was written; of a section, where its first key was.
        origin: Option<Origin>,
        /// The key, or the section.
        key: String,
        /// The keys set in that section, or the value that is not supported; empty for a single key.
        detail: String,
    },
    /// A key of the commercial edition of the reference; it has no effect.
    Commercial {
        /// Where it was written.
        origin: Origin,
        /// The key.
        key: String,
    },
    /// The value is used, but may not mean what was meant.
    Remark {
        /// Where it was written.
        origin: Option<Origin>,
        /// The key.
        key: String,
        /// What to look at.
        text: String,
    },
}

impl Warning {
    /// The key in question, as it was written.
    pub fn key(&self) -> &str {
        match self {
            Self::UnknownKey { key, .. }
            | Self::NotSupported { key, .. }
            | Self::Commercial { key, .. }
            | Self::Remark { key, .. } => key,
            Self::Renamed { old, .. } | Self::Shadowed { old, .. } | Self::Removed { old, .. } => old,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { origin, key, nearest } => {
                write!(f, "{origin}: unknown key {key} has no effect{}", did_you_mean(nearest))
            }
            Self::Renamed { origin, old, new } => write!(f, "{origin}: {old} is an old name, write {new}"),
            Self::Shadowed { origin, old, new } => {
                write!(f, "{origin}: {old} is an old name of {new}, which is set too and counts")
            }
            Self::Removed { origin, old, advice } => write!(f, "{origin}: {old} has no effect: {advice}"),
            Self::NotSupported { origin, key, detail } => {
                write!(f, "{}{key} is not supported yet and has no effect", prefix(origin.as_ref()))?;
                if detail.is_empty() { Ok(()) } else { write!(f, " ({detail})") }
            }
            Self::Commercial { origin, key } => {
                write!(f, "{origin}: {key} belongs to Centrifugo PRO and has no effect")
            }
            Self::Remark { origin, key, text } => write!(f, "{}{key}: {text}", prefix(origin.as_ref())),
        }
    }
}

/// Errors and warnings while they are being gathered.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) warnings: Vec<Warning>,
}

fn prefix(origin: Option<&Origin>) -> String {
    origin.map_or_else(String::new, |origin| format!("{origin}: "))
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!(", did you mean {one}?"),
        [first, others @ ..] => format!(", did you mean {first} or {}?", others.join(" or ")),
    }
}
