//! Drills: nodes under load while what they stand on fails, and a judge of what their clients saw.
//!
//! A [`Fleet`] is all of it at once. [`Subscriber`] and [`Publisher`] behave as applications do and write down what happened; [`judge`] decides afterwards
//! whether anybody was deceived. It knows nothing of how the server works, only what was promised.

mod fleet;
mod ledger;
mod publisher;
mod readiness;
mod subscriber;

pub use fleet::{Fleet, Plan};
pub use ledger::{Kept, Seen, Told, Witness, judge};
pub use publisher::{Accepted, Publisher};
pub use readiness::{ReadinessWatch, Sample, green_while_useless};
pub use subscriber::Subscriber;

/// How often a drill does what it does: `FLYWHEEL_DRILL_CYCLES`, or `usually` when that is not set.
pub fn cycles(usually: usize) -> usize {
    std::env::var("FLYWHEEL_DRILL_CYCLES").map_or(usually, |count| count.parse().unwrap())
}
