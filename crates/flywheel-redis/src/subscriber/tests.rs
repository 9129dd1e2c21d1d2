use std::task::Waker;

use bytes::Bytes;

use super::ops::{Op, Ops, TOGETHER};

#[test]
fn what_does_not_fit_is_taken_next_and_nothing_is_lost_beside_a_restart() {
    let ops = Ops::new(10_000);
    (0..=TOGETHER).for_each(|_| ops.push(Op::Unwant { name: Bytes::new() }).unwrap());
    ops.restart("doubt".into());
    let first = ops.take(Waker::noop());
    assert_eq!((first.ops.len(), first.restart.is_some()), (TOGETHER, true));
    let second = ops.take(Waker::noop());
    assert_eq!((second.ops.len(), second.restart.is_some()), (1, false));
}
