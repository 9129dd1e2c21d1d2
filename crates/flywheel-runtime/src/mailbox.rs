use std::sync::Arc;

use crate::Bell;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// A queue from many threads to one, bounded in bytes. Never blocks: what has no room is refused.
///
/// The lock guards the vector of items; nothing else is taken or done under it.
#[derive(Debug)]
pub struct Mailbox<T> {
    items: Mutex<Vec<T>>,
    bytes: AtomicUsize,
    bytes_max: usize,
    bell: Arc<Bell>,
}

/// There is no room in the mailbox; here is the item again.
#[derive(Debug)]
pub struct Full<T>(pub T);

impl<T> Mailbox<T> {
    /// Holds items of at most `bytes_max` bytes together, and rings `bell` for each that is put in.
    pub fn new(bytes_max: usize, bell: Arc<Bell>) -> Self {
        Self { items: Mutex::new(Vec::new()), bytes: AtomicUsize::new(0), bytes_max, bell }
    }

    /// Puts an item of `weight` bytes in. One that is heavier than the bound gets in only when it is alone.
    ///
    /// # Errors
    /// [`Full`]; the item was not put in.
    pub fn push(&self, item: T, weight: usize) -> Result<(), Full<T>> {
        if !self.reserve(weight) {
            return Err(Full(item));
        }
        self.push_reserved(item);
        Ok(())
    }

    /// Takes room for an item of `weight` bytes that will come later. Answers whether there was any. The room is given
    /// back by [`release`](Self::release), be it that the item has come and gone or never comes.
    pub fn reserve(&self, weight: usize) -> bool {
        let before = self.bytes.fetch_add(weight, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(weight) <= self.bytes_max;
        if !fits {
            self.bytes.fetch_sub(weight, Ordering::Relaxed);
        }
        fits
    }

    /// Puts an item in for which room was [reserved](Self::reserve).
    pub fn push_reserved(&self, item: T) {
        self.items.lock().push(item);
        self.bell.ring();
    }

    /// Bytes inside.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether more than half of the room is taken: the time for a publisher to wait.
    pub fn is_crowded(&self) -> bool {
        self.bytes() > self.bytes_max / 2
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.items.lock().is_empty()
    }

    /// Moves everything into `into`, which must be empty, in the order of arrival. The caller says with
    /// [`release`](Self::release) when it has dealt with it.
    pub fn drain(&self, into: &mut Vec<T>) {
        debug_assert!(into.is_empty(), "items of an earlier drain would be mixed up with later ones");
        std::mem::swap(&mut *self.items.lock(), into);
    }

    /// Runs `action` while nobody can put anything in or look inside: what a lock that is never given back does, for tests
    /// of what follows from it.
    #[cfg(debug_assertions)]
    pub fn hold(&self, action: impl FnOnce()) {
        let _held = self.items.lock();
        action();
    }

    /// Makes room: items of `weight` bytes together, taken out by [`drain`](Self::drain), are gone.
    pub fn release(&self, weight: usize) {
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
    }
}
