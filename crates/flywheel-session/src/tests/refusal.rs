//! What the operator is told of commands that are refused.

use super::world::World;
use crate::{Failure, ServerSubscribe};

/// What is written down after this frame: the channel and the fault.
fn explained_in(mut world: World, frame: &str) -> Option<(String, String)> {
    world.send(frame);
    world.does_anything();
    assert!(world.explained.len() < 2, "{:?}", world.explained);
    world.explained.pop().map(|refusal| (refusal.channel, refusal.fault.to_string()))
}

/// The same for a command of a client that is connected.
fn explained(command: &str) -> Option<(String, String)> {
    explained_in(World::connected(), &format!(r#"{{"id":2,{command}}}"#))
}

fn about_no_channel(fault: &str) -> (String, String) {
    (String::new(), fault.to_owned())
}

#[test]
fn whatever_the_client_is_told_no_more_of_than_a_code_is_explained() {
    let long = "x".repeat(256);
    for (command, channel, fault) in [
        (r#""subscribe":{}"#, "", "missing channel"),
        (r#""unsubscribe":{}"#, "", "missing channel"),
        (r#""publish":{"data":1}"#, "", "missing channel"),
        (r#""sub_refresh":{}"#, "", "missing channel"),
        (r#""subscribe":{"channel":"café"}"#, "café", "illegal channel name"),
        (r#""presence":{"channel":"café"}"#, "café", "illegal channel name"),
        (
            &format!(r#""subscribe":{{"channel":"{long}"}}"#),
            &long[..64],
            "the channel's name is longer than 255 bytes",
        ),
        (r#""subscribe":{"channel":"lobby","type":5}"#, "lobby", "unknown type of subscription 5"),
        (r#""subscribe":{"channel":"lobby","delta":"bsdiff"}"#, "lobby", "unknown kind of delta"),
        (
            r#""subscribe":{"channel":"lobby","tf":{"op":"xor"}}"#,
            "lobby",
            "the channel allows no tags filter",
        ),
        (
            r#""subscribe":{"channel":"pick:a","tf":{"op":"xor"}}"#,
            "pick:a",
            "malformed tags filter: unknown operation",
        ),
        (r#""publish":{"channel":"lobby"}"#, "lobby", "data in another format than the channel's"),
        (
            r#""history":{"channel":"log:a","reverse":true,"since":{}}"#,
            "log:a",
            "history in reverse since offset 0",
        ),
        (r#""refresh":{}"#, "", "missing token"),
        (r#""connect":{"token":"t42"}"#, "", "connected already"),
        (r#""future":{}"#, "", "unknown method"),
    ] {
        let expected = Some((channel.to_owned(), fault.to_owned()));
        assert_eq!(explained(command), expected, "{command}");
    }
}

#[test]
fn a_command_before_connect_is_explained() {
    for frame in [
        r#"{"id":1,"subscribe":{"channel":"lobby"}}"#,
        r#"{"id":1,"future":{}}"#,
        r#"{"send":{"data":1}}"#,
        r#"{"connect":{}}"#,
        "{}",
    ] {
        assert_eq!(explained_in(World::new(), frame), Some(about_no_channel("not connected yet")), "{frame}");
    }
}

#[test]
fn a_second_connect_is_explained_also_when_the_first_was_not_answered_yet() {
    let mut world = World::new();
    world.slow("authenticate");
    world.send("{\"id\":1,\"connect\":{\"token\":\"t42\"}}\n{\"id\":2,\"connect\":{}}");
    world.answer("authenticate");
    world.does_anything();
    assert_eq!(world.explained.len(), 1, "{:?}", world.explained);
    assert_eq!(world.explained[0].fault, crate::Fault::ConnectedAlready);
}

#[test]
fn a_pong_that_nobody_asked_for_is_explained() {
    assert_eq!(explained_in(World::connected(), "{}"), Some(about_no_channel("a pong without a ping")));
}

#[test]
fn a_connect_without_a_token_is_explained_where_one_is_needed() {
    let mut world = World::new();
    world.engine.tokens.insert(String::new(), Err(Failure::MissingToken));
    world.send(r#"{"id":1,"connect":{}}"#);
    world.does(&["ask authenticate", "close 3501 bad request"]);
    assert_eq!(world.explained.len(), 1, "{:?}", world.explained);
    assert_eq!(world.explained[0].fault, crate::Fault::NoToken);
}

#[test]
fn a_connect_that_asks_for_a_channel_of_an_unknown_namespace_is_explained() {
    let frame = r#"{"id":1,"connect":{"token":"t42","subs":{"nowhere:1":{}}}}"#;
    let explained = explained_in(World::new(), frame);
    assert_eq!(explained, Some(("nowhere:1".to_owned(), "unknown namespace".to_owned())));
}

#[test]
fn a_token_for_what_the_server_renews_is_explained() {
    let fault = "the server renews this, not the client";
    let mut world = World::with(|settings, _| settings.backend.refresh = true);
    world.connect();
    let explained = explained_in(world, r#"{"id":2,"refresh":{"token":"t42"}}"#);
    assert_eq!(explained, Some(about_no_channel(fault)));
    let mut world = World::connected();
    world.act(|session, turn| session.subscribe_by_server(turn, &"lobby".into(), ServerSubscribe::default()));
    let explained = explained_in(world, r#"{"id":2,"sub_refresh":{"channel":"lobby","token":"s"}}"#);
    assert_eq!(explained, Some(("lobby".to_owned(), fault.to_owned())));
}

#[test]
fn what_cannot_be_read_is_not_explained_a_second_time() {
    assert_eq!(explained_in(World::connected(), "no json"), None);
    assert_eq!(explained_in(World::new(), "no json"), None);
    let mut world = World::new();
    world.slow("authenticate");
    world.send("{\"id\":1,\"connect\":{\"token\":\"t42\"}}\nno json");
    world.answer("authenticate");
    world.does_anything();
    assert_eq!(world.explained, []);
}

#[test]
fn what_a_code_says_by_itself_needs_no_explanation() {
    for command in [
        r#""subscribe":{"channel":"lobby"}"#,
        r#""subscribe":{"channel":"nowhere:a"}"#,
        r#""publish":{"channel":"lock:a","data":1}"#,
    ] {
        assert_eq!(explained(command), None, "{command}");
    }
}
