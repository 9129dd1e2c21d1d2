//! While the connection ends: nobody waits for ever, and what is said not to have been sent never was.

use std::sync::Arc;

use loom::thread::spawn;

use super::connection::{Calls, call, echo, has, lane, serve};
use super::faulty::{Fault, Faulty};
use super::lane::{Reply, Taken};
use super::{CallError, ClosedBecause};
use crate::resp::Command;
use crate::seen::model_seeing;
use crate::shard::model;
use crate::waiting::{Rest, wait};

/// Judges an outcome by the bytes that the server may have got.
fn judge(name: &'static str, outcome: &Reply, bytes: &[u8]) -> &'static str {
    match outcome {
        Err(CallError::Lost(_)) => "lost",
        Err(CallError::NotSent(_)) => {
            assert!(!has(bytes, name), "a call that is said not to have been sent was");
            "not sent"
        }
        answer => {
            assert_eq!(*answer, Ok(echo(name)));
            "answered"
        }
    }
}

/// A call, the task that carries it out, and a third thread that ends the connection.
fn one_call(lane: impl Calls, is_mute: bool) -> &'static str {
    let lane = Arc::new(lane);
    let serving = {
        let lane = Arc::clone(&lane);
        spawn(move || serve(&*lane, usize::MAX, is_mute))
    };
    let closing = {
        let lane = Arc::clone(&lane);
        spawn(move || lane.close())
    };
    let outcome = call(&*lane, "call");
    let taken = serving.join().unwrap();
    closing.join().unwrap();
    let refused = call(&*lane, "late");
    assert!(matches!(refused, Err(CallError::NotSent(_))), "{refused:?} after the end");
    judge("call", &outcome, &taken)
}

fn check(fault: Fault) {
    // The server is silent, so that nothing but the end has anything to say.
    model(move || {
        one_call(Faulty::new(fault), true);
    });
}

#[test]
fn who_calls_while_the_connection_ends_hears_once_what_came_of_it() {
    model_seeing(&["answered", "lost", "not sent"], |seen| seen.saw(one_call(lane(1), false)));
}

#[test]
fn who_calls_a_server_that_is_silent_hears_of_the_end() {
    model_seeing(&["lost", "not sent"], |seen| seen.saw(one_call(lane(1), true)));
}

/// One call has the only place, another one waits for it, and a third thread ends the connection.
fn one_waits_for_a_place() -> &'static str {
    let lane = Arc::new(lane(1));
    let answer = Calls::push(&*lane, Command::new("first")).unwrap();
    let serving = {
        let lane = Arc::clone(&lane);
        spawn(move || serve(&*lane, usize::MAX, true))
    };
    let closing = {
        let lane = Arc::clone(&lane);
        spawn(move || Calls::close(&*lane))
    };
    assert_eq!(call(&*lane, "second"), Err(CallError::NotSent(ClosedBecause::ByUs("closed".into()))));
    let first = wait(answer).unwrap();
    closing.join().unwrap();
    judge("first", &first, &serving.join().unwrap())
}

#[test]
fn who_waits_for_a_place_hears_of_the_end() {
    model_seeing(&["lost", "not sent"], |seen| seen.saw(one_waits_for_a_place()));
}

#[test]
fn a_lane_without_a_fault_passes() {
    check(Fault::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_call_that_comes_after_the_end_although_it_looked_waits_for_ever() {
    check(Fault::CallsAfterTheEnd);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_end_that_leaves_what_was_sent_keeps_its_callers() {
    check(Fault::LeavesWhatWasSent);
}

#[test]
#[should_panic(expected = "a call that is said not to have been sent was")]
fn an_end_that_denies_what_was_sent_is_a_lie() {
    check(Fault::DeniesWhatWasSent);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_end_that_wakes_nobody_is_slept_over() {
    check(Fault::EndsInSilence);
}

/// Two calls are on their way when the connection breaks after the first, and somebody ends it as well.
fn two_calls_in_pieces(is_exact: bool) -> (&'static str, &'static str) {
    let lane = Arc::new(lane(2));
    let breaking = {
        let lane = Arc::clone(&lane);
        spawn(move || {
            let rest = Rest::new();
            let mut out = Vec::new();
            while out.is_empty() {
                if matches!(lane.take(&mut out, usize::MAX, rest.waker()), Taken::Closed) {
                    return out;
                }
                if out.is_empty() {
                    rest.until_woken();
                }
            }
            let mut first = Vec::new();
            Command::new("first").write(&mut first);
            out.truncate(first.len());
            let left = if is_exact { out.len() as u64 } else { 0 };
            lane.close_at(ClosedBecause::ByServer, left);
            out
        })
    };
    let closing = {
        let lane = Arc::clone(&lane);
        spawn(move || lane.close(ClosedBecause::ByUs("closed".into())))
    };
    let answers = ["first", "second"].map(|name| {
        let command = Command::new(name);
        let cost = lane.cost(&command);
        lane.push(command, cost, false)
    });
    let [first, second] = answers.map(|answer| match answer {
        Ok(answer) => wait(answer).unwrap(),
        Err(reason) => Err(CallError::NotSent(reason)),
    });
    let left = breaking.join().unwrap();
    closing.join().unwrap();
    (judge("first", &first, &left), judge("second", &second, &left))
}

#[test]
fn what_had_not_left_when_the_connection_broke_was_not_sent() {
    let cases = ["both lost", "neither sent", "the first lost"];
    model_seeing(&cases, |seen| {
        seen.saw(match two_calls_in_pieces(true) {
            ("lost", "lost") => "both lost",
            ("lost", "not sent") => "the first lost",
            ("not sent", "not sent") => "neither sent",
            other => unreachable!("{other:?}"),
        });
    });
}

#[test]
#[should_panic(expected = "a call that is said not to have been sent was")]
fn a_task_that_forgets_what_has_left_tells_a_lie() {
    model(|| {
        two_calls_in_pieces(false);
    });
}
