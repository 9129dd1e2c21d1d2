//! Messages of the client protocol, the server API, the proxy protocol and between nodes, their JSON and Protobuf forms, and the code tables.
//!
//! A message is a plain struct. Its Protobuf form comes from `prost`; its JSON form from one line that lists the members
//! in their order on the wire (see [`json`]). Commands are decoded into [`client::Request`], replies and pushes are
//! written straight into the buffer from which they will be sent.

pub mod api;
pub mod client;
mod code;
pub mod control;
pub mod json;
pub mod proxy;

pub use code::{Disconnect, ErrorCode, Unsubscribed};
