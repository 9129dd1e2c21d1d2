//! Every order in which callers and the task of a connection may go on: nobody is left waiting, no wake-up is lost, and what
//! is said not to have been sent never was.
//!
//! The cells that they share are those of the crate, compiled once more with loom's lock. What the channels of tokio do is
//! one step here: they are proven elsewhere, and never block. A sleeper that nobody wakes is a deadlock, and loom panics.
//! Beside each model stand faults that it finds: a cell that is nearly right, or a task or caller with two steps the other
//! way round. And where an order is of interest, the model says that it came to pass.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the cells are compiled whole, and used in part"
)]

// The cells say `use parking_lot::Mutex`. Within this crate that name is the crate itself, which has loom's; so they need not
// say anything else for the sake of these models. Unit tests beside them would run here outside of a model, where there is no
// such lock: those of the cells with a lock stand in files of their own.
extern crate self as parking_lot;

mod link;
mod seen;
#[path = "../../../flywheel-runtime/tests/interleavings/shard.rs"]
mod shard;
mod subscriber;
#[path = "../../../flywheel-runtime/tests/interleavings/sync.rs"]
mod sync;
mod waiting;
mod words;

pub(crate) use flywheel_redis::resp;
pub(crate) use sync::Mutex;
