//! The measurements. Each starts what it needs, checks that all work was really done, and reports.

pub(crate) mod connect;
pub(crate) mod deflate;
pub(crate) mod delta;
pub(crate) mod fanout;
pub(crate) mod idle;
pub(crate) mod publish;
pub(crate) mod recover;
pub(crate) mod redis;

mod receivers;
mod versus;
