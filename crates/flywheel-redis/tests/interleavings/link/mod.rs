//! The calls of one command connection.

mod answers;
mod connection;
mod end;
mod faulty;
#[path = "../../../src/link/lane.rs"]
mod lane;

pub(crate) use flywheel_redis::link::{CallError, ClosedBecause, ServerError};
