//! Section 3.9: the end of a connection is the end of all that it had, once.

use flywheel_protocol::Disconnect;

use super::world::World;

fn busy() -> World {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"hall:live"}}"#);
    world.slow("subscribe");
    world.slow("verify");
    world.slow("publish");
    world.slow("history");
    for command in [
        r#"{"id":3,"subscribe":{"channel":"hall:coming"}}"#,
        r#"{"id":4,"subscribe":{"channel":"$vault:1","token":"s"}}"#,
        r#"{"id":5,"publish":{"channel":"lobby","data":1}}"#,
        r#"{"id":6,"publish":{"channel":"lobby","data":2}}"#,
        r#"{"id":7,"history":{"channel":"log:a"}}"#,
        r#"{"id":8,"unsubscribe":{"channel":"hall:coming"}}"#,
    ] {
        world.send(command);
    }
    world.does_anything();
    world
}

const CLEAN_UP: [&str; 6] = [
    "released 42",
    "detach hall:coming",
    "remove presence hall:coming",
    "detach hall:live",
    "remove presence hall:live",
    "leave hall:live",
];

#[test]
fn a_close_tears_everything_down_after_it() {
    let mut world = busy();
    world.act(|session, turn| session.close(turn, Disconnect::FORCE_DISCONNECT));
    let mut expected = vec!["close 3503 force disconnect"];
    expected.extend(CLEAN_UP);
    world.does(&expected);
}

#[test]
fn a_transport_that_goes_does_the_same_without_a_word() {
    let mut world = busy();
    world.hang_up();
    world.does(&CLEAN_UP);
}

#[test]
fn what_comes_after_the_end_is_ignored() {
    let mut world = busy();
    world.hang_up();
    world.does_anything();
    world.answer("subscribe");
    world.engine.present.clear();
    for kind in ["verify", "publish", "history"] {
        world.answer(kind);
    }
    world.send(r#"{"id":9,"subscribe":{"channel":"lobby"}}"#);
    world.send("no json");
    world.publish("hall:live", "1");
    world.act(|session, turn| session.close(turn, Disconnect::SHUTDOWN));
    world.hang_up();
    world.at(1_000_000);
    world.does(&[]);
}

#[test]
fn a_connection_that_never_connected_has_nothing_to_tear_down() {
    let mut world = World::new();
    world.hang_up();
    world.at(100_000);
    world.does(&[]);
}

#[test]
fn a_protocol_error_in_the_middle_of_a_frame_closes_after_the_replies_before_it() {
    let mut world = World::connected();
    world.send("{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}\n{\"id\":3}\n{\"id\":4,\"subscribe\":{\"channel\":\"b\"}}");
    world.sees(&[r#"{"id":2,"subscribe":{}}"#, "close 3501 bad request"]);
}
