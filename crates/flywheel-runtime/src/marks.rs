use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::Bell;
use crate::sync::{AtomicBool, Mutex, Ordering};

/// Things that one thread is to look at, each at most once however often it is marked. To take where there are none takes
/// no lock.
///
/// The lock guards the set; nothing else is taken or done under it.
#[derive(Debug)]
pub struct Marks<T> {
    marked: Mutex<HashSet<T>>,
    has_any: AtomicBool,
    bell: Arc<Bell>,
}

impl<T: Eq + Hash> Marks<T> {
    /// Nothing is marked; `bell` is rung for each that will be.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { marked: Mutex::new(HashSet::new()), has_any: AtomicBool::new(false), bell }
    }

    /// Marks it.
    pub fn mark(&self, item: T) {
        {
            let mut marked = self.marked.lock();
            marked.insert(item);
            // After the item, so that whoever sees this finds it; under the lock, so that nobody sees the item alone and
            // turns in vain.
            self.has_any.store(true, Ordering::Release);
        }
        self.bell.ring();
    }

    /// Whether [`take`](Self::take) would answer anything. Looked at after [`Bell::prepare`], it misses nothing.
    pub fn is_empty(&self) -> bool {
        // Under the lock: without it this look and the ringer's could both come before what the other has written.
        self.marked.lock().is_empty()
    }

    /// What was marked since this was last asked, in no order.
    pub fn take(&self) -> Vec<T> {
        // Before the set is taken: what is marked from here on is taken now, or sets this again.
        if !self.has_any.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.marked.lock()).into_iter().collect()
    }
}
