//! Messages of the server API in JSON.
//!
//! Source: server API, sections 1 to 4.

mod message;

pub use message::*;
