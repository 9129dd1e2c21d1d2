//! Composition root: a validated configuration in, a running server out. Only this crate knows which engine, which
//! transport and which API there are.

mod assemble;
mod dev;
pub mod doctor;
mod engines;
mod flood;
#[cfg(debug_assertions)]
mod hang;
mod kept;
mod log_queue;
mod logging;
mod pem;
mod process;
mod proxies;
mod redis;
mod server;
mod source;
pub mod tokens;
mod transports;

pub use dev::{DevMode, dev_file};
pub use logging::{LastLines, Logging};
pub use server::{Exit, Server, log_warnings};
pub use source::{ConfigSource, LoadFailure};
