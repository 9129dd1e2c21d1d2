//! The thinnest possible processes that do the same work on the wire: what the machine itself costs.
//!
//! Each listens on a port of its own, says `listening ADDRESS`, and computes nothing that it need not.

pub(crate) mod api;
pub(crate) mod bare;
pub(crate) mod raw;
