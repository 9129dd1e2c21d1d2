use std::collections::BTreeMap;

/// The variables of a `.env` file: lines `KEY=VALUE`, `export` before them allowed, `#` starts a remark.
///
/// A value may stand in single quotes, where nothing is special, or in double quotes, where `\n`, `\"`, `\\` and
/// `\$` are. Nothing is expanded. A line that is no assignment is skipped. The caller adds these to the environment
/// without replacing what is there.
pub fn parse_dotenv(text: &str) -> BTreeMap<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().filter_map(assignment).collect()
}

fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let legal = !key.is_empty() && !key.contains(char::is_whitespace);
    legal.then(|| (key.to_owned(), unquoted(value.trim())))
}

fn unquoted(value: &str) -> String {
    if let Some((inner, _)) = value.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
        return inner.to_owned();
    }
    if let Some(rest) = value.strip_prefix('"') {
        return unescaped(rest);
    }
    if value.starts_with('#') {
        return String::new();
    }
    value.split(" #").next().unwrap_or(value).trim_end().to_owned()
}

/// The text up to the closing quote.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_the_rest_is_skipped() {
        let text = "# remark\n\nA=1\nexport B = two words # remark\nC='it \"is\" #1'\n\
                    D=\"a\\nb \\\"c\\\"\"\nnonsense\n=x\nE=\nF=http://x/#y\nG= #z\n";
        let vars = parse_dotenv(text);
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "it \"is\" #1"),
            ("D", "a\nb \"c\""),
            ("E", ""),
            ("F", "http://x/#y"),
            ("G", ""),
        ];
        assert_eq!(vars.len(), expected.len());
        for (key, value) in expected {
            assert_eq!(vars.get(key).map(String::as_str), Some(value), "{key}");
        }
    }

    #[test]
    fn unclosed_quotes_end_with_the_line() {
        assert_eq!(parse_dotenv("A=\"b\\").get("A").unwrap(), "b\\");
        assert_eq!(parse_dotenv("A='b").get("A").unwrap(), "'b");
    }
}
