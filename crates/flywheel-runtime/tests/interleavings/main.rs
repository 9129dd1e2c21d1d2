//! Every order in which the threads around a shard's mailbox may go on: nothing is lost, nobody sleeps for ever.
//!
//! The cells are those of the crate, compiled once more with loom's atomics and locks. A sleeper that nobody wakes is a
//! deadlock, and loom panics. What each order of steps is good for is shown beside it, by a model in which two steps are the
//! other way round, and which has to fail.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]
#![allow(dead_code, unreachable_pub, reason = "the cells are compiled whole, and used in part")]

#[path = "../../src/bell.rs"]
mod bell;
#[path = "../../src/mailbox.rs"]
mod mailbox;
#[path = "../../src/marks.rs"]
mod marks;
mod shard;
mod sync;

pub(crate) use bell::Bell;

use loom::thread::spawn;

use mailbox::Mailbox;
use marks::Marks;
use shard::{Sleep, model};
use sync::{AtomicBool, Mutex, Ordering};

use std::sync::Arc;

/// A bell, and the sleep that it interrupts.
fn bell() -> (Arc<Bell>, Arc<Sleep>) {
    let sleep = Arc::new(Sleep::new());
    let woken = Arc::clone(&sleep);
    (Arc::new(Bell::new(move || woken.wake())), sleep)
}

/// What a shard does between two turns.
fn rest(bell: &Bell, sleep: &Sleep, is_idle: impl Fn() -> bool) {
    bell.prepare();
    if is_idle() {
        sleep.until_woken();
    }
    bell.awake();
}

