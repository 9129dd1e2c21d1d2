//! Section 3.4.

use super::world::World;

#[test]
fn pings_come_every_interval_and_each_is_answered_once() {
    let mut world = World::connected();
    world.at(12_499);
    world.does(&[]);
    world.at(12_500);
    world.does(&["{}"]);
    world.send("{}");
    world.at(37_500);
    world.does(&["{}"]);
    world.send("{}");
    world.does(&[]);
    world.send("{}");
    world.sees(&["close 3501 bad request"]);
}

#[test]
fn a_pong_before_any_ping_is_a_violation() {
    let mut world = World::connected();
    world.send("{}");
    world.sees(&["close 3501 bad request"]);
}

#[test]
fn a_silent_client_is_closed_with_no_pong() {
    let mut world = World::connected();
    world.at(20_499);
    world.does(&["{}"]);
    world.at(20_500);
    world.sees(&["close 3012 no pong"]);
}

#[test]
fn other_commands_do_not_count_as_pongs() {
    let mut world = World::connected();
    world.at(12_500);
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    world.at(20_500);
    world.sees(&["{}", r#"{"id":2,"subscribe":{}}"#, "close 3012 no pong"]);
}

#[test]
fn a_command_without_id_counts_as_a_pong_whatever_it_asks() {
    let mut world = World::connected();
    world.at(12_500);
    world.send(r#"{"subscribe":{"channel":"lobby"}}"#);
    world.at(37_499);
    world.sees(&["{}"]);
}

#[test]
fn pings_of_the_transport_are_answered_by_the_transport() {
    let mut world = World::with(|_, greeting| greeting.app_pings = false);
    world.send(r#"{"id":1,"connect":{}}"#);
    world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v"}}"#]);
    world.at(12_500);
    world.act(crate::Session::handle_transport_pong);
    world.act(crate::Session::handle_transport_pong);
    world.at(37_500);
    world.does(&["transport ping", "transport ping"]);
    world.at(45_500);
    world.sees(&["close 3000 connection closed"]);
}

#[test]
fn without_a_pong_timeout_pings_go_out_and_nothing_is_missed() {
    let mut world = World::with(|settings, _| settings.pong_timeout = None);
    world.send(r#"{"id":1,"connect":{}}"#);
    world.at(62_500);
    world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v","ping":25}}"#, "{}", "{}", "{}"]);
}

#[test]
fn requests_that_this_protocol_does_not_know_are_violations() {
    for command in [r#"{"id":2}"#, r#"{"id":2,"ping":{}}"#, r#"{"id":2,"new":{}}"#, "null", ""] {
        let mut world = World::connected();
        world.send(command);
        world.sees(&["close 3501 bad request"]);
    }
}

#[test]
fn send_has_no_consumer_and_closes_with_or_without_an_id() {
    for command in [r#"{"send":{"data":1}}"#, r#"{"id":2,"send":{}}"#] {
        let mut world = World::connected();
        world.send(command);
        world.sees(&["close 3508 not available"]);
    }
}
