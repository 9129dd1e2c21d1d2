//! The measurements. Each starts what it needs, checks that all work was really done, and reports.

pub(crate) mod connect;
pub(crate) mod fanout;
pub(crate) mod idle;
pub(crate) mod publish;

mod versus;
