use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Bell, Mailbox};

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
