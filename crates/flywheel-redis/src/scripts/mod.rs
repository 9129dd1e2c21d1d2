//! What the server does in one step.
//!
//! The last argument of each script is a word of the call, and the last element of its answer is that word: see
//! [`Command::checked`].

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use crate::resp::Command;

/// A script and the name by which a server knows it once it has seen it.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    sha: String,
}

impl Script {
    fn new(source: &'static str) -> Self {
        let sha = Sha1::digest(source.as_bytes()).iter().fold(String::new(), |mut sha, byte| {
            let written = write!(sha, "{byte:02x}");
            debug_assert!(written.is_ok(), "a string takes all that is written");
            sha
        });
        Self { source, sha }
    }

    /// A call of the script, which may touch `keys` only.
    pub(crate) fn call(&self, keys: &[&str], arguments: &[&[u8]]) -> ScriptCall<'_> {
        let bytes = arguments.iter().map(|argument| argument.len() + 12).sum::<usize>();
        arguments.iter().fold(self.call_of(keys, bytes), |call, argument| call.arg(argument))
    }

    /// The same with arguments that follow one by one, and take about `bytes` together.
    pub(crate) fn call_of(&self, keys: &[&str], bytes: usize) -> ScriptCall<'_> {
        let names = keys.iter().map(|key| key.len() + 12).sum::<usize>();
        let mut tail = Command::of_nothing(names + bytes).number(keys.len() as u64);
        keys.iter().for_each(|key| tail.push(key.as_bytes()));
        ScriptCall { script: self, tail }
    }
}

/// A call that can be made by name, and with the script itself where the server does not know the name.
#[derive(Debug)]
pub(crate) struct ScriptCall<'s> {
    script: &'s Script,
    tail: Command,
}

impl ScriptCall<'_> {
    /// One more argument.
    #[must_use]
    pub(crate) fn arg(mut self, argument: &[u8]) -> Self {
        self.tail.push(argument);
        self
    }

    /// One more argument, which is a number.
    #[must_use]
    pub(crate) fn number(mut self, number: u64) -> Self {
        self.tail = self.tail.number(number);
        self
    }

    /// By name.
    pub(crate) fn by_name(&self) -> Command {
        Command::with_capacity("EVALSHA", self.tail.len() + 80)
            .arg(&self.script.sha)
            .append(&self.tail)
            .checked()
    }

    /// With the script itself.
    pub(crate) fn by_source(&self) -> Command {
        let bytes = self.tail.len() + self.script.source.len() + 40;
        Command::with_capacity("EVAL", bytes).arg(self.script.source).append(&self.tail).checked()
    }
}

/// Each script is made of the files that are named, one behind the other.
macro_rules! scripts {
    ($($name:ident: $($part:literal)+;)*) => {
        /// All scripts.
        #[derive(Debug)]
        pub(crate) struct Scripts {
            $(pub(crate) $name: Script,)*
        }

        impl Scripts {
            pub(crate) fn new() -> Self {
                Self { $($name: Script::new(concat!($(include_str!(concat!($part, ".lua"))),+)),)* }
            }
        }
    };
}

scripts! {
    publish_stream: "publish_begin" "publish_stream" "publish_end";
    publish_list: "publish_begin" "publish_list" "publish_end";
    publish_once: "publish_once";
    read_stream: "read_begin" "read_stream";
    read_list: "read_begin" "read_list";
    replace_epoch: "replace_epoch";
    presence_add: "presence_add";
    presence_remove: "presence_remove";
    presence_get: "presence_get";
    presence_stats: "presence_stats";
    write_probe: "write_probe";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_by_name_and_one_by_source_differ_in_their_beginning() {
        let script = Script::new("return 1");
        let call = script.call(&["k"], &[b"a"]);
        let text = |command: &Command| {
            let mut out = Vec::new();
            command.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        let tail = "$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n";
        let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        assert_eq!(text(&call.by_name()), format!("*5\r\n$7\r\nEVALSHA\r\n$40\r\n{sha}\r\n{tail}"));
        assert_eq!(text(&call.by_source()), format!("*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n{tail}"));
        assert!(call.by_name().is_checked());
    }
}
