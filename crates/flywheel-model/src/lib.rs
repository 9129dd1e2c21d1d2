//! The nouns of Flywheel: what a channel, a publication, a position and a client are.
//!
//! Nothing here reads a clock, a file, a socket or randomness. Every other crate may import this one.

mod caller;
mod channel;
mod claims;
mod client;
mod payload;
mod publication;
mod rules;
mod time;

pub use caller::{Caller, CallerHeaders};
pub use channel::{Channel, UserId};
pub use claims::{ConnectClaims, OptionOverrides, Renewal, Renewed, SubscribeGrant, SubscriptionClaims};
pub use client::{ClientId, ClientInfo, SessionId};
pub use payload::Payload;
pub use publication::{ChannelEvent, ChannelEventKind, Epoch, Publication, StreamPosition, Tags};
pub use rules::{ChannelError, ChannelOptions, ChannelRules, DataFormat, RecoveryMode};
pub use time::{Now, Timestamp, UnixSeconds};
