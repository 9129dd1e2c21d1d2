//! Commands for a channel that is being subscribed: sections 3.2, 5.10 and 14.3.

use flywheel_protocol::{ErrorCode, Unsubscribed};

use super::world::World;
use crate::ServerSubscribe;

fn subscribing(channel: &str) -> World {
    let mut world = World::connected();
    world.slow("subscribe");
    world.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#));
    world.does_anything();
    world
}

#[test]
fn a_second_subscribe_is_refused_at_once() {
    let mut world = subscribing("lobby");
    world.send(r#"{"id":3,"subscribe":{"channel":"lobby"}}"#);
    world.sees(&[r#"{"id":3,"error":{"code":105,"message":"already subscribed"}}"#]);
    world.answer("subscribe");
    world.sees(&[r#"{"id":2,"subscribe":{}}"#]);
}

#[test]
fn an_unsubscribe_waits_and_leaves_the_channel() {
    let mut world = subscribing("room:x");
    world.send(r#"{"id":3,"unsubscribe":{"channel":"room:x"}}"#);
    world.does(&[]);
    world.answer("subscribe");
    world.does(&[
        r#"{"id":2,"subscribe":{}}"#,
        "join room:x",
        r#"{"id":3,"unsubscribe":{}}"#,
        "detach room:x",
        "remove presence room:x",
        "leave room:x",
    ]);
}

#[test]
fn subscribe_unsubscribe_subscribe_ends_subscribed() {
    let mut world = subscribing("lobby");
    for command in [
        r#"{"id":3,"unsubscribe":{"channel":"lobby"}}"#,
        r#"{"id":4,"subscribe":{"channel":"lobby"}}"#,
        r#"{"id":5,"subscribe":{"channel":"lobby"}}"#,
        r#"{"id":6,"publish":{"channel":"lobby","data":1}}"#,
    ] {
        world.send(command);
    }
    world.does(&[r#"{"id":5,"error":{"code":105,"message":"already subscribed"}}"#]);
    world.answer("subscribe");
    world.does(&[
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"id":3,"unsubscribe":{}}"#,
        "detach lobby",
        "attach lobby",
        "ask subscribe",
    ]);
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":4,"subscribe":{}}"#,
        r#"{"push":{"channel":"lobby","pub":{"data":1,"info":{"user":"42","client":"c1"}}}}"#,
        r#"{"id":6,"publish":{}}"#,
    ]);
}

#[test]
fn a_subscribe_that_waited_for_one_that_failed_is_tried() {
    let mut world = subscribing("lobby");
    world.send(r#"{"id":3,"unsubscribe":{"channel":"lobby"}}"#);
    world.send(r#"{"id":4,"subscribe":{"channel":"lobby"}}"#);
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
        r#"{"id":3,"unsubscribe":{}}"#,
        r#"{"id":4,"subscribe":{}}"#,
    ]);
}

#[test]
fn other_commands_for_the_channel_wait_in_order_and_those_for_others_do_not() {
    let mut world = subscribing("hall:x");
    for command in [
        r#"{"id":3,"presence_stats":{"channel":"hall:x"}}"#,
        r#"{"id":4,"history":{"channel":"hall:x"}}"#,
        r#"{"id":5,"sub_refresh":{"channel":"hall:x"}}"#,
        r#"{"id":6,"presence":{"channel":"hall:x"}}"#,
        r#"{"id":7,"history":{"channel":"log:x"}}"#,
    ] {
        world.send(command);
    }
    world.sees(&[r#"{"id":7,"history":{"publications":[],"epoch":"e","offset":0}}"#]);
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#,
        r#"{"id":5,"error":{"code":107,"message":"bad request"}}"#,
        r#"{"id":3,"presence_stats":{"num_clients":1,"num_users":1}}"#,
        r#"{"id":4,"history":{"publications":[],"epoch":"e","offset":0}}"#,
        r#"{"id":6,"presence":{"presence":{"c1":{"user":"42","client":"c1"}}}}"#,
        r#"{"push":{"channel":"hall:x","join":{"info":{"user":"42","client":"c1"}}}}"#,
    ]);
}

#[test]
fn an_unsubscribe_by_the_server_waits_too_and_every_command_is_answered() {
    let mut world = subscribing("room:x");
    world.send(r#"{"id":3,"publish":{"channel":"room:x","data":1}}"#);
    world.act(|session, turn| session.unsubscribe_by_server(turn, "room:x", Unsubscribed::BY_SERVER));
    world.does(&[]);
    world.answer("subscribe");
    world.does(&[
        r#"{"id":2,"subscribe":{}}"#,
        "join room:x",
        "ask publish",
        "detach room:x",
        "remove presence room:x",
        "leave room:x",
        r#"{"push":{"channel":"room:x","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#,
        r#"{"id":3,"publish":{}}"#,
    ]);
}

#[test]
fn an_unsubscribe_by_the_server_of_what_failed_tells_the_client_nothing() {
    let mut world = subscribing("room:x");
    world.act(|session, turn| session.unsubscribe_by_server(turn, "room:x", Unsubscribed::BY_SERVER));
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.sees(&[r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#]);
}

#[test]
fn a_subscribe_by_the_server_waits_too() {
    let mut world = subscribing("log:x");
    world.act(|session, turn| session.subscribe_by_server(turn, &"log:x".into(), ServerSubscribe::default()));
    world.does(&[]);
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#,
        r#"{"push":{"channel":"log:x","subscribe":{"recoverable":true,"epoch":"e","positioned":true}}}"#,
    ]);
}

#[test]
fn an_unsubscribe_by_the_server_while_the_client_connects_follows_the_connect_reply() {
    let mut world = World::new();
    world.slow("subscribe");
    world.send(r#"{"id":1,"connect":{"token":"t42","subs":{"a":{},"b":{}}}}"#);
    world.answer("subscribe");
    world.act(|session, turn| session.unsubscribe_by_server(turn, "a", Unsubscribed::BY_SERVER));
    world.act(|session, turn| session.unsubscribe_by_server(turn, "b", Unsubscribed::BY_SERVER));
    world.sees(&[]);
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"a":{},"b":{}},"ping":25,"pong":true}}"#,
        r#"{"push":{"channel":"a","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#,
        r#"{"push":{"channel":"b","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#,
    ]);
}

#[test]
fn whatever_waits_counts_towards_what_may_wait() {
    let mut world = World::with(|settings, _| settings.commands_in_flight_max = 3);
    world.connect();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    world.send(r#"{"id":3,"publish":{"channel":"lobby","data":1}}"#);
    assert!(!world.is_saturated());
    world.send(r#"{"id":4,"publish":{"channel":"lobby","data":2}}"#);
    assert!(world.is_saturated());
    world.answer("subscribe");
    assert!(!world.is_saturated());
    world.slow("publish");
    for id in 5..8 {
        assert!(!world.is_saturated());
        world.send(&format!(r#"{{"id":{id},"publish":{{"channel":"lobby","data":3}}}}"#));
    }
    assert!(world.is_saturated());
    world.answer("publish");
    assert!(!world.is_saturated());
    world.answer("publish");
    world.answer("publish");
}

#[test]
fn commands_before_the_connect_reply_count_too() {
    let mut world = World::with(|settings, _| settings.commands_in_flight_max = 2);
    world.slow("authenticate");
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    assert!(!world.is_saturated());
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    assert!(world.is_saturated());
    world.answer("authenticate");
    assert!(!world.is_saturated());
}
