//! What the operator is told of commands that are refused.

use super::world::World;

/// What is written down after this command: the channel and the fault.
fn explained(command: &str) -> Option<(String, String)> {
    let mut world = World::connected();
    world.send(&format!(r#"{{"id":2,{command}}}"#));
    world.does_anything();
    assert!(world.explained.len() < 2, "{:?}", world.explained);
    world.explained.pop().map(|refusal| (refusal.channel, refusal.fault.to_string()))
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
    ] {
        let expected = Some((channel.to_owned(), fault.to_owned()));
        assert_eq!(explained(command), expected, "{command}");
    }
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
