//! Several nodes that hear each other, or do not.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]

mod operations;
mod split;
mod world;
