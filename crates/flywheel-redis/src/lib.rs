//! Streams, presence and messages between nodes on Redis.
//!
//! The wire is our own, for commands as well as for subscriptions. What it must guarantee could not be had from any
//! crate: that a reply reaches nobody but its caller, that no connection keeps a waiter, that a call says whether the
//! server may have carried it out. One codec does for both kinds of connections, and it is small enough to be fuzzed.

#![forbid(unsafe_code)]

pub mod engine;
pub mod envelope;
pub mod explain;
pub mod keys;
pub mod link;
pub mod placement;
pub mod resp;
mod scripts;
pub mod subscriber;
pub mod topology;
