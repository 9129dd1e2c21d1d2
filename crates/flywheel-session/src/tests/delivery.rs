//! Live delivery, row by row of section 5.8, and what insufficient state means.

use std::sync::Arc;

use flywheel_model::{ChannelEvent, ChannelEventKind, Epoch, Payload, Publication};

use super::world::World;
use crate::ServerSubscribe;

const LOST: &str =
    r#"{"push":{"channel":"log:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#;

fn event(offset: u64, epoch: &str) -> ChannelEvent {
    let publication = Publication { offset, ..Publication::of(Payload::from("9")) };
    let kind = ChannelEventKind::Publication(Arc::new(publication), Epoch::from(epoch), None);
    ChannelEvent { channel: "log:a".into(), kind }
}

/// A subscription at offset 2 of epoch `e`.
fn subscribed(by_server: bool) -> World {
    let mut world = World::connected();
    world.publish("log:a", "1");
    world.publish("log:a", "2");
    if by_server {
        world.act(|session, turn| {
            session.subscribe_by_server(turn, &"log:a".into(), ServerSubscribe::default());
        });
    } else {
        world.send(r#"{"id":2,"subscribe":{"channel":"log:a"}}"#);
    }
    world.does_anything();
    world
}

fn check(offset: u64, epoch: &str, client_side: &[&str], server_side: &[&str]) {
    for (by_server, expected) in [(false, client_side), (true, server_side)] {
        let mut world = subscribed(by_server);
        world.deliver(&event(offset, epoch));
        world.sees(expected);
    }
}

#[test]
fn the_next_publication_is_delivered() {
    let push = r#"{"push":{"channel":"log:a","pub":{"data":9,"offset":3}}}"#;
    check(3, "e", &[push], &[push]);
}

#[test]
fn a_late_duplicate_is_dropped_silently() {
    check(2, "e", &[], &[]);
    check(1, "e", &[], &[]);
}

#[test]
fn a_gap_or_another_epoch_is_insufficient_state() {
    for (offset, epoch) in [(4, "e"), (u64::MAX, "e"), (3, "f"), (1, "f"), (3, "")] {
        check(offset, epoch, &[LOST], &["close 3010 insufficient state"]);
    }
}

#[test]
fn what_history_still_has_is_delivered_before_what_showed_that_it_was_missing() {
    for by_server in [false, true] {
        let mut world = subscribed(by_server);
        world.mail_waits = true;
        for data in ["3", "4", "5"] {
            world.publish("log:a", data);
        }
        world.mailbox.drain(..2);
        world.fetch_mail();
        let push = |number| {
            format!(r#"{{"push":{{"channel":"log:a","pub":{{"data":{number},"offset":{number}}}}}}}"#)
        };
        world.sees(&[&push(3), &push(4), &push(5)]);
    }
}

#[test]
fn of_a_cache_nothing_but_the_newest_is_missed() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"snap:a"}}"#);
    world.does_anything();
    world.mail_waits = true;
    for data in ["1", "2", "3"] {
        world.publish("snap:a", data);
    }
    world.mailbox.drain(..2);
    world.fetch_mail();
    world.does(&[r#"{"push":{"channel":"snap:a","pub":{"data":3,"offset":3}}}"#]);
}

#[test]
fn events_lost_while_a_subscription_is_set_up_are_looked_for_when_it_is_live() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.mail_waits = true;
    world.send(r#"{"id":2,"subscribe":{"channel":"log:a"}}"#);
    let prepared = world.prepare("subscribe");
    world.publish("log:a", "1");
    world.mailbox.clear();
    world.act(|session, _| session.handle_gap(crate::SubKey(0)));
    world.does_anything();
    world.give(prepared);
    world.does(&[
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#,
        "heal log:a",
        r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#,
    ]);
}

#[test]
fn an_unknown_epoch_is_adopted() {
    let mut world = World::connected();
    world.engine.stream("log:a").epoch = Epoch::unknown();
    world.send(r#"{"id":2,"subscribe":{"channel":"log:a"}}"#);
    world.deliver(&event(1, "f"));
    world.deliver(&event(2, "g"));
    world.sees(&[
        r#"{"id":2,"subscribe":{"recoverable":true,"positioned":true}}"#,
        r#"{"push":{"channel":"log:a","pub":{"data":9,"offset":1,"epoch":"f"}}}"#,
        LOST,
    ]);
}

#[test]
fn a_publication_outside_the_stream_moves_no_position() {
    let mut world = subscribed(false);
    world.deliver(&event(0, ""));
    world.deliver(&event(3, "e"));
    world.sees(&[
        r#"{"push":{"channel":"log:a","pub":{"data":9}}}"#,
        r#"{"push":{"channel":"log:a","pub":{"data":9,"offset":3}}}"#,
    ]);
}

#[test]
fn without_positioning_publications_are_delivered_as_they_come() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"ask:1"}}"#);
    for offset in [7, 7, 1, 0] {
        world.deliver(&ChannelEvent { channel: "ask:1".into(), ..event(offset, "e") });
    }
    world.sees(&[
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"push":{"channel":"ask:1","pub":{"data":9,"offset":7}}}"#,
        r#"{"push":{"channel":"ask:1","pub":{"data":9,"offset":7}}}"#,
        r#"{"push":{"channel":"ask:1","pub":{"data":9,"offset":1,"epoch":"e"}}}"#,
        r#"{"push":{"channel":"ask:1","pub":{"data":9}}}"#,
    ]);
}

#[test]
fn insufficient_state_drops_the_subscription_before_the_client_is_told() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"hall:a"}}"#);
    world.does_anything();
    world.deliver(&ChannelEvent { channel: "hall:a".into(), ..event(5, "e") });
    world.does(&[
        "detach hall:a",
        "remove presence hall:a",
        "leave hall:a",
        r#"{"push":{"channel":"hall:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
    ]);
    world.send(r#"{"id":3,"subscribe":{"channel":"hall:a"}}"#);
    world.sees(&[
        r#"{"id":3,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#,
        r#"{"push":{"channel":"hall:a","join":{"info":{"user":"42","client":"c1"}}}}"#,
    ]);
}

#[test]
fn nothing_is_delivered_after_the_unsubscribe_reply() {
    let mut world = subscribed(false);
    world.mail_waits = true;
    world.publish("log:a", "3");
    world.send(r#"{"id":3,"unsubscribe":{"channel":"log:a"}}"#);
    world.fetch_mail();
    world.does(&[r#"{"id":3,"unsubscribe":{}}"#, "detach log:a"]);
}

#[test]
fn unsubscribe_succeeds_whether_or_not_there_is_a_subscription_of_whatever_side() {
    let mut world = subscribed(true);
    world.send(r#"{"id":3,"unsubscribe":{"channel":"never-seen"}}"#);
    world.send(r#"{"id":4,"unsubscribe":{"channel":"log:a"}}"#);
    world.send(r#"{"id":5,"unsubscribe":{}}"#);
    world.does(&[
        r#"{"id":3,"unsubscribe":{}}"#,
        r#"{"id":4,"unsubscribe":{}}"#,
        "detach log:a",
        "close 3501 bad request",
        "released 42",
    ]);
}

#[test]
fn a_payload_that_is_no_json_closes_a_json_client() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"any:1"}}"#);
    world.publish("any:1", "not json");
    world.sees(&[r#"{"id":2,"subscribe":{}}"#, "close 3506 inappropriate protocol"]);
}
