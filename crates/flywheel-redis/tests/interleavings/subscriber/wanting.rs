//! Whoever waits for a channel hears that it was acknowledged.

use std::sync::Arc;

use loom::thread::spawn;

use super::connection::{Asks, Task, subscribe};
use super::faulty::{Fault, Faulty};
use super::ops::Ops;
use crate::shard::model;

/// Two want the same channel while the task sleeps in between.
fn two_subscribe(ops: impl Asks) {
    let ops = Arc::new(ops);
    let asking = [(), ()].map(|()| {
        let ops = Arc::clone(&ops);
        spawn(move || assert_eq!(subscribe(&*ops), Some(Ok(()))))
    });
    let mut task = Task::new(&ops, || true);
    task.run(2, 1);
    asking.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((task.knows(), task.server.is_subscribed), (true, true));
}

#[test]
fn two_that_want_the_same_channel_both_hear_the_acknowledgement() {
    model(|| two_subscribe(Ops::new(10)));
}

#[test]
fn requests_without_a_fault_pass() {
    model(|| two_subscribe(Faulty::new(Fault::None)));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_task_that_looks_and_only_then_leaves_its_waker_sleeps_on() {
    model(|| two_subscribe(Faulty::new(Fault::LooksFirst)));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_task_that_is_woken_before_there_is_anything_sleeps_on() {
    model(|| two_subscribe(Faulty::new(Fault::WakesFirst)));
}
