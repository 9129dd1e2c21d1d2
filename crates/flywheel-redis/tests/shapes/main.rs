//! The engine on every shape of Redis: what the contracts promise, and what becomes of it when servers fail.

#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]
#![expect(clippy::disallowed_methods, reason = "real servers run against the real clock")]

mod cluster;
mod conformance;
mod hearing;
mod hostile;
mod many;
mod nodes;
mod refused;
mod switches;
