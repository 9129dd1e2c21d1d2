//! The only door to clock, randomness, tasks and queues between threads.

mod bell;
mod clock;
mod mailbox;
#[cfg(test)]
mod mailbox_tests;
mod marks;
mod pulse;
mod random;
mod stripes;
mod sync;
mod tasks;
mod workers;

pub use bell::Bell;
pub use clock::Clock;
pub use mailbox::{Full, Mailbox};
pub use marks::Marks;
pub use pulse::Pulse;
pub use random::Random;
pub use stripes::Stripes;
pub use tasks::Tasks;
pub use workers::Workers;
