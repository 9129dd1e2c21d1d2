//! The client protocol of one connection, as a state machine without IO.
//!
//! Commands, outcomes, deliveries and timeouts go in; [`Effect`]s come out, in the order in which they must happen.
//! The machine opens no socket, reads no clock and knows no broker. One thread owns it, so it needs no lock: recovery,
//! live delivery, unsubscribe and close of one client are events of one machine, and cannot wait for each other.
//!
//! Every call takes a [`Turn`]: what time it is, the settings in force, and where effects go.

mod backend;
mod connect;
mod delivery;
mod effect;
mod gap;
mod intake;
mod live;
mod liveness;
mod permission;
mod refresh;
mod refusal;
mod request;
mod server;
mod session;
mod settings;
mod subscribe;
mod subscription;
mod upkeep;

#[cfg(test)]
mod tests;

pub use delivery::Deliver;
pub use effect::{Ask, ConnectQuestion, Context, Effect, Failure, Outcome, SubscribePlan, Tell, Turn};
pub use gap::Standing;
pub use refusal::{Fault, Refusal};
pub use server::ServerSubscribe;
pub use session::{Greeting, Session};
pub use settings::{BackendSettings, PersonalChannel, RpcSettings, Settings};
pub use subscription::{SubKey, SubRef};
