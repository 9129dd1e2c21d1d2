use std::sync::Arc;
use std::time::Duration;

use flywheel_model::Timestamp;
use flywheel_runtime::{Clock, Random, Tasks};

/// What every task of the topology needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where time comes from.
    pub clock: Clock,
    /// Where chance comes from.
    pub random: Arc<Random>,
    /// Where tasks run.
    pub tasks: Tasks,
}

impl Context {
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now().at
    }

    /// Time that is left until `deadline`.
    pub fn left(&self, deadline: Timestamp) -> Duration {
        deadline.since(self.now())
    }

    /// Anything from half of `time` to all of it, so that nodes do not do the same thing in the same instant.
    pub fn jittered(&self, time: Duration) -> Duration {
        let half = time / 2;
        let steps = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_millis(self.random.next_u64() % steps)
    }
}
