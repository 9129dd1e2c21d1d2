//! One question at a time to a Redis, and a look at what others ask it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use flywheel_redis::resp::{Command, Decoder, Limits, Value};

const WAIT: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Talk {
    stream: TcpStream,
    decoder: Decoder,
}

impl Talk {
    /// Connects to a server of this machine.
    pub(crate) fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("Redis at {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT))?;
        Ok(Self { stream, decoder: Decoder::new(Limits::default()) })
    }

    /// Asks, and awaits the answer; an error of the server is one too.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<Value> {
        let command = words[1..].iter().fold(Command::new(words[0]), Command::arg);
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        self.send(&bytes)?;
        match self.next()? {
            Value::Error(text) => bail!("{words:?}: {}", String::from_utf8_lossy(&text)),
            value => Ok(value),
        }
    }

    /// The same as text.
    pub(crate) fn text(&mut self, words: &[&str]) -> Result<String> {
        let value = self.ask(words)?;
        value.text().map(str::to_owned).with_context(|| format!("{words:?}: {value:?}"))
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// The next value that comes.
    pub(crate) fn next(&mut self) -> Result<Value> {
        loop {
            if let Some(value) = self.decoder.take()? {
                return Ok(value);
            }
            let mut chunk = vec![0; 64 << 10];
            let count = self.stream.read(&mut chunk).context("awaiting an answer of Redis")?;
            ensure!(count > 0, "Redis closed the connection");
            self.decoder.buffer().extend_from_slice(&chunk[..count]);
        }
    }

    /// The words of the first call of a script from now on that has `part` in it. Ends the conversation.
    pub(crate) fn overhear(mut self, part: &str, cause: impl FnOnce() -> Result<()>) -> Result<Vec<Vec<u8>>> {
        self.ask(&["MONITOR"])?;
        cause()?;
        loop {
            let Value::Text(line) = self.next()? else { continue };
            let line = String::from_utf8_lossy(&line).into_owned();
            if line.contains("] \"EVALSHA\" ") && line.contains(part) {
                let (_, words) = line.split_once("] ").context("a line of MONITOR")?;
                return unquoted(words);
            }
        }
    }
}

/// Words in quotes, as `MONITOR` prints them.
fn unquoted(line: &str) -> Result<Vec<Vec<u8>>> {
    let (mut words, mut word) = (Vec::new(), None::<Vec<u8>>);
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match (&mut word, byte) {
            (None, b'"') => word = Some(Vec::new()),
            (None, _) => {}
            (Some(_), b'"') => words.extend(word.take()),
            (Some(open), b'\\') => open.push(match bytes.next().context("an end after a backslash")? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'a' => 7,
                b'b' => 8,
                b'x' => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?
                }
                other => other,
            }),
            (Some(open), other) => open.push(other),
        }
    }
    ensure!(word.is_none(), "a word without an end in {line}");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_monitor_prints_them() {
        let words = unquoted(r#""EVALSHA" "\"d\x00\\\n" """#).unwrap();
        assert_eq!(words, [b"EVALSHA".to_vec(), b"\"d\0\\\n".to_vec(), Vec::new()]);
        assert!(unquoted(r#""a"#).is_err());
    }
}
