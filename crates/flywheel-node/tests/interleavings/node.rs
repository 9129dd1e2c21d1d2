use std::time::Duration;

/// As the node's own; no time passes here.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
