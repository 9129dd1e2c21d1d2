//! A connection that hears what is published, and nothing else.
//!
//! What is wanted outlives connections: after each new one all of it is asked for again. The reader hands over and never
//! waits.

mod channels;
mod event;
mod handle;
mod ops;
mod task;
#[cfg(test)]
mod tests;

pub use handle::{
    CaughtUp, Listener, SubscribeError, Subscriber, SubscriberSettings, SubscriberState, Topic,
};
