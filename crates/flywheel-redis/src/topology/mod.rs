//! Which server is asked: one, the primary that Sentinels name, or the owner of a slot, and what becomes of a call while
//! that changes.
//!
//! Whatever decides here reads no clock and no socket: answers and the time go in, decisions come out. Tasks around it
//! carry them out. A server or a Sentinel that says nothing delays nobody, since a decision is made of the answers that
//! are there.

mod cluster;
mod context;
mod counts;
mod detect;
mod ears;
mod health;
mod retry;
mod router;
mod routes;
mod sentinel;
mod server;
mod server_drive;
mod settings;
mod shard;
mod shards;

pub use cluster::{SlotAnswer, SlotMap};
pub use context::Context;
pub(crate) use detect::not_a_sentinel;
pub use detect::{Asked, ClusterState, Detail, Verdict, judge, judge_master, masters, unknown_master};
pub use health::{Condition, Health, Tolerance};
pub use retry::{Doubt, Retry, retry};
pub use routes::Routes;
pub use sentinel::{Chosen, Fence, SentinelEvent, SentinelTable, sentinel_event};
pub use server::{Admission, Judge, Rejected, Server, State};
pub use settings::{Seeds, ShardSettings};
pub use shard::Shard;
pub use shards::shard_of;
