//! The engine: what the contracts promise, on one or several places that each are a Redis of some shape.

mod broker;
mod ears;
mod gaps;
mod handle;
mod hearing;
mod history;
mod layout;
mod presence;
mod probe;
mod publish;
mod route;
mod settings;
mod shard;

pub use handle::{EngineParts, RedisEngine};
pub use route::{Call, Called, Router};
pub use settings::RedisOptions;
