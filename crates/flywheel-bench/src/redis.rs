//! Redis as it is: its servers, the limit that its own load generator shows, and nodes that use it through the engine.

pub(crate) mod limit;
pub(crate) mod node;
pub(crate) mod server;
pub(crate) mod talk;

mod ear;
