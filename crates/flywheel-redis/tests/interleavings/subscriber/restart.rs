//! The server answers nothing, until somebody has the connection replaced: whatever was asked for, and whenever, is not
//! lost.

use std::sync::Arc;

use loom::thread::spawn;

use super::connection::{Habit, Task, catch_up, subscribe};
use super::ops::Ops;
use crate::seen::model_seeing;
use crate::shard::model;

/// `ask` is asked while a third thread has the connection replaced.
fn one_asks<T: 'static>(habit: Habit, ask: impl FnOnce(&Ops) -> T + Send + 'static) -> (T, Task<Ops>) {
    let ops = Arc::new(Ops::new(10));
    let asking = {
        let ops = Arc::clone(&ops);
        spawn(move || ask(&ops))
    };
    let doubting = {
        let ops = Arc::clone(&ops);
        spawn(move || ops.restart("doubt".into()))
    };
    let mut task = Task::new(&ops, || true).mute(habit);
    task.run(1, 2);
    let answer = asking.join().unwrap();
    doubting.join().unwrap();
    (answer, task)
}

fn check(habit: Habit) {
    let (answer, task) = one_asks(habit, subscribe);
    assert_eq!(answer, Some(Ok(())));
    assert_eq!((task.knows(), task.server.is_subscribed), (true, true));
}

#[test]
fn who_waits_for_a_silent_server_hears_the_next_one() {
    model(|| check(Habit::Sound));
}

#[test]
fn who_waits_until_all_was_read_hears_when_that_is_impossible() {
    model_seeing(&["caught up", "lost"], |seen| {
        let (answer, _) = one_asks(Habit::Sound, catch_up);
        seen.saw(if answer.is_some() { "caught up" } else { "lost" });
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_task_that_forgets_what_it_found_beside_the_restart_keeps_its_callers() {
    model(|| check(Habit::ForgetsBesideRestart));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_task_that_believes_the_connection_before_keeps_its_callers() {
    model(|| check(Habit::KeepsTheOldConnection));
}
