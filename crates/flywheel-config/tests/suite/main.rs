//! What a caller sees of the configuration: sources in, configuration, errors and warnings out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod errors;
mod large;
mod old_keys;
mod redis;
mod reference;
mod reload;
mod robustness;
mod rules;
mod sources;
mod typed;
mod unsupported;

use std::collections::BTreeMap;

use flywheel_config::{ConfigError, File, Format, LoadOptions, Loaded, Sources, load};

/// Sources that live as long as a test.
#[derive(Default)]
struct Given {
    file: Option<(&'static str, String)>,
    env: BTreeMap<String, String>,
    flags: Vec<(String, String)>,
    lenient: bool,
}

impl Given {
    fn yaml(text: &str) -> Self {
        Self { file: Some(("config.yaml", text.to_owned())), ..Self::default() }
    }

    fn json(text: &str) -> Self {
        Self { file: Some(("config.json", text.to_owned())), ..Self::default() }
    }

    fn toml(text: &str) -> Self {
        Self { file: Some(("config.toml", text.to_owned())), ..Self::default() }
    }

    fn env(mut self, name: &str, text: &str) -> Self {
        self.env.insert(name.to_owned(), text.to_owned());
        self
    }

    fn flag(mut self, key: &str, text: &str) -> Self {
        self.flags.push((key.to_owned(), text.to_owned()));
        self
    }

    fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    fn load(&self) -> Result<Loaded, Vec<ConfigError>> {
        let file = self.file.as_ref().map(|(name, text)| {
            let format = Format::of(name).unwrap();
            File { name, text, format }
        });
        let sources = Sources { file, env: Some(&self.env), flags: &self.flags };
        load(&sources, LoadOptions { lenient: self.lenient })
    }

    #[track_caller]
    fn loaded(&self) -> Loaded {
        match self.load() {
            Ok(loaded) => loaded,
            Err(errors) => panic!("{}", lines(&errors)),
        }
    }

    /// The value of a key, when the sources load without a word.
    #[track_caller]
    fn value(&self, key: &str) -> serde_json::Value {
        let loaded = self.loaded();
        assert_eq!(lines(&loaded.warnings), "");
        loaded.config.get(key).unwrap().clone()
    }

    /// The value of a key, whatever is warned about.
    #[track_caller]
    fn value_warned(&self, key: &str) -> serde_json::Value {
        self.loaded().config.get(key).unwrap().clone()
    }

    #[track_caller]
    fn warnings(&self) -> String {
        lines(&self.loaded().warnings)
    }

    #[track_caller]
    fn errors(&self) -> String {
        lines(&self.load().expect_err("these sources should be refused"))
    }
}

fn lines<T: ToString>(messages: &[T]) -> String {
    messages.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
