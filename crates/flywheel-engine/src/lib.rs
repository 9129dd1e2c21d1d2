//! What the server needs of the services it stands on, as contracts, and the engine that needs none: memory.
//!
//! Rules for every implementation:
//! - A call answers within its own deadline, or fails. Dropping an answer's future leaves nothing half done.
//! - Every queue is bounded, in bytes where it holds payloads.
//! - Events are handed to the [`Sink`] in the order of the stream, from one place per channel. The sink never blocks.
//!
//! An implementation proves itself with the suite in `conformance` (feature of that name).

mod answer;
mod backend;
mod contract;
mod controller;
mod dependency;
mod error;
mod key_sets;
mod memory;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "conformance")]
mod faulty;

pub use answer::Answer;
pub use backend::{
    Backend, BackendError, ConnectCall, NoBackend, PublishCall, PublishGrant, RpcCall, SubRefreshCall,
    SubscribeCall,
};
pub use contract::{Broker, Presence, PresenceStats, PublishOptions, Published, Sink};
pub use controller::{ControlSink, Controller, Recipient};
pub use dependency::{Dependencies, Dependency};
pub use error::EngineError;
#[cfg(feature = "conformance")]
pub use faulty::{Call, Fault, FaultyEngine, LossySink};
pub use key_sets::{KeySetError, KeySets};
pub use memory::{MemoryEngine, MemoryLimits, MemoryUse};
