use std::collections::{BTreeMap, BTreeSet};

use crate::named_token;

/// What the names of a transcript stand for so far.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    values: BTreeMap<String, String>,
    /// Names that were text of the client first, and so mean themselves.
    plain: BTreeSet<String>,
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

impl Bindings {
    /// A line to send: names replaced by what they stand for, `@NAME` by the token.
    ///
    /// # Errors
    /// Names a token that does not exist.
    pub fn fill(&mut self, line: &str) -> Result<String, String> {
        let mut filled = String::new();
        for piece in pieces(line) {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Name(name) => {
                    if let Some(value) = self.values.get(name) {
                        filled.push_str(value);
                    } else {
                        self.plain.insert(name.to_owned());
                        filled.extend(["<", name, ">"]);
                    }
                }
            }
        }
        insert_tokens(&filled)
    }

    /// Compares a line with what came; a new name takes the text that stands in its place.
    ///
    /// Nothing is bound when the line does not match.
    pub fn matches(&mut self, expected: &str, got: &str) -> bool {
        let mut bound = self.values.clone();
        let mut rest = got;
        let mut in_string = false;
        for piece in pieces(expected) {
            let skipped = match piece {
                Piece::Text(text) => {
                    in_string = text.ends_with('"');
                    rest.strip_prefix(text)
                }
                Piece::Name(name) => {
                    let known = bound.get(name).cloned();
                    let plain = self.plain.contains(name).then(|| format!("<{name}>"));
                    if let Some(value) = known.or(plain) {
                        rest.strip_prefix(value.as_str())
                    } else {
                        let value = value_text(rest, in_string);
                        bound.insert(name.to_owned(), value.to_owned());
                        if value.is_empty() { None } else { rest.strip_prefix(value) }
                    }
                }
            };
            match skipped {
                Some(left) => rest = left,
                None => return false,
            }
        }
        if rest.is_empty() {
            self.values = bound;
        }
        rest.is_empty()
    }

    /// What a name stands for.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// The rest of the JSON string or number that `text` starts in.
fn value_text(text: &str, in_string: bool) -> &str {
    let mut escaped = false;
    let end = text.find(|next: char| {
        if !in_string {
            return matches!(next, ',' | '}' | ']');
        }
        let ends = next == '"' && !escaped;
        escaped = next == '\\' && !escaped;
        ends
    });
    &text[..end.unwrap_or(text.len())]
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('<') {
        let inside = &rest[start + 1..];
        let length = inside.find(|next: char| !(next.is_ascii_lowercase() || next.is_ascii_digit()));
        match length {
            Some(length) if length > 0 && inside[length..].starts_with('>') => {
                if start > 0 {
                    pieces.push(Piece::Text(&rest[..start]));
                }
                pieces.push(Piece::Name(&inside[..length]));
                rest = &inside[length + 1..];
            }
            _ => {
                pieces.push(Piece::Text(&rest[..=start]));
                rest = inside;
            }
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn insert_tokens(line: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('@') {
        filled.push_str(before);
        let length = after
            .find(|next: char| !(next.is_ascii_uppercase() || next.is_ascii_digit()))
            .unwrap_or(after.len());
        let name = &after[..length];
        filled.push_str(&named_token(name).ok_or_else(|| format!("there is no token @{name}"))?);
        rest = &after[length..];
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_the_text_inside_its_value_and_must_recur() {
        let mut bindings = Bindings::default();
        assert!(bindings.matches(r#"{"client":"<c1>","ttl":<t>}"#, r#"{"client":"a\"b","ttl":17}"#));
        assert_eq!((bindings.value("c1"), bindings.value("t")), (Some(r#"a\"b"#), Some("17")));
        assert!(bindings.matches(r#"{"by":"<c1>"}"#, r#"{"by":"a\"b"}"#));
        assert!(!bindings.matches(r#"{"by":"<c1>"}"#, r#"{"by":"other"}"#));
        assert_eq!(bindings.fill(r#"{"since":<t>}"#).unwrap(), r#"{"since":17}"#);
    }

    #[test]
    fn an_empty_text_or_one_with_more_behind_it_does_not_match() {
        let mut bindings = Bindings::default();
        assert!(!bindings.matches(r#"{"client":"<c1>"}"#, r#"{"client":""}"#));
        assert!(!bindings.matches(r#"{"client":"<c1>"}"#, r#"{"client":"x"} "#));
        assert!(!bindings.matches(r#"{"client":"<c1>"}"#, r#"{"client":"x","more":1}"#));
        assert_eq!(bindings.value("c1"), None);
    }

    #[test]
    fn a_name_that_the_client_used_first_is_ordinary_text() {
        let mut bindings = Bindings::default();
        assert_eq!(bindings.fill(r#"{"text":"hi <b>"}"#).unwrap(), r#"{"text":"hi <b>"}"#);
        assert!(bindings.matches(r#"{"text":"hi <b>"}"#, r#"{"text":"hi <b>"}"#));
        assert!(!bindings.matches(r#"{"text":"hi <b>"}"#, r#"{"text":"hi \u003cb\u003e"}"#));
    }

    #[test]
    fn tokens_are_signed_and_unknown_ones_are_refused() {
        let mut bindings = Bindings::default();
        let filled = bindings.fill(r#"{"token":"@T43"}"#).unwrap();
        assert!(filled.starts_with(r#"{"token":"eyJ"#) && filled.ends_with(r#""}"#));
        assert!(bindings.fill("@T").is_err());
    }
}
