use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flywheel_metrics::{LinkReading, RedisReading};

use super::Routes;

/// What happens to the servers of a shard and to calls to them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connects: Arc<AtomicU64>,
    pub(super) switches: AtomicU64,
    pub(super) deadlines: AtomicU64,
    pub(super) fenced: AtomicU64,
}

impl Counts {
    /// Counts one more.
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes in who is written to from now on.
    pub(super) fn handle_routes(&self, old: &Routes, new: &Routes) {
        let owners = |routes: &Routes| -> Vec<_> {
            let mut owners: Vec<_> = routes.writable().map(|server| server.endpoint().clone()).collect();
            owners.sort_unstable();
            owners
        };
        let (old, new) = (owners(old), owners(new));
        if !old.is_empty() && !new.is_empty() && old != new {
            Self::add(&self.switches);
        }
    }

    pub(super) fn read(&self, routes: &Routes, reading: &mut RedisReading) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        reading.connects = count(&self.connects);
        reading.switches = count(&self.switches);
        reading.deadlines = count(&self.deadlines);
        reading.fenced = count(&self.fenced);
        let links = routes.servers.iter().filter_map(|server| server.link());
        reading.links = links
            .map(|link| LinkReading {
                server: link.endpoint().to_string(),
                calls: link.in_flight(),
                bytes: link.held(),
            })
            .collect();
    }
}
