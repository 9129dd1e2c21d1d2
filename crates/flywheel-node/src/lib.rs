//! What the server does, beside the shards: carries out what sessions ask for, runs the operations of the server API,
//! and routes what engines deliver to the shards that want it.
//!
//! Nothing here blocks a shard. A shard's calls answer at once when the engine does; otherwise the answer comes back
//! through the shard's post. What concerns all shards is one message to each and one answer from each, with a deadline.

mod access;
mod asks;
mod attendance;
mod backends;
mod cluster;
mod emulation;
mod health;
mod node;
mod operations;
mod order;
#[cfg(test)]
mod order_tests;
mod post;
#[cfg(test)]
mod post_tests;
mod routes;
mod users;
mod verdict;
#[cfg(test)]
mod verdict_tests;

pub use access::Access;
pub use backends::Backends;
pub use cluster::{Control, ControlInbox, NotSent, NotificationHandler, Numbers, SurveyError, SurveyHandler};
pub use emulation::NotEmulated;
pub use flywheel_membership::{Entry, Report, Scope, Timing};
pub use health::{DrainedBy, HealthReport, HealthSettings, Watchdog};
pub use node::{Node, NodeParts};
pub use operations::{ApiError, BroadcastResult, Info, PublishRequest, Whom};
pub use post::{Answering, Mail, Operation, Place, ShardCounts, ShardPost, Undo};
pub use routes::Routes;
