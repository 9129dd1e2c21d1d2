//! Section 6.1, and the order of publications of section 3.2.

use flywheel_protocol::{Disconnect, ErrorCode};

use super::world::World;
use crate::Ask;

fn check(members: &str, expected: &str) {
    let mut world = World::connected();
    world.send(&format!(r#"{{"id":2,"publish":{{{members}}}}}"#));
    world.sees(&[expected]);
}

#[test]
fn publishing_is_checked_by_name_then_data_then_permission() {
    let error =
        |code: u32, message: &str| format!(r#"{{"id":2,"error":{{"code":{code},"message":"{message}"}}}}"#);
    check(r#""data":1"#, "close 3501 bad request");
    check(r#""channel":"nowhere:ü""#, &error(102, "unknown channel"));
    check(r#""channel":"lobbü""#, &error(107, "bad request"));
    check(r#""channel":"lobby""#, &error(107, "bad request"));
    check(r#""channel":"lock:1""#, &error(107, "bad request"));
    check(r#""channel":"lock:1","data":1"#, &error(103, "permission denied"));
    check(r#""channel":"lobby","data":1,"type":1"#, &error(103, "permission denied"));
    check(r#""channel":"any:1""#, r#"{"id":2,"publish":{}}"#);
    check(r#""channel":"lobby","data":null"#, r#"{"id":2,"publish":{}}"#);
}

#[test]
fn subscribers_may_publish_where_only_subscribers_may() {
    let mut world = World::connected();
    for command in [
        r#"{"id":2,"publish":{"channel":"members:1","data":1}}"#,
        r#"{"id":3,"subscribe":{"channel":"members:1"}}"#,
        r#"{"id":4,"publish":{"channel":"members:1","data":1}}"#,
    ] {
        world.send(command);
    }
    world.sees(&[
        r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#,
        r#"{"id":3,"subscribe":{}}"#,
        r#"{"push":{"channel":"members:1","pub":{"data":1,"info":{"user":"42","client":"c1"}}}}"#,
        r#"{"id":4,"publish":{}}"#,
    ]);
}

fn publish(world: &mut World, id: u32, channel: &str) {
    world.send(&format!(r#"{{"id":{id},"publish":{{"channel":"{channel}","data":{id}}}}}"#));
}

/// The payloads of the publish questions that wait.
fn asked(world: &World) -> Vec<String> {
    let data = |ask: &Ask| match ask {
        Ask::Publish { data, .. } => Some(String::from_utf8(data.bytes().to_vec()).unwrap()),
        _ => None,
    };
    world.asked.iter().filter_map(|(_, ask)| data(ask)).collect()
}

/// Answers everything there is, and tells the order in which publications were made.
fn order(world: &mut World) -> Vec<String> {
    let mut order = Vec::new();
    while let [data] = asked(world).as_slice() {
        order.push(data.clone());
        world.answer("publish");
    }
    assert!(asked(world).is_empty(), "one at a time");
    order
}

#[test]
fn publications_are_made_one_at_a_time_in_the_order_of_their_commands() {
    let mut world = World::connected();
    world.slow("publish");
    for id in 2..6 {
        publish(&mut world, id, if id % 2 == 0 { "lobby" } else { "log:a" });
    }
    assert_eq!(order(&mut world), ["2", "3", "4", "5"]);
    world.sees(&[
        r#"{"id":2,"publish":{}}"#,
        r#"{"id":3,"publish":{}}"#,
        r#"{"id":4,"publish":{}}"#,
        r#"{"id":5,"publish":{}}"#,
    ]);
}

#[test]
fn a_publication_that_is_refused_does_not_hold_up_the_next() {
    let mut world = World::connected();
    world.slow("publish");
    publish(&mut world, 2, "lobby");
    publish(&mut world, 3, "lock:1");
    publish(&mut world, 4, "lobby");
    world.fail("publish", ErrorCode::INTERNAL);
    world.answer("publish");
    world.sees(&[
        r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
        r#"{"id":3,"error":{"code":103,"message":"permission denied"}}"#,
        r#"{"id":4,"publish":{}}"#,
    ]);
}

#[test]
fn order_holds_when_the_channel_is_subscribed_between_two_publications() {
    let mut world = World::connected();
    world.slow("publish");
    world.slow("subscribe");
    publish(&mut world, 2, "lobby");
    publish(&mut world, 3, "log:a");
    world.send(r#"{"id":4,"subscribe":{"channel":"log:a"}}"#);
    publish(&mut world, 5, "log:a");
    publish(&mut world, 6, "lobby");
    world.answer("publish");
    assert!(asked(&world).is_empty(), "the next waits for the subscription");
    publish(&mut world, 7, "log:a");
    world.answer("subscribe");
    assert_eq!(order(&mut world), ["3", "5", "6", "7"]);
}

#[test]
fn order_holds_when_another_publication_overtakes_those_that_wait_for_a_subscription() {
    let mut world = World::connected();
    world.slow("publish");
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"log:a"}}"#);
    publish(&mut world, 3, "log:a");
    publish(&mut world, 4, "lobby");
    publish(&mut world, 5, "log:a");
    publish(&mut world, 6, "lobby");
    world.answer("subscribe");
    publish(&mut world, 7, "log:a");
    let order = order(&mut world);
    let of_stream: Vec<_> = order.iter().filter(|id| ["3", "5", "7"].contains(&id.as_str())).collect();
    assert_eq!(of_stream, ["3", "5", "7"]);
    assert_eq!(order.len(), 5);
}

#[test]
fn publications_wait_until_their_channel_has_failed_to_be_subscribed() {
    let mut world = World::connected();
    world.slow("publish");
    world.slow("subscribe");
    publish(&mut world, 2, "lobby");
    publish(&mut world, 3, "log:a");
    world.send(r#"{"id":4,"subscribe":{"channel":"log:a"}}"#);
    world.answer("publish");
    world.fail("subscribe", ErrorCode::INTERNAL);
    assert_eq!(order(&mut world), ["3"]);
}

#[test]
fn nothing_is_published_after_the_close() {
    let mut world = World::connected();
    world.slow("publish");
    publish(&mut world, 2, "lobby");
    world.send(r#"{"id":3,"publish":{"data":1}}"#);
    publish(&mut world, 4, "lobby");
    world.answer("publish");
    world.does(&["ask publish", r#"{"id":2,"publish":{}}"#, "close 3501 bad request", "released 42"]);

    let mut world = World::connected();
    world.slow("publish");
    publish(&mut world, 2, "lobby");
    publish(&mut world, 3, "lobby");
    world.fail("publish", Disconnect::INTERNAL);
    world.does(&["ask publish", "close 3004 internal server error", "released 42"]);
}