#[test]
fn what_two_threads_post_wakes_a_shard_that_goes_to_sleep() {
    model(|| {
        let (bell, sleep) = bell();
        let mailbox = Arc::new(Mailbox::new(10, Arc::clone(&bell)));
        let posting = [1, 2].map(|item| {
            let mailbox = Arc::clone(&mailbox);
            spawn(move || mailbox.push(item, 1).unwrap())
        });
        let (mut seen, mut items) = (Vec::new(), Vec::new());
        while seen.len() < 2 {
            rest(&bell, &sleep, || mailbox.is_empty());
            mailbox.drain(&mut items);
            mailbox.release(items.len());
            seen.append(&mut items);
        }
        seen.sort_unstable();
        assert_eq!((seen, mailbox.bytes()), (vec![1, 2], 0));
        posting.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn what_one_thread_posts_comes_in_order() {
    model(|| {
        let (bell, sleep) = bell();
        let mailbox = Arc::new(Mailbox::new(10, Arc::clone(&bell)));
        let posting = {
            let mailbox = Arc::clone(&mailbox);
            spawn(move || [1, 2, 3].into_iter().for_each(|item| mailbox.push(item, 1).unwrap()))
        };
        let (mut seen, mut items) = (Vec::new(), Vec::new());
        while seen.len() < 3 {
            rest(&bell, &sleep, || mailbox.is_empty());
            mailbox.drain(&mut items);
            mailbox.release(items.len());
            seen.append(&mut items);
        }
        assert_eq!(seen, [1, 2, 3]);
        posting.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_shard_that_looks_before_it_prepares_to_sleep_is_never_woken() {
    model(|| {
        let (bell, sleep) = bell();
        let mailbox = Arc::new(Mailbox::new(10, Arc::clone(&bell)));
        let posting = {
            let mailbox = Arc::clone(&mailbox);
            spawn(move || mailbox.push(1, 1).unwrap())
        };
        if mailbox.is_empty() {
            bell.prepare();
            sleep.until_woken();
        }
        posting.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_shard_that_is_rung_for_before_there_is_anything_sleeps_on() {
    model(|| {
        let (bell, sleep) = bell();
        let items = Arc::new(Mutex::new(Vec::new()));
        let posting = {
            let (bell, items) = (Arc::clone(&bell), Arc::clone(&items));
            spawn(move || {
                bell.ring();
                items.lock().push(1);
            })
        };
        rest(&bell, &sleep, || items.lock().is_empty());
        posting.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_flag_that_is_written_and_looked_at_without_a_lock_may_be_seen_too_late() {
    model(|| {
        let (bell, sleep) = bell();
        let has_any = Arc::new(AtomicBool::new(false));
        let marking = {
            let (bell, has_any) = (Arc::clone(&bell), Arc::clone(&has_any));
            spawn(move || {
                has_any.store(true, Ordering::Release);
                bell.ring();
            })
        };
        rest(&bell, &sleep, || !has_any.load(Ordering::Acquire));
        marking.join().unwrap();
    });
}

/// As a shard's post delivers.
fn deliver(mailbox: &Mailbox<u32>, mark: impl Fn(u32), item: u32) {
    if let Err(mailbox::Full(item)) = mailbox.push(item, 1) {
        mark(item);
    }
}

#[test]
fn what_has_no_room_is_marked_once_and_the_shard_learns_of_it() {
    model(|| {
        let (bell, sleep) = bell();
        // There is room for one.
        let mailbox = Arc::new(Mailbox::new(1, Arc::clone(&bell)));
        let marks = Arc::new(Marks::new(Arc::clone(&bell)));
        let posting = [1, 2].map(|item| {
            let (mailbox, marks) = (Arc::clone(&mailbox), Arc::clone(&marks));
            spawn(move || deliver(&mailbox, |item| marks.mark(item), item))
        });
        let (mut seen, mut items) = (Vec::new(), Vec::new());
        while seen.len() < 2 {
            rest(&bell, &sleep, || mailbox.is_empty() && marks.is_empty());
            mailbox.drain(&mut items);
            mailbox.release(items.len());
            seen.append(&mut items);
            seen.append(&mut marks.take());
        }
        posting.into_iter().for_each(|thread| thread.join().unwrap());
        seen.append(&mut marks.take());
        seen.sort_unstable();
        assert_eq!((seen, mailbox.bytes()), (vec![1, 2], 0), "each was delivered or marked, and none twice");
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_mark_that_rings_no_bell_is_slept_over() {
    model(|| {
        let (bell, sleep) = bell();
        let (silent, _) = self::bell();
        let mailbox = Arc::new(Mailbox::new(1, Arc::clone(&bell)));
        let marks = Arc::new(Marks::new(silent));
        let posting = [1, 2].map(|item| {
            let (mailbox, marks) = (Arc::clone(&mailbox), Arc::clone(&marks));
            spawn(move || deliver(&mailbox, |item| marks.mark(item), item))
        });
        let (mut seen, mut items) = (0, Vec::new());
        while seen < 2 {
            rest(&bell, &sleep, || mailbox.is_empty() && marks.is_empty());
            mailbox.drain(&mut items);
            mailbox.release(items.len());
            seen += items.len() + marks.take().len();
            items.clear();
        }
        posting.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_thing_that_two_threads_mark_while_it_is_taken_is_looked_at_after_the_last_mark() {
    model(|| {
        let (bell, _) = bell();
        let marks = Arc::new(Marks::new(bell));
        let marking = [(), ()].map(|()| {
            let marks = Arc::clone(&marks);
            spawn(move || marks.mark("room"))
        });
        let first = marks.take();
        marking.into_iter().for_each(|thread| thread.join().unwrap());
        let last = marks.take();
        assert!(first.len() <= 1 && last.len() <= 1, "in one look it is there once");
        assert!(first.len() + last.len() > 0, "it is lost");
        assert_eq!(marks.take(), Vec::<&str>::new());
    });
}

#[test]
#[should_panic(expected = "it is lost")]
fn a_mark_that_says_so_before_it_is_there_is_lost() {
    model(|| {
        let marked = Arc::new(Mutex::new(Vec::new()));
        let has_any = Arc::new(AtomicBool::new(false));
        let marking = {
            let (marked, has_any) = (Arc::clone(&marked), Arc::clone(&has_any));
            spawn(move || {
                has_any.store(true, Ordering::Release);
                marked.lock().push("room");
            })
        };
        let take = || {
            let has_any = has_any.swap(false, Ordering::Acquire);
            if has_any { std::mem::take(&mut *marked.lock()) } else { Vec::new() }
        };
        let first = take();
        marking.join().unwrap();
        assert!(first.len() + take().len() > 0, "it is lost");
    });
}
