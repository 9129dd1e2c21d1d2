use std::sync::atomic::{AtomicUsize, Ordering};

use flywheel_model::UserId;
use hashbrown::HashMap;
use parking_lot::Mutex;

/// Connections per user, over all shards. The lock guards the map; nothing is taken under it.
#[derive(Debug, Default)]
pub(crate) struct Users {
    connections: Mutex<HashMap<UserId, usize>>,
    /// Size of the map, for those who must not wait for it.
    count: AtomicUsize,
}

impl Users {
    /// Counts one connection more, unless the user has `limit` already. Anonymous connections are not limited.
    pub(crate) fn admit(&self, user: &UserId, limit: Option<usize>) -> bool {
        let mut users = self.connections.lock();
        let count = users.get(user).copied().unwrap_or_default();
        if !user.is_anonymous() && limit.is_some_and(|limit| count >= limit) {
            return false;
        }
        *users.entry_ref(user).or_default() = count + 1;
        self.count.store(users.len(), Ordering::Relaxed);
        true
    }

    pub(crate) fn release(&self, user: &UserId) {
        let mut users = self.connections.lock();
        if let Some(count) = users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                users.remove(user);
                self.count.store(users.len(), Ordering::Relaxed);
            }
        }
    }

    /// Distinct users; the anonymous one counts as one. Takes no lock.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}
