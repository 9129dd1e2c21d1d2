use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A conversation between clients and a server; the notation is explained beside the files.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Its number, `A.09-1`.
    pub name: String,
    /// Its steps in order.
    pub lines: Vec<Line>,
}

/// One step and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The line in the file, from 1.
    pub number: usize,
    /// What happens.
    pub step: Step,
}

/// Something that one side does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// The client sends one WebSocket message.
    Client {
        /// Which connection, from 1.
        connection: usize,
        /// The message, its lines joined.
        text: String,
    },
    /// The server sends one message of the client protocol.
    Server {
        /// Which connection, from 1.
        connection: usize,
        /// The message with its placeholders.
        text: String,
    },
    /// The server closes.
    Close {
        /// Which connection, from 1.
        connection: usize,
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// A call of the server API.
    Api {
        /// The method, last part of the path.
        method: String,
        /// The body.
        body: String,
    },
    /// No connection receives anything for this long.
    Quiet(Duration),
}

impl Transcript {
    /// Reads the text of a transcript.
    ///
    /// # Errors
    /// Names the first line that is not in the notation.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut lines: Vec<Line> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let refuse = |why: &str| Err(format!("{name}:{number}: {why}: {line}"));
            let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
            if head == "C+" {
                let Some(Line { step: Step::Client { text, .. }, .. }) = lines.last_mut() else {
                    return refuse("nothing to continue");
                };
                text.push('\n');
                text.push_str(rest);
                continue;
            }
            let (kind, digits) = head.split_at(head.len().min(1));
            let Some(connection) = (if digits.is_empty() { Some(1) } else { digits.parse().ok() }) else {
                return refuse("no number of a connection");
            };
            let step = match kind {
                "C" => Step::Client { connection, text: rest.to_owned() },
                "S" => Step::Server { connection, text: rest.to_owned() },
                "X" => {
                    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                    let Ok(code) = code.parse() else { return refuse("no close code") };
                    Step::Close { connection, code, reason: reason.to_owned() }
                }
                "A" => {
                    let Some((method, body)) = rest.split_once(' ') else { return refuse("no method") };
                    Step::Api { method: method.to_owned(), body: body.replace("\\n", "\n") }
                }
                "Q" => {
                    let Ok(milliseconds) = rest.parse() else { return refuse("no milliseconds") };
                    Step::Quiet(Duration::from_millis(milliseconds))
                }
                _ => return refuse("unknown kind of line"),
            };
            lines.push(Line { number, step });
        }
        Ok(Self { name: name.to_owned(), lines })
    }

    /// All transcripts of this crate, by name.
    pub fn all() -> Vec<Self> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "replay"))
            .collect();
        files.sort();
        files.iter().map(|path| Self::load(path)).collect()
    }

    fn load(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy();
        Self::parse(&name, &fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Where the transcripts are kept.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_understood() {
        let text = "C {\"id\":1}\nC+\nC+ {\"id\":2}\nS2 {}\nX 3501 bad request\nA publish {\"a\":1,\\n\"b\":2}\nQ 300\n";
        let steps: Vec<_> = Transcript::parse("t", text)
            .unwrap()
            .lines
            .into_iter()
            .map(|line| (line.number, line.step))
            .collect();
        assert_eq!(
            steps,
            [
                (1, Step::Client { connection: 1, text: "{\"id\":1}\n\n{\"id\":2}".to_owned() }),
                (4, Step::Server { connection: 2, text: "{}".to_owned() }),
                (5, Step::Close { connection: 1, code: 3501, reason: "bad request".to_owned() }),
                (6, Step::Api { method: "publish".to_owned(), body: "{\"a\":1,\n\"b\":2}".to_owned() }),
                (7, Step::Quiet(Duration::from_millis(300))),
            ]
        );
    }

    #[test]
    fn a_line_that_is_not_in_the_notation_is_named() {
        for text in ["Z hello", "C+ {}", "S {}\nC+ {}", "X soon", "A publish", "Cx {}", "Q ever"] {
            let error = Transcript::parse("t", text).unwrap_err();
            assert!(error.starts_with("t:"), "{error}");
        }
    }

    #[test]
    fn all_worked_examples_are_here() {
        let all = Transcript::all();
        let names: Vec<_> = all.iter().map(|transcript| transcript.name.as_str()).collect();
        assert_eq!(names.iter().filter(|name| name.starts_with("A.")).count(), 36);
        assert!(names.contains(&"A.01") && names.contains(&"A.28-6") && names.contains(&"A.30"));
        assert!(all.iter().all(|transcript| transcript.lines.len() > 1));
    }
}
