use crate::sync::{AtomicBool, Ordering};

/// Wakes one sleeping thread, once per sleep: whoever rings while it is awake pays nothing.
///
/// The sleeper calls [`prepare`](Self::prepare), looks at its queues once more, sleeps in whatever `wake` interrupts, and
/// calls [`awake`](Self::awake). A ringer puts its item into a queue first and rings then. So either the sleeper sees
/// the item when it looks, or the ringer sees that it prepares to sleep.
pub struct Bell {
    sleeping: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Bell {
    /// `wake` interrupts the sleep, also one that is about to begin.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { sleeping: AtomicBool::new(false), wake: Box::new(wake) }
    }

    /// From now on ringing wakes.
    pub fn prepare(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
    }

    /// From now on ringing does nothing.
    pub fn awake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// Wakes the sleeper if it sleeps.
    pub fn ring(&self) {
        if self.sleeping.load(Ordering::SeqCst) && self.sleeping.swap(false, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bell").field("sleeping", &self.sleeping).finish_non_exhaustive()
    }
}
