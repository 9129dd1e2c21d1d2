//! From the text of a file to a tree, whatever its format.

use serde_json::{Map, Value};

use crate::report::ConfigError;

/// The language of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 8259, without comments.
    Json,
    /// YAML 1.2; `yes` and `on` are text.
    Yaml,
    /// TOML 1.1.
    Toml,
}

impl Format {
    /// The format that a file's extension names, in lower case only, as in the reference; `None` for others.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// A configuration file that the caller has read.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// What to call it in messages.
    pub name: &'a str,
    /// Its content.
    pub text: &'a str,
    /// How to read it.
    pub format: Format,
}

impl File<'_> {
    /// The file's top-level section.
    pub(crate) fn tree(&self) -> Result<Map<String, Value>, ConfigError> {
        let tree = match self.format {
            Format::Json => self.json(),
            Format::Yaml => self.yaml(),
            Format::Toml => self.toml(),
        }?;
        match tree {
            Value::Object(top) => Ok(top),
            Value::Null if self.format == Format::Yaml => Ok(Map::new()),
            _ => Err(self.broken(1, 1, "the top level must be a section, that is, keys with values")),
        }
    }

    fn json(&self) -> Result<Value, ConfigError> {
        if self.text.starts_with('\u{feff}') {
            return Err(self.broken(1, 1, "the file starts with a byte order mark; save it without one"));
        }
        if self.text.trim().is_empty() {
            return Err(self.broken(1, 1, "the file is empty; write at least {}"));
        }
        serde_json::from_str(self.text).map_err(|error| {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            self.broken(error.line(), error.column(), reason)
        })
    }

    fn yaml(&self) -> Result<Value, ConfigError> {
        let options = serde_saphyr::options! {
            with_snippet: false,
            strict_booleans: true,
            // Integer keys read both as the reference does, and text keys keep what was written.
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        serde_saphyr::from_str_with_options(self.text, options).map_err(|error| {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            let location = error.location();
            let place = |part: Option<u64>| part.and_then(|part| usize::try_from(part).ok()).unwrap_or(1);
            let line = place(location.map(|at| at.line()));
            self.broken(line, place(location.map(|at| at.column())), reason)
        })
    }

    fn toml(&self) -> Result<Value, ConfigError> {
        let table: toml::Table = toml::from_str(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = self.text.get(..at).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            self.broken(line, column, error.message())
        })?;
        Ok(from_toml(toml::Value::Table(table)))
    }

    fn broken(&self, line: usize, column: usize, reason: &str) -> ConfigError {
        ConfigError::Syntax { file: self.name.to_owned(), line, column, reason: reason.to_owned() }
    }
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, from_toml(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax_error(format: Format, text: &str) -> String {
        File { name: "conf", text, format }.tree().unwrap_err().to_string()
    }

    #[test]
    fn a_broken_file_is_pointed_at() {
        assert_eq!(syntax_error(Format::Json, "{\n  \"a\": 1,\n}"), "conf:3:1: trailing comma");
        assert!(syntax_error(Format::Json, "{ // hi\n}").starts_with("conf:1:3: "));
        assert!(syntax_error(Format::Yaml, "a: 1\nb: {c: 1\n").starts_with("conf:2:4: "));
        assert!(syntax_error(Format::Yaml, "a: 1\na: 2\n").starts_with("conf:2:1: duplicate"));
        assert!(syntax_error(Format::Toml, "a = 1\nb = \n").starts_with("conf:2:"));
    }

    #[test]
    fn json_must_be_an_object_without_a_byte_order_mark() {
        assert!(syntax_error(Format::Json, "").contains("empty"));
        assert!(syntax_error(Format::Json, " \n").contains("empty"));
        assert!(syntax_error(Format::Json, "\u{feff}{}").contains("byte order mark"));
        assert!(syntax_error(Format::Json, "[]").contains("top level"));
        assert!(syntax_error(Format::Json, "null").contains("top level"));
    }

    #[test]
    fn an_empty_yaml_or_toml_file_sets_nothing() {
        for (format, text) in [(Format::Yaml, ""), (Format::Yaml, "# only a remark\n"), (Format::Toml, "")] {
            assert!(File { name: "conf", text, format }.tree().unwrap().is_empty());
        }
        assert!(syntax_error(Format::Yaml, "- 1").contains("top level"));
    }

    #[test]
    fn words_and_digits_of_yaml_are_not_guessed_at() {
        let text = "a: yes\nb: 0123\nc: 1_000\nd: 12\ne: true\n";
        let tree = File { name: "conf", text, format: Format::Yaml }.tree().unwrap();
        assert_eq!(tree["a"], "yes");
        assert_eq!(tree["b"], "0123");
        assert_eq!(tree["c"], "1_000");
        assert_eq!(tree["d"], 12);
        assert_eq!(tree["e"], true);
    }

    #[test]
    fn the_extension_names_the_format() {
        assert_eq!(Format::of("config.yml"), Some(Format::Yaml));
        assert_eq!(Format::of("a.b/config.toml"), Some(Format::Toml));
        assert_eq!(Format::of("config.JSON"), None);
        assert_eq!(Format::of("config"), None);
    }
}
