//! While the connection lives: everybody gets his own answer, and every place is given back once.

use std::sync::Arc;
use std::task::Waker;

use loom::thread::spawn;

use super::connection::{PLACES, call, echo, echoes, has, lane, serve};
use super::lane::Lane;
use crate::resp::Command;
use crate::seen::model_seeing;
use crate::shard::model;
use crate::waiting::Rest;

/// Nothing is under way, and all places are free.
fn check_rest(lane: &Lane) {
    assert_eq!((lane.in_flight(), lane.places.available_permits()), (0, PLACES), "in flight, and places");
}

/// Two call while the task sleeps in between.
fn two_calls(calls_max: usize) {
    let lane = Arc::new(lane(calls_max));
    let calling = ["first", "second"].map(|name| {
        let lane = Arc::clone(&lane);
        spawn(move || assert_eq!(call(&*lane, name), Ok(echo(name))))
    });
    serve(&*lane, 2, false);
    calling.into_iter().for_each(|thread| thread.join().unwrap());
    check_rest(&lane);
}

#[test]
fn two_that_call_while_the_task_goes_to_sleep_get_each_its_own_answer() {
    model(|| two_calls(2));
}

#[test]
fn who_waits_for_a_place_gets_that_of_the_call_before() {
    model(|| two_calls(1));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_task_that_looks_and_only_then_leaves_its_waker_sleeps_on() {
    model(|| {
        let lane = Arc::new(lane(1));
        let calling = {
            let lane = Arc::clone(&lane);
            spawn(move || drop(call(&*lane, "call")))
        };
        let rest = Rest::new();
        let mut out = Vec::new();
        while out.is_empty() {
            let _ = lane.take(&mut out, usize::MAX, Waker::noop());
            if out.is_empty() {
                // There is no room for anything, so that this does no more than to leave the waker.
                let _ = lane.take(&mut out, 0, rest.waker());
                rest.until_woken();
            }
        }
        lane.answer(&mut echoes(&out), &mut None).unwrap();
        calling.join().unwrap();
    });
}

/// One calls and gives up, and another one calls. `give_up` has still to be done when the first does not wait any more.
fn one_gives_up(give_up: impl FnOnce(&Lane, u32) + Send + 'static) -> &'static str {
    let lane = Arc::new(lane(2));
    let giving_up = {
        let lane = Arc::clone(&lane);
        spawn(move || {
            let command = Command::new("first");
            let cost = lane.cost(&command);
            lane.places.try_acquire_many(cost).unwrap().forget();
            let mut answer = lane.push(command, cost, false).unwrap();
            // The lock gives the others a turn.
            lane.in_flight();
            let is_late = answer.try_recv().is_ok();
            drop(answer);
            give_up(&lane, cost);
            is_late
        })
    };
    let calling = {
        let lane = Arc::clone(&lane);
        spawn(move || assert_eq!(call(&*lane, "second"), Ok(echo("second"))))
    };
    let mut taken = Vec::new();
    while !has(&taken, "second") {
        taken.extend(serve(&*lane, 1, false));
    }
    let is_late = giving_up.join().unwrap();
    calling.join().unwrap();
    // The first may have been the last to call.
    let mut out = Vec::new();
    let _ = lane.take(&mut out, usize::MAX, Waker::noop());
    lane.answer(&mut echoes(&out), &mut None).unwrap();
    check_rest(&lane);
    match (is_late, has(&taken, "first")) {
        (true, _) => "answered",
        (false, true) => "given up under way",
        (false, false) => "given up before it was sent",
    }
}

#[test]
fn who_gives_up_leaves_nothing_behind() {
    let cases = ["answered", "given up before it was sent", "given up under way"];
    model_seeing(&cases, |seen| seen.saw(one_gives_up(|_, _| {})));
}

#[test]
#[should_panic(expected = "in flight, and places")]
fn a_place_that_is_also_given_back_by_who_gives_up_is_given_back_twice() {
    model(|| {
        one_gives_up(|lane, cost| lane.places.add_permits(cost.try_into().unwrap()));
    });
}
