use std::task::Waker;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::lane::{Lane, Reply, Taken};
use super::{CallError, ClosedBecause};
use crate::resp::{Command, Value};

fn lane() -> Lane {
    Lane::new(100, 10_000, u32::MAX)
}

fn push(lane: &Lane, command: Command) -> oneshot::Receiver<Reply> {
    lane.push(command, 100, false).unwrap()
}

fn take(lane: &Lane) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(matches!(lane.take(&mut out, 1 << 20, Waker::noop()), Taken::Some { .. }));
    out
}

fn checked(word: &'static str) -> Value {
    Value::Array(vec![Value::Int(1), Value::Bulk(Bytes::from_static(word.as_bytes()))])
}

#[test]
fn answers_go_to_the_callers_in_order_and_give_back_the_places() {
    let lane = lane();
    lane.places.try_acquire_many(200).unwrap().forget();
    let (mut first, mut second) = (push(&lane, Command::new("A")), push(&lane, Command::new("B")));
    assert_eq!(take(&lane), b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n");
    let more = lane.answer(&mut vec![Value::Int(1), Value::Int(2)], &mut None);
    assert_eq!(more, Ok(false));
    assert_eq!(first.try_recv().unwrap(), Ok(Value::Int(1)));
    assert_eq!(second.try_recv().unwrap(), Ok(Value::Int(2)));
    assert_eq!(lane.places.available_permits(), 10_000);
}

#[test]
fn an_answer_without_the_callers_word_is_for_somebody_else() {
    for (answer, is_ours) in [
        (checked("4294967295"), true),
        (checked("0"), false),
        (Value::Array(vec![]), false),
        (Value::Int(1), false),
    ] {
        let lane = lane();
        let mut reply = push(&lane, Command::new("EVALSHA").checked());
        assert!(take(&lane).ends_with(b"$10\r\n4294967295\r\n"));
        assert_eq!(lane.answer(&mut vec![answer], &mut None).is_ok(), is_ours);
        let expected = if is_ours {
            Ok(Value::Array(vec![Value::Int(1)]))
        } else {
            Err(CallError::Lost(ClosedBecause::MixedUp))
        };
        assert_eq!(reply.try_recv().unwrap(), expected);
    }
}

#[test]
fn an_answer_that_nobody_waits_for_closes_and_so_does_a_stray_echo() {
    assert_eq!(lane().answer(&mut vec![Value::Int(1)], &mut None), Err(ClosedBecause::MixedUp));
    let lane = lane();
    let _reply = push(&lane, Command::new("GET"));
    lane.push_heartbeat(7);
    assert!(take(&lane).ends_with(b"fw:0000000000000007\r\n"));
    let echo = Value::Bulk(Bytes::from_static(b"fw:0000000000000007"));
    assert_eq!(lane.answer(&mut vec![echo], &mut Some(7)), Err(ClosedBecause::MixedUp));
}

#[test]
fn closing_tells_apart_what_was_sent_and_what_was_not() {
    let lane = lane();
    let (mut first, mut second) = (push(&lane, Command::new("A")), push(&lane, Command::new("B")));
    assert_eq!(take(&lane).len(), 22);
    let mut third = push(&lane, Command::new("C"));
    lane.close_at(ClosedBecause::ByServer, 3);
    assert_eq!(first.try_recv().unwrap(), Err(CallError::Lost(ClosedBecause::ByServer)));
    for reply in [&mut second, &mut third] {
        assert_eq!(reply.try_recv().unwrap(), Err(CallError::NotSent(ClosedBecause::ByServer)));
    }
    assert_eq!(lane.push(Command::new("D"), 1, false).unwrap_err(), ClosedBecause::ByServer);
    assert!(matches!(lane.take(&mut Vec::new(), 1, Waker::noop()), Taken::Closed));
}

#[test]
fn more_is_awaited_only_while_others_are_under_way() {
    let lane = lane();
    let _first = push(&lane, Command::new("A"));
    assert!(!lane.is_filling(), "a call by itself is not kept waiting");
    take(&lane);
    assert!(!lane.is_filling(), "nothing is to be sent");
    let _second = push(&lane, Command::new("B"));
    assert!(lane.is_filling());
    lane.close(ClosedBecause::ByServer);
    assert!(!lane.is_filling());
}

#[test]
fn a_call_that_was_given_up_before_it_was_taken_is_not_sent() {
    let lane = lane();
    drop(push(&lane, Command::new("A")));
    assert_eq!(take(&lane), b"");
}
