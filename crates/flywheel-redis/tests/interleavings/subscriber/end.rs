//! The subscriber is dropped: nobody waits for a task that is gone.

use std::sync::Arc;

use loom::thread::spawn;

use super::SubscribeError;
use super::connection::{Asks, Task, subscribe};
use super::faulty::{Fault, Faulty};
use super::ops::Ops;
use crate::seen::model_seeing;
use crate::shard::model;

/// One subscribes while another one drops the subscriber.
fn one_subscribes(ops: impl Asks) -> &'static str {
    let ops = Arc::new(ops);
    let asking = {
        let ops = Arc::clone(&ops);
        spawn(move || subscribe(&*ops))
    };
    let stopping = {
        let ops = Arc::clone(&ops);
        spawn(move || ops.stop())
    };
    let mut task = Task::new(&ops, || true);
    task.run(usize::MAX, 1);
    // With it go those who wait.
    drop(task);
    let answer = asking.join().unwrap();
    stopping.join().unwrap();
    assert_eq!(subscribe(&*ops), Some(Err(SubscribeError::Stopping)), "after the end");
    match answer {
        Some(Ok(())) => "answered",
        Some(Err(error)) => {
            assert_eq!(error, SubscribeError::Stopping);
            "refused"
        }
        None => "dropped",
    }
}

fn check(fault: Fault) {
    model(move || {
        one_subscribes(Faulty::new(fault));
    });
}

#[test]
fn who_subscribes_while_the_task_ends_does_not_wait_for_ever() {
    model_seeing(&["answered", "dropped", "refused"], |seen| seen.saw(one_subscribes(Ops::new(10))));
}

#[test]
fn requests_without_a_fault_pass() {
    check(Fault::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_request_that_comes_after_the_end_although_it_looked_waits_for_ever() {
    check(Fault::AsksAfterTheEnd);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_end_that_keeps_what_was_not_taken_keeps_its_callers() {
    check(Fault::KeepsWhatWaits);
}
