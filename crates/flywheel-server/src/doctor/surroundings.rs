use std::sync::Arc;

use flywheel_runtime::{Clock, Random, Tasks};

/// What an examination needs of the process it runs in.
pub(super) struct Surroundings {
    pub(super) clock: Clock,
    pub(super) random: Arc<Random>,
    pub(super) tasks: Tasks,
}
