//! What is asked of the connection that listens, and what comes of it.

#[path = "../../../src/subscriber/channels/mod.rs"]
mod channels;
mod connection;
mod end;
mod faulty;
#[path = "../../../src/subscriber/ops.rs"]
mod ops;
mod restart;
mod routes;
mod wanting;

pub(crate) use flywheel_redis::subscriber::{SubscribeError, SubscriberSettings, Topic};
