use crate::algorithm::Algorithm;
use crate::settings::SettingsError;

/// A key that a token's signature is to be checked with, and where it is published.
///
/// Only the name comes from the token; the address comes from the settings, at most with values filled in that the
/// settings list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    url: String,
    kid: String,
    algorithm: Algorithm,
}

impl KeyRequest {
    /// The key named `kid`, for `algorithm`, out of the set at `url`.
    pub fn new(url: impl Into<String>, kid: impl Into<String>, algorithm: Algorithm) -> Self {
        Self { url: url.into(), kid: kid.into(), algorithm }
    }

    /// Where the key set is: `http:` or `https:`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the key, as the token has it: not trusted, of any length.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What the key is to be good for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// The configured address of a key set, with places for what the claims `iss` and `aud` say.
#[derive(Debug)]
pub(crate) struct KeySetUrl(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    /// What the group of this name matched.
    Group {
        name: String,
        values: Values,
    },
}

/// What may be filled in.
#[derive(Debug)]
enum Values {
    /// One of these: whatever the pattern matches, the address is one that the operator wrote down.
    Listed(Vec<String>),
    /// What cannot change which part of an address it is. The operator asked for it.
    Unlisted,
}

impl KeySetUrl {
    /// Source of the rules: configuration-v6, section 4. `patterns` are the regular expressions for `iss` and `aud`.
    pub(crate) fn new(url: &str, patterns: [Option<&str>; 2], unlisted: bool) -> Result<Self, SettingsError> {
        let problem = |problem: String| SettingsError::KeySetUrl { problem };
        let lower = url.to_ascii_lowercase();
        if !["http://", "https://"].iter().any(|scheme| lower.starts_with(scheme)) {
            return Err(problem("it begins with neither http:// nor https://".to_owned()));
        }
        let mut pieces = Vec::new();
        let mut rest = url;
        while let Some((text, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| problem("{{ without }}".to_owned()))?;
            let name = name.trim();
            let holders: Vec<&str> =
                patterns.iter().copied().flatten().filter(|pattern| group(pattern, name).is_some()).collect();
            if holders.is_empty() {
                return Err(problem(format!("{name:?} is no group of issuer_regex or audience_regex")));
            }
            let values = if unlisted {
                Values::Unlisted
            } else {
                let lists: Option<Vec<_>> = holders.iter().map(|pattern| listed(pattern, name)).collect();
                let lists =
                    lists.ok_or_else(|| problem(format!("group {name:?} does not list its values")))?;
                Values::Listed(lists.concat())
            };
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(Piece::Group { name: name.to_owned(), values });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// Whether it has places to fill.
    pub(crate) fn is_template(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Group { .. }))
    }

    /// The address for what the patterns matched; `None` if a place stays empty, may not hold what is there, or the
    /// two claims disagree about it.
    pub(crate) fn fill(&self, matched: [Option<&regex::Captures<'_>>; 2]) -> Option<String> {
        let mut url = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => url.push_str(text),
                Piece::Group { name, values } => {
                    let mut found = matched.iter().filter_map(|captures| captures.as_ref()?.name(name));
                    let value = found.next()?.as_str();
                    if found.any(|other| other.as_str() != value) || !values.allow(value) {
                        return None;
                    }
                    url.push_str(value);
                }
            }
        }
        Some(url)
    }
}

impl Values {
    fn allow(&self, value: &str) -> bool {
        match self {
            Self::Listed(values) => values.iter().any(|listed| listed == value),
            Self::Unlisted => {
                let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                !matches!(value, "" | "." | "..") && value.bytes().all(unreserved)
            }
        }
    }
}

/// The pattern behind the opening of the group `name`.
fn group<'a>(pattern: &'a str, name: &str) -> Option<&'a str> {
    let openings = [format!("(?P<{name}>"), format!("(?<{name}>")];
    openings.iter().find_map(|opening| pattern.split_once(opening.as_str())).map(|(_, inside)| inside)
}

/// The values of a group that is nothing but a list of them: `a|b|c`, with dots escaped.
fn listed(pattern: &str, name: &str) -> Option<Vec<String>> {
    let (list, _) = group(pattern, name)?.split_once(')')?;
    let values = list.split('|').map(|value| {
        let plain = value.replace("\\.", "");
        let is_plain = plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (is_plain && !value.is_empty()).then(|| value.replace("\\.", "."))
    });
    values.collect()
}

#[cfg(test)]
mod tests;
