//! A process that a measurement runs, and the lines it exchanges with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Longest wait for an answer. Every child has shorter limits of its own, so this means that it hangs.
const ANSWER: Duration = Duration::from_mins(2);
const LINES_QUEUED_MAX: usize = 16;

/// A running child. Dropping it kills it.
pub(crate) struct Peer {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Peer {
    /// Starts this program again in the role `name`.
    pub(crate) fn start(name: &'static str, arguments: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mut command = Command::new(program);
        command.arg(name).args(arguments);
        Self::run(name, &mut command)
    }

    /// Starts `command`; its standard error stays ours.
    pub(crate) fn run(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        let input = child.stdin.take().context("standard input of a child")?;
        let output = child.stdout.take().context("standard output of a child")?;
        let (sender, lines) = sync_channel(LINES_QUEUED_MAX);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody may hear a server's lines; they must not hold it up.
                if let Err(TrySendError::Disconnected(_)) = sender.try_send(line) {
                    break;
                }
            }
        });
        Ok(Self { name, child, input, lines })
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one line.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).with_context(|| format!("{} is gone", self.name))
    }

    /// Awaits a line that begins with `word` and returns what follows. Any other line is an error.
    pub(crate) fn hear(&mut self, word: &str) -> Result<String> {
        let Ok(line) = self.lines.recv_timeout(ANSWER) else {
            let end = self.child.try_wait()?;
            bail!("{} did not say {word:?}; its end: {end:?}", self.name);
        };
        let rest = line.strip_prefix(word).with_context(|| format!("{} said {line:?}", self.name))?;
        Ok(rest.trim().to_owned())
    }

    /// Sends `line` and awaits the answer `word`.
    pub(crate) fn ask(&mut self, line: &str, word: &str) -> Result<String> {
        self.say(line)?;
        self.hear(word)
    }

    /// An error when the process has ended.
    pub(crate) fn ensure_alive(&mut self) -> Result<()> {
        let end = self.child.try_wait()?;
        ensure!(end.is_none(), "{} ended: {end:?}", self.name);
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads orders from standard input until it ends or the order is `quit`, and prints each answer.
pub(crate) fn obey(mut carry_out: impl FnMut(&str, &str) -> Result<Option<String>>) -> Result<()> {
    for line in std::io::stdin().lines() {
        let line = line?;
        let (order, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if order == "quit" {
            break;
        }
        if let Some(answer) = carry_out(order, rest).with_context(|| format!("order {line:?}"))? {
            println!("{answer}");
        }
    }
    Ok(())
}
