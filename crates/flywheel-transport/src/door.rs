use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flywheel_model::Timestamp;
use globset::GlobSet;
use parking_lot::{Mutex, RwLock};

use crate::Endpoint;

/// Who may come in, as configured. By default there is no door at all.
#[derive(Debug, Clone, Default)]
pub struct DoorSettings {
    /// Where clients connect.
    pub endpoints: Vec<Endpoint>,
    /// Where clients of streams send their commands.
    pub emulation: Option<EmulationEndpoint>,
    /// Origins that browsers may come from, as globs over the lower-cased text.
    pub origins: GlobSet,
    /// Connections at once; `None` means no limit.
    pub connection_limit: Option<usize>,
    /// New connections per second; `None` means no limit.
    pub connection_rate_limit: Option<u32>,
    /// The header that names the user, trusted.
    pub user_id_header: Option<String>,
    /// Names in lower case of headers that are kept for the life of a connection, because some backend is told them.
    pub kept_headers: Vec<String>,
}

/// Where clients of streams send their commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulationEndpoint {
    /// Its path.
    pub path: String,
    /// Longest body of a request in bytes.
    pub body_bytes_max: usize,
}

impl DoorSettings {
    /// The endpoint that answers on `path`.
    pub(crate) fn endpoint(&self, path: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.path == path)
    }
}

/// There is no room for another connection: 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Somebody is inside; dropping it lets them out.
#[derive(Debug)]
pub struct Pass(Arc<Door>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Decides who may come in. Shared by all shards.
#[derive(Debug)]
pub struct Door {
    settings: RwLock<Arc<DoorSettings>>,
    inside: AtomicUsize,
    bucket: Mutex<Bucket>,
}

/// Thousandths of a connection that may come in at once.
#[derive(Debug)]
struct Bucket {
    tokens: u64,
    filled_at: Timestamp,
}

impl Door {
    /// Nobody is inside.
    pub fn new(settings: DoorSettings) -> Arc<Self> {
        let bucket = Bucket { tokens: u64::MAX, filled_at: Timestamp::ZERO };
        Arc::new(Self {
            settings: RwLock::new(Arc::new(settings)),
            inside: AtomicUsize::new(0),
            bucket: Mutex::new(bucket),
        })
    }

    /// What is in force.
    pub fn settings(&self) -> Arc<DoorSettings> {
        Arc::clone(&self.settings.read())
    }

    /// Puts new settings into force, for connections to come.
    pub fn reload(&self, settings: DoorSettings) {
        *self.settings.write() = Arc::new(settings);
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// [`Full`]: too many are inside, or too many came within the last second.
    pub fn enter(self: &Arc<Self>, now: Timestamp) -> Result<Pass, Full> {
        let settings = self.settings();
        if settings.connection_rate_limit.is_some_and(|rate| !self.bucket.lock().take(now, rate)) {
            return Err(Full);
        }
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        let pass = Pass(Arc::clone(self));
        if settings.connection_limit.is_some_and(|limit| before >= limit) { Err(Full) } else { Ok(pass) }
    }
}

impl Bucket {
    /// Takes a token out of a bucket that is filled with `rate` per second and holds as many.
    fn take(&mut self, now: Timestamp, rate: u32) -> bool {
        const TOKEN: u64 = 1000;
        let full = u64::from(rate) * TOKEN;
        let elapsed = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        self.filled_at = now;
        self.tokens = self.tokens.saturating_add(elapsed.saturating_mul(u64::from(rate))).min(full);
        let enough = self.tokens >= TOKEN;
        if enough {
            self.tokens -= TOKEN;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(connection_limit: Option<usize>, connection_rate_limit: Option<u32>) -> Arc<Door> {
        let origins = GlobSet::empty();
        Door::new(DoorSettings {
            endpoints: Vec::new(),
            emulation: None,
            origins,
            connection_limit,
            connection_rate_limit,
            user_id_header: None,
            kept_headers: Vec::new(),
        })
    }

    fn let_in(door: &Arc<Door>, millis: u64, tries: usize) -> Vec<Pass> {
        (0..tries).filter_map(|_| door.enter(Timestamp::from_millis(millis)).ok()).collect()
    }

    #[test]
    fn the_limit_counts_those_who_are_inside() {
        let door = door(Some(2), None);
        let mut inside = let_in(&door, 0, 5);
        assert_eq!(inside.len(), 2);
        inside.pop();
        assert_eq!(let_in(&door, 0, 5).len(), 1);
    }

    #[test]
    fn the_rate_is_per_second_and_a_burst_is_one_second_worth() {
        let door = door(None, Some(10));
        for (millis, expected) in [(0, 10), (100, 1), (600, 5), (60_000, 10)] {
            assert_eq!(let_in(&door, millis, 50).len(), expected, "at {millis} ms");
        }
    }
}
