//! One shard's registry: its clients and their sessions, who is subscribed to what, what is to be written to whom, and
//! when whose time is up.
//!
//! Owned by one thread; nothing here locks, waits or touches a socket. A publication is encoded once per encoding into
//! the shard's arena, and each subscriber's queue gets only the place of the frame in it ([`Outbox`]). When all
//! subscribers get the same burst, each queue is one range, and the arena itself is what the socket is given. What is
//! compressed is compressed once, and lent in the same way.

mod frames;
mod framing;
mod heals;
mod hub;
mod outbox;
mod packer;
mod routing;
mod wheel;

#[cfg(test)]
mod tests;

pub use framing::WireForm;
pub use heals::{HealId, HealRead};
pub use hub::{Client, ClientKey, Delivered, Healed, Hub, Match, Pending};
pub use outbox::{Flushed, Outbox, Overflow, Span};
pub use packer::Packing;
pub use routing::Routing;
pub use wheel::Wheel;
