//! The topology on real servers: every call reaches whoever takes it, whatever becomes of the servers.

mod cluster;
mod detection;
mod rig;
mod sentinel;
mod server;
