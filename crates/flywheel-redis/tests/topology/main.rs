//! The topology on real servers: every call reaches whoever takes it, whatever becomes of the servers.

#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]
#![expect(clippy::disallowed_methods, reason = "real servers run against the real clock")]

mod cluster;
mod detection;
mod rig;
mod sentinel;
mod server;
