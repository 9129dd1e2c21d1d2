//! Sections 5.1, 5.2 and 11.3.

use flywheel_model::{OptionOverrides, Payload, SubscribeGrant, SubscriptionClaims};
use flywheel_protocol::ErrorCode;

use super::world::World;
use crate::Failure;

fn check(command: &str, expected: &str) {
    let mut world = World::connected();
    world.send(command);
    world.sees(&[expected]);
}

fn error(code: u32, message: &str) -> String {
    format!(r#"{{"id":2,"error":{{"code":{code},"message":"{message}"}}}}"#)
}

#[test]
fn the_first_check_that_fails_decides() {
    let long = "x".repeat(256);
    let bad_request = error(107, "bad request");
    let denied = error(103, "permission denied");
    let unavailable = error(108, "not available");
    for (members, expected) in [
        (r#""type":4,"delta":"bsdiff""#.to_owned(), "close 3501 bad request".to_owned()),
        (r#""channel":"nowhere:ü","type":4,"delta":"bsdiff""#.into(), unavailable),
        (format!(r#""channel":"{long}","delta":"bsdiff""#), "close 3501 bad request".into()),
        (format!(r#""channel":"nowhere:{long}""#), bad_request.clone()),
        (r#""channel":"nowhere:ü","type":1"#.into(), error(102, "unknown channel")),
        (r#""channel":"lobbü","type":1"#.into(), bad_request.clone()),
        (r#""channel":"lobby","type":3,"delta":"bsdiff""#.into(), denied.clone()),
        (r#""channel":"lobby","type":5"#.into(), bad_request.clone()),
        (r#""channel":"lock:1","tf":{"key":"a","cmp":"ex"}"#.into(), denied.clone()),
        (r#""channel":"lobby","tf":{"key":"a","cmp":"ex"}"#.into(), bad_request),
        (r#""channel":"$vault:1""#.into(), denied),
        (r#""channel":"lobby","delta":"fossil","flag":1"#.into(), r#"{"id":2,"subscribe":{}}"#.into()),
    ] {
        check(&format!(r#"{{"id":2,"subscribe":{{{members}}}}}"#), &expected);
    }
}

#[test]
fn a_channel_twice_is_one_too_many_and_disturbs_nothing() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    world.send(r#"{"id":3,"subscribe":{"channel":"lobby"}}"#);
    world.publish("lobby", "1");
    world.sees(&[
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"id":3,"error":{"code":105,"message":"already subscribed"}}"#,
        r#"{"push":{"channel":"lobby","pub":{"data":1}}}"#,
    ]);
}

#[test]
fn channels_that_are_being_subscribed_count_towards_the_limit() {
    let mut world = World::with(|settings, _| settings.channel_limit = 2);
    world.connect();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"a"}}"#);
    world.send(r#"{"id":3,"subscribe":{"channel":"b"}}"#);
    world.send(r#"{"id":4,"subscribe":{"channel":"nowhere:1"}}"#);
    world.sees(&[r#"{"id":4,"error":{"code":106,"message":"limit exceeded"}}"#]);
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.send(r#"{"id":5,"subscribe":{"channel":"c"}}"#);
    world.fast();
    world.answer("subscribe");
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
        r#"{"id":3,"subscribe":{}}"#,
        r#"{"id":5,"subscribe":{}}"#,
    ]);
}

#[test]
fn a_refused_subscribe_leaves_nothing_behind() {
    let mut world = World::connected();
    for frame in [
        r#"{"id":2,"subscribe":{"channel":"lobby","tf":{"key":"a"}}}"#,
        r#"{"id":3,"subscribe":{"channel":"lobby"}}"#,
    ] {
        world.send(frame);
    }
    world.does(&[
        r#"{"id":2,"error":{"code":107,"message":"bad request"}}"#,
        "attach lobby",
        "ask subscribe",
        r#"{"id":3,"subscribe":{}}"#,
    ]);
}

#[test]
fn a_failed_engine_is_error_100_and_everything_is_undone() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.does(&[
        "attach room:x",
        "ask subscribe",
        "detach room:x",
        "remove presence room:x",
        r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
    ]);
    assert_eq!(world.session.subscription_count(), 0);
}

fn token(user: &str, channel: &str, client: &str) -> SubscriptionClaims {
    let overrides = OptionOverrides { presence: Some(true), ..OptionOverrides::default() };
    let grant = SubscribeGrant {
        info: Some(Payload::from("[1]")),
        data: Some(Payload::from("{\"d\":1}")),
        overrides,
        ..SubscribeGrant::default()
    };
    let client = Some(client.to_owned());
    SubscriptionClaims { user: user.into(), channel: channel.into(), client, grant }
}

fn with_token(claims: Result<SubscriptionClaims, Failure>, expected: &[&str]) -> World {
    let mut world = World::connected();
    world.engine.sub_tokens.insert("s".into(), claims);
    world.send(r#"{"id":2,"subscribe":{"channel":"$vault:1","token":"s"}}"#);
    world.does(expected);
    world
}

#[test]
fn a_subscription_token_lets_in_and_carries_data_info_and_overrides() {
    let mut world = with_token(
        Ok(token("42", "$vault:1", "")),
        &["ask verify", "attach $vault:1", "ask subscribe", r#"{"id":2,"subscribe":{"data":{"d":1}}}"#],
    );
    world.send(r#"{"id":3,"publish":{"channel":"$vault:1","data":null}}"#);
    world.sees(&[
        r#"{"push":{"channel":"$vault:1","pub":{"data":null,"info":{"user":"42","client":"c1","chan_info":[1]}}}}"#,
        r#"{"id":3,"publish":{}}"#,
    ]);
    assert_eq!(world.engine.present["$vault:1"].len(), 1);
}

#[test]
fn other_subscription_tokens_do_not() {
    let denied = r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#;
    let expired = r#"{"id":2,"error":{"code":109,"message":"token expired"}}"#;
    with_token(Err(Failure::InvalidToken), &["ask verify", denied]);
    with_token(Err(Failure::ExpiredToken), &["ask verify", expired]);
    for claims in [token("43", "$vault:1", ""), token("42", "vault:1", ""), token("42", "$vault:1", "x")] {
        with_token(Ok(claims), &["ask verify", "close 3500 invalid token", "released 42"]);
    }
}

#[test]
fn data_that_is_no_json_cannot_be_sent_in_a_reply() {
    let mut claims = token("42", "$vault:1", "");
    claims.grant.data = Some(Payload::from("{"));
    with_token(
        Ok(claims),
        &[
            "ask verify",
            "attach $vault:1",
            "ask subscribe",
            "detach $vault:1",
            "remove presence $vault:1",
            "close 3506 inappropriate protocol",
            "released 42",
        ],
    );
}

#[test]
fn a_client_gets_what_it_asks_for_where_that_is_allowed_and_is_ignored_elsewhere() {
    let asks = r#""positioned":true,"recoverable":true,"join_leave":true"#;
    for (channel, expected) in [
        ("ask:1", r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#),
        ("lobby", r#"{"id":2,"subscribe":{}}"#),
    ] {
        let mut world = World::connected();
        world.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}",{asks}}}}}"#));
        if channel == "ask:1" {
            let join = r#"{"push":{"channel":"ask:1","join":{"info":{"user":"42","client":"c1"}}}}"#;
            world.sees(&[expected, join]);
        } else {
            world.sees(&[expected]);
        }
    }
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"ask:1"}}"#);
    world.sees(&[r#"{"id":2,"subscribe":{}}"#]);
}
