use std::time::Duration;

/// What something that the server stands on is like right now, proven by a probe rather than assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Names it in the readiness report, such as `redis[0].write`.
    pub name: String,
    /// Whether it serves.
    pub ok: bool,
    /// Why not, in words an operator can act on; empty when it serves.
    pub reason: String,
    /// How long it has been so: for what does not serve, the time since a probe last passed. Readiness counts a fault by it,
    /// so that the time a probe takes to fail is no free ride.
    pub for_: Duration,
}

/// Something that reports on what it stands on.
pub trait Dependencies: Send + Sync + 'static {
    /// One entry for each, always in the same order. Reads what probes have found; asks nobody and returns at once.
    fn dependencies(&self) -> Vec<Dependency>;
}

/// What stands on nothing outside this process.
impl Dependencies for () {
    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }
}
