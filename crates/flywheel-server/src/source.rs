use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use flywheel_config::{ConfigError, File, Format, LoadOptions, Loaded, Sources, load, parse_dotenv};

/// Where the configuration comes from; read again by a reload.
#[derive(Debug, Clone, Default)]
pub struct ConfigSource {
    /// The file; one that does not exist is fine only if it was not asked for.
    pub file: Option<PathBuf>,
    /// Whether the file must exist.
    pub file_required: bool,
    /// A file's text that stands in for a file: its name, for messages, and what is in it.
    pub built_in: Option<(String, String)>,
    /// Flags, as key and text.
    pub flags: Vec<(String, String)>,
    /// Whether unknown keys are only warned about.
    pub lenient: bool,
    /// Whether a `.env` file in the working directory counts as environment.
    pub dotenv: bool,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadFailure {
    /// The file cannot be read or its name says nothing about its format.
    File(String),
    /// What is in it, or in the environment or flags, is wrong.
    Invalid(Vec<ConfigError>),
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(reason) => f.write_str(reason),
            Self::Invalid(errors) => {
                let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for LoadFailure {}

/// A file that has been read.
struct Text {
    name: String,
    content: String,
    format: Format,
}

impl ConfigSource {
    /// Reads and validates everything. The second value says that the default file was looked for and is not there.
    ///
    /// # Errors
    /// [`LoadFailure`], with everything that is wrong.
    pub fn load(&self) -> Result<(Loaded, bool), LoadFailure> {
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        if self.dotenv
            && let Ok(text) = std::fs::read_to_string(".env")
        {
            environment.extend(parse_dotenv(&text));
        }
        let set = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        environment.extend(set.map(|(name, value)| (name, value.to_string_lossy().into_owned())));
        let (text, missing) = self.text()?;
        let file =
            text.as_ref().map(|Text { name, content, format }| File { name, text: content, format: *format });
        let sources = Sources { file, env: Some(&environment), flags: &self.flags };
        let loaded = load(&sources, LoadOptions { lenient: self.lenient }).map_err(LoadFailure::Invalid)?;
        Ok((loaded, missing))
    }

    /// The file, and whether it is missing although it was looked for.
    fn text(&self) -> Result<(Option<Text>, bool), LoadFailure> {
        if let Some((name, text)) = &self.built_in {
            return Ok((
                Some(Text { name: name.clone(), content: text.clone(), format: Format::Json }),
                false,
            ));
        }
        let Some(path) = &self.file else {
            return Ok((None, false));
        };
        let name = path.display().to_string();
        let format = Format::of(&name).ok_or_else(|| {
            LoadFailure::File(format!(
                "{name}: the name of a configuration file ends in .json, .yaml, .yml or .toml"
            ))
        })?;
        match std::fs::read_to_string(path) {
            Ok(content) => Ok((Some(Text { name, content, format }), false)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.file_required => {
                Ok((None, true))
            }
            Err(error) => Err(LoadFailure::File(format!("{name}: {error}"))),
        }
    }
}
