//! The client protocol: commands in, replies and pushes out.

mod command;
mod convert;
mod emulation;
mod frame;
mod message;
mod reply;
mod transport;

pub use command::{Command, Malformed, Request};
pub use convert::{DataForm, NotJson};
pub use emulation::{EmulatedFrame, Emulation};
pub use frame::{Commands, commands, connect_request};
pub use message::*;
pub use reply::{Push, PushBody, Reply, ReplyBody, ServerMessage};
pub use transport::Transport;

/// How messages of a connection are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON objects separated by line feeds, in text frames.
    Json,
    /// Protobuf messages, each after its length, in binary frames.
    Protobuf,
}

impl Encoding {
    /// Both, in the order of their index.
    pub const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    /// 0 or 1, for tables with one entry per encoding.
    pub const fn index(self) -> usize {
        match self {
            Self::Json => 0,
            Self::Protobuf => 1,
        }
    }

    /// As proxies and metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Protobuf => "protobuf",
        }
    }
}
