use flywheel_model::Channel;
use tokio::sync::oneshot;

use crate::order::{Entry, LINE_MAX, Order, Pass};

fn wait(entry: Entry) -> oneshot::Receiver<Pass> {
    match entry {
        Entry::Wait(receiver) => receiver,
        other => panic!("{other:?}"),
    }
}

#[test]
fn passes_go_round_in_the_order_of_arrival_and_those_who_gave_up_are_passed_over() {
    let (order, channel) = (Order::default(), Channel::from("c"));
    let Entry::Now(first) = order.enter(&channel, "1") else {
        panic!("nobody has it");
    };
    let (mut second, third, mut fourth) = (
        wait(order.enter(&channel, "1")),
        wait(order.enter(&channel, "1")),
        wait(order.enter(&channel, "1")),
    );
    assert!(matches!(order.enter(&channel, "2"), Entry::Now(_)), "another client");
    assert!(matches!(order.enter(&Channel::from("d"), "1"), Entry::Now(_)), "another channel");
    assert!(second.try_recv().is_err());
    drop(first);
    let second = second.try_recv().unwrap();
    drop(third);
    assert!(fourth.try_recv().is_err());
    drop(second);
    drop(fourth.try_recv().unwrap());
    assert!(order.is_idle());
}

#[test]
fn a_line_is_bounded() {
    let (order, channel) = (Order::default(), Channel::from("c"));
    let first = order.enter(&channel, "1");
    let line: Vec<_> = (0..LINE_MAX).map(|_| wait(order.enter(&channel, "1"))).collect();
    assert!(matches!(order.enter(&channel, "1"), Entry::Full));
    drop(line);
    drop(first);
    assert!(order.is_idle());
}
