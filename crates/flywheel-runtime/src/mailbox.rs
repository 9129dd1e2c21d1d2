use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::Bell;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(bytes_max: usize) -> (Mailbox<u32>, Arc<AtomicUsize>) {
        let rings = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rings);
        let bell = Arc::new(Bell::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }));
        bell.prepare();
        (Mailbox::new(bytes_max, bell), rings)
    }

    #[test]
    fn what_has_no_room_comes_back_and_room_returns_with_release() {
        let (mailbox, _) = mailbox(10);
        mailbox.push(1, 6).unwrap();
        assert!(mailbox.is_crowded());
        assert_eq!(mailbox.push(2, 6).unwrap_err().0, 2);
        let mut items = Vec::new();
        mailbox.drain(&mut items);
        assert_eq!(items, [1]);
        assert!(mailbox.push(3, 6).is_err());
        mailbox.release(6);
        mailbox.push(3, 6).unwrap();
    }

    #[test]
    fn reserved_room_is_nobody_elses() {
        let (mailbox, _) = mailbox(10);
        assert!(mailbox.reserve(6));
        assert!(mailbox.push(1, 6).is_err());
        assert!(!mailbox.reserve(6) && mailbox.is_empty());
        mailbox.push_reserved(2);
        let mut items = Vec::new();
        mailbox.drain(&mut items);
        mailbox.release(6);
        assert_eq!((items, mailbox.bytes()), (vec![2], 0));
    }

    #[test]
    fn an_item_heavier_than_the_bound_gets_in_alone() {
        let (mailbox, _) = mailbox(10);
        mailbox.push(1, 100).unwrap();
        assert!(mailbox.push(2, 1).is_err());
    }

    #[test]
    fn a_sleeper_is_woken_once_for_many_items() {
        let (mailbox, rings) = mailbox(10);
        for item in 0..5 {
            mailbox.push(item, 1).unwrap();
        }
        assert_eq!(rings.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn nothing_is_lost_between_threads_that_push_and_one_that_sleeps() {
        let (wake, sleep) = std::sync::mpsc::sync_channel::<()>(1);
        let bell = Arc::new(Bell::new(move || wake.try_send(()).unwrap_or_default()));
        let mailbox = Arc::new(Mailbox::new(usize::MAX, Arc::clone(&bell)));
        let pushers: Vec<_> = (0..4)
            .map(|_| {
                let mailbox = Arc::clone(&mailbox);
                std::thread::spawn(move || {
                    for item in 0..10_000 {
                        mailbox.push(item, 1).unwrap();
                    }
                })
            })
            .collect();
        let (mut seen, mut items) = (0, Vec::new());
        while seen < 40_000 {
            bell.prepare();
            if mailbox.is_empty() {
                sleep.recv_timeout(std::time::Duration::from_secs(30)).expect("a push that rang no bell");
            }
            bell.awake();
            mailbox.drain(&mut items);
            seen += items.len();
            items.clear();
        }
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    }
}
