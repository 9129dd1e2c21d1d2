//! Key sets that others publish, read over HTTP: an outbound adapter behind the contract
//! [`KeySets`](flywheel_engine::KeySets) of the engine crate.
//!
//! A set is read when the first token needs it, kept, read again before it gets old, and also when a token names a key
//! that is not in it: that is how a rotated key becomes known. What holds whatever tokens say and however the endpoint
//! behaves is in [`Limits`]. No redirect is followed, because the operator wrote down one address and no other.

#![forbid(unsafe_code)]

mod fetch;
mod key_sets;
mod limits;
mod shelf;
mod tls;

pub use key_sets::HttpKeySets;
pub use limits::Limits;
pub use tls::Roots;
