//! Section 3.3, 3.6 and 3.7.

use flywheel_model::{Channel, ConnectClaims, Payload, SubscribeGrant, UnixSeconds, UserId};
use flywheel_protocol::{Disconnect, ErrorCode};

use super::world::{CONNECTED, UNIX_START, World};
use crate::{Failure, PersonalChannel};

fn claims(user: &str) -> ConnectClaims {
    ConnectClaims { user: UserId::from(user), ..ConnectClaims::default() }
}

fn with_channels(channels: &[&str]) -> ConnectClaims {
    let subs = channels.iter().map(|name| (Channel::from(*name), SubscribeGrant::default()));
    ConnectClaims { subs: subs.collect(), ..claims("42") }
}

fn world_with_token(claims: ConnectClaims) -> World {
    let mut world = World::new();
    world.engine.tokens.insert("t".into(), Ok(claims));
    world
}

const CONNECT: &str = r#"{"id":1,"connect":{"token":"t"}}"#;

#[test]
fn a_client_connects() {
    let mut world = World::new();
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.does(&["ask authenticate", "ask admit", "register 42", CONNECTED]);
    assert!(world.session.is_connected());
    world.hang_up();
    world.does(&["released 42"]);
}

#[test]
fn anything_but_connect_comes_first_is_a_violation() {
    for frame in [
        r#"{"id":1,"subscribe":{"channel":"lobby"}}"#,
        "{}",
        r#"{"send":{"data":1}}"#,
        r#"{"connect":{}}"#,
        r#"{"id":"1","connect":{}}"#,
    ] {
        let mut world = World::new();
        world.send(frame);
        world.does(&["close 3501 bad request"]);
    }
}

#[test]
fn a_second_connect_is_a_violation() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"connect":{}}"#);
    world.does(&["close 3501 bad request", "released 42"]);
}

#[test]
fn an_invalid_token_closes_for_good() {
    let mut world = World::new();
    world.send(r#"{"id":1,"connect":{"token":"a.b.c"}}"#);
    world.does(&["ask authenticate", "close 3500 invalid token"]);
}

#[test]
fn an_expired_token_is_an_error_then_silence_then_a_stale_close_at_the_original_deadline() {
    let mut world = World::new();
    world.at(4_000);
    world.send("{\"id\":1,\"connect\":{\"token\":\"old\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}\nno json");
    world.does(&["ask authenticate", r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#]);
    assert!(world.is_saturated(), "nothing more is read");
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.at(9_999);
    world.does(&[]);
    world.at(10_000);
    world.does(&["close 3502 stale"]);
}

#[test]
fn no_connect_in_time_is_stale_and_so_is_an_unanswered_one() {
    let mut world = World::new();
    world.at(9_999);
    world.does(&[]);
    world.slow("authenticate");
    world.send(r#"{"id":1,"connect":{}}"#);
    world.at(10_000);
    world.does(&["ask authenticate", "close 3502 stale"]);
    world.answer("authenticate");
    world.does(&[]);
}

#[test]
fn a_failure_of_ours_is_error_100() {
    let mut world = World::new();
    world.slow("authenticate");
    world.send(r#"{"id":1,"connect":{}}"#);
    world.fail("authenticate", ErrorCode::INTERNAL);
    world.sees(&[r#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#]);
}

#[test]
fn a_user_with_too_many_connections_is_turned_away_and_not_counted() {
    let mut world = World::new();
    world.engine.admission = Some(Failure::Disconnect(Disconnect::CONNECTION_LIMIT));
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.does(&["ask authenticate", "ask admit", "close 3504 connection limit"]);
}

#[test]
fn a_client_that_goes_while_it_is_admitted_is_released() {
    let mut world = World::new();
    world.slow("admit");
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.at(10_000);
    world.does(&["ask authenticate", "ask admit", "close 3502 stale"]);
    world.answer("admit");
    world.does(&["released 42"]);
}

#[test]
fn expired_credentials_are_error_110_and_the_connection_does_not_count() {
    let mut world =
        world_with_token(ConnectClaims { expire_at: Some(UnixSeconds(UNIX_START - 1)), ..claims("42") });
    world.send(CONNECT);
    world.does(&[
        "ask authenticate",
        "ask admit",
        "released 42",
        r#"{"id":1,"error":{"code":110,"message":"expired"}}"#,
    ]);
}

#[test]
fn an_expiring_connection_is_told_its_ttl_of_a_year_at_most() {
    for (expire_at, told) in [
        (UNIX_START + 100, r#""expires":true,"ttl":100,"#),
        (4_102_444_800, r#""expires":true,"ttl":31536000,"#),
    ] {
        let mut world =
            world_with_token(ConnectClaims { expire_at: Some(UnixSeconds(expire_at)), ..claims("42") });
        world.send(CONNECT);
        let reply =
            format!(r#"{{"id":1,"connect":{{"client":"c1","version":"v",{told}"ping":25,"pong":true}}}}"#);
        world.sees(&[&reply]);
    }
}

#[test]
fn insecure_mode_ignores_the_expiry() {
    let mut world = World::with(|settings, _| settings.insecure = true);
    let expired = ConnectClaims { expire_at: Some(UnixSeconds(UNIX_START - 1)), ..claims("42") };
    world.engine.tokens.insert("t".into(), Ok(expired));
    world.send(CONNECT);
    world.sees(&[CONNECTED]);
}

#[test]
fn the_result_carries_data_and_time_and_no_pings_where_the_transport_has_its_own() {
    let mut world = World::with(|settings, greeting| {
        settings.include_server_time = true;
        greeting.app_pings = false;
    });
    world
        .engine
        .tokens
        .insert("t".into(), Ok(ConnectClaims { data: Some(Payload::from("{\"a\":\n1}")), ..claims("") }));
    world.send(CONNECT);
    let reply = r#"{"id":1,"connect":{"client":"c1","version":"v","data":{"a":1},"time":1700000000000}}"#;
    world.sees(&[reply]);
}

#[test]
fn data_that_is_no_json_cannot_go_to_a_json_client() {
    let mut world =
        world_with_token(ConnectClaims { data: Some(Payload::from("{")), ..with_channels(&["lobby"]) });
    world.send(CONNECT);
    world.sees(&["close 3506 inappropriate protocol"]);
}

#[test]
fn the_channels_of_a_token_are_subscribed_before_the_reply_and_joined_after_it() {
    let mut world = world_with_token(with_channels(&["log:feed", "room:x"]));
    world.send(CONNECT);
    world.does(&[
        "ask authenticate",
        "ask admit",
        "register 42",
        "attach log:feed",
        "ask subscribe",
        "attach room:x",
        "ask subscribe",
        r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"log:feed":{"recoverable":true,"epoch":"e","positioned":true},"room:x":{}},"ping":25,"pong":true}}"#,
        "join room:x",
        r#"{"push":{"channel":"room:x","join":{"info":{"user":"42","client":"c1"}}}}"#,
    ]);
}

#[test]
fn a_channel_of_an_unknown_namespace_in_the_token_is_error_102() {
    let mut world = world_with_token(with_channels(&["nowhere:1", "lobby"]));
    world.send(CONNECT);
    world.does(&[
        "ask authenticate",
        "ask admit",
        "register 42",
        "released 42",
        r#"{"id":1,"error":{"code":102,"message":"unknown channel"}}"#,
    ]);
}

#[test]
fn more_channels_than_allowed_close_before_the_connection_counts() {
    let mut world = World::with(|settings, _| settings.channel_limit = 1);
    world.engine.tokens.insert("t".into(), Ok(with_channels(&["a", "b"])));
    world.send(CONNECT);
    world.does(&["ask authenticate", "close 3505 channel limit"]);
}

#[test]
fn more_channels_than_allowed_with_those_that_the_client_asks_for_close_too() {
    let mut world = World::with(|settings, _| settings.channel_limit = 1);
    world.engine.tokens.insert("t".into(), Ok(with_channels(&["a"])));
    world.send(r#"{"id":1,"connect":{"token":"t","subs":{"b":{}}}}"#);
    world.sees(&["close 3505 channel limit"]);
}

#[test]
fn users_get_their_personal_channel_and_the_anonymous_none() {
    let personal =
        |namespace: &str| Some(PersonalChannel { namespace: namespace.into(), single_connection: false });
    for (namespace, token, channel) in
        [("", "t42", Some("#42")), ("room", "t42", Some("room:#42")), ("", "", None)]
    {
        let mut world = World::with(|settings, _| settings.personal_channel = personal(namespace));
        world.send(&format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#));
        assert_eq!(world.session.subscription_count(), usize::from(channel.is_some()));
        assert!(channel.is_none_or(|channel| world.session.has_channel(channel)));
    }
}

#[test]
fn channels_that_the_client_asks_for_are_added_if_it_could_subscribe_them_alone() {
    let mut world = World::new();
    let frame = concat!(
        r#"{"id":1,"connect":{"token":"t42","subs":{"lobby":{},"$lobby":{},"lock:1":{},"dialog:#42":{},"dialog:#43":{},"#,
        r#""lobbü":{}}}}"#
    );
    world.send(frame);
    let reply = r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"dialog:#42":{},"lobby":{}},"ping":25,"pong":true}}"#;
    world.sees(&[reply]);
}

#[test]
fn a_channel_of_an_unknown_namespace_that_the_client_asks_for_is_a_violation() {
    let mut world = World::new();
    world.send(r#"{"id":1,"connect":{"token":"t42","subs":{"nowhere:1":{}}}}"#);
    world.sees(&["close 3501 bad request"]);
}

#[test]
fn what_all_server_side_subscriptions_missed_is_one_reply_for_the_queue() {
    let mut world = World::with(|settings, _| settings.queue_bytes_max = 1000);
    world.engine.tokens.insert("t".into(), Ok(with_channels(&["log:a", "log:b", "log:c"])));
    for channel in ["log:a", "log:b"] {
        world.publish(channel, format!("\"{}\"", "half a kilobyte or so".repeat(25)).leak());
    }
    world.publish("log:c", "1");
    let since = r#"{"recover":true,"offset":0,"epoch":"e"}"#;
    world.send(&format!(
        r#"{{"id":1,"connect":{{"token":"t","subs":{{"log:a":{since},"log:b":{since},"log:c":{since}}}}}}}"#
    ));
    let lines = world.lines();
    let reply: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let recovered =
        ["log:a", "log:b", "log:c"].map(|name| reply["connect"]["subs"][name]["recovered"] == true);
    assert_eq!(recovered, [true, false, true], "{reply}");
}

#[test]
fn server_side_subscriptions_recover_from_where_the_client_was() {
    let mut world = world_with_token(with_channels(&["log:feed"]));
    world.publish("log:feed", "\"p1\"");
    world.publish("log:feed", "\"p2\"");
    world.send(r#"{"id":1,"connect":{"token":"t","subs":{"log:feed":{"recover":true,"offset":1,"delta":"bsdiff"}}}}"#);
    world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"log:feed":{"recoverable":true,"epoch":"e","publications":[{"data":"p2","offset":2}],"recovered":true,"offset":1,"positioned":true,"was_recovering":true}},"ping":25,"pong":true}}"#]);
    world.publish("log:feed", "\"p3\"");
    world.send(r#"{"id":2,"subscribe":{"channel":"log:feed"}}"#);
    world.sees(&[
        r#"{"push":{"channel":"log:feed","pub":{"data":"p3","offset":3}}}"#,
        r#"{"id":2,"error":{"code":105,"message":"already subscribed"}}"#,
    ]);
}

#[test]
fn one_of_several_subscriptions_that_fails_fails_the_connect_and_undoes_the_others() {
    let mut world = world_with_token(with_channels(&["log:a", "room:b", "room:c"]));
    world.slow("subscribe");
    world.send(CONNECT);
    world.answer("subscribe");
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.does(&[
        "ask authenticate",
        "ask admit",
        "register 42",
        "attach log:a",
        "ask subscribe",
        "attach room:b",
        "ask subscribe",
        "attach room:c",
        "ask subscribe",
        "detach room:b",
        "remove presence room:b",
        "released 42",
        "detach log:a",
        "detach room:c",
        "remove presence room:c",
        r#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
    ]);
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.at(10_000);
    world.does(&["close 3502 stale"]);
}

#[test]
fn publications_and_joins_wait_for_the_connect_reply() {
    let mut world = world_with_token(with_channels(&["hall:a", "hall:b"]));
    world.slow("subscribe");
    world.send(CONNECT);
    world.answer("subscribe");
    world.publish("hall:a", "1");
    world.publish("hall:b", "2");
    world.sees(&[]);
    world.answer("subscribe");
    world.does(&[
        r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"hall:a":{"recoverable":true,"epoch":"e","positioned":true},"hall:b":{"recoverable":true,"epoch":"e","offset":1,"positioned":true}},"ping":25,"pong":true}}"#,
        r#"{"push":{"channel":"hall:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#,
        "join hall:a",
        "join hall:b",
        r#"{"push":{"channel":"hall:a","join":{"info":{"user":"42","client":"c1"}}}}"#,
        r#"{"push":{"channel":"hall:b","join":{"info":{"user":"42","client":"c1"}}}}"#,
    ]);
}

const BOTH_HALLS: &str = r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"hall:a":{"recoverable":true,"epoch":"e","positioned":true},"hall:b":{"recoverable":true,"epoch":"e","positioned":true}},"ping":25,"pong":true}}"#;

/// A server-side subscription to `hall:a` whose first of two publications is lost before the connect reply.
fn with_a_gap_before_the_reply() -> World {
    let mut world = world_with_token(with_channels(&["hall:a", "hall:b"]));
    world.slow("subscribe");
    world.mail_waits = true;
    world.send(CONNECT);
    world.answer("subscribe");
    world.publish("hall:a", "1");
    world.publish("hall:a", "2");
    world.mailbox.pop_front();
    world.fetch_mail();
    world.does(&[
        "ask authenticate",
        "ask admit",
        "register 42",
        "attach hall:a",
        "ask subscribe",
        "attach hall:b",
        "ask subscribe",
    ]);
    world
}

#[test]
fn a_gap_in_what_waits_for_the_connect_reply_is_healed_after_it() {
    let mut world = with_a_gap_before_the_reply();
    world.answer("subscribe");
    world.does(&[
        BOTH_HALLS,
        "heal hall:a",
        "join hall:a",
        "join hall:b",
        r#"{"push":{"channel":"hall:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#,
        r#"{"push":{"channel":"hall:a","pub":{"data":2,"offset":2}}}"#,
    ]);
}

#[test]
fn a_gap_in_what_waits_for_the_connect_reply_ends_the_connection_when_history_has_lost_it() {
    let mut world = with_a_gap_before_the_reply();
    world.engine.stream("hall:a").lost = 1;
    world.answer("subscribe");
    world.sees(&[BOTH_HALLS, "close 3010 insufficient state"]);
    world.audit.over();
}

#[test]
fn commands_that_came_before_the_connect_reply_are_answered_after_it_and_in_order() {
    let mut world = World::new();
    world.slow("authenticate");
    world
        .send("{\"id\":1,\"connect\":{\"token\":\"t42\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}");
    world.send(r#"{"id":3,"history":{"channel":"lobby"}}"#);
    world.sees(&[]);
    world.answer("authenticate");
    world.sees(&[
        CONNECTED,
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"id":3,"error":{"code":108,"message":"not available"}}"#,
    ]);
}

#[test]
fn what_is_malformed_before_the_connect_reply_closes_after_it() {
    let mut world = World::new();
    world.slow("authenticate");
    world.send(
        "{\"id\":1,\"connect\":{\"token\":\"t42\"}}\n\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}",
    );
    world.answer("authenticate");
    world.sees(&[CONNECTED, "close 3501 bad request"]);
}

#[test]
fn a_user_with_a_single_connection_claims_it_when_the_personal_channel_is_live() {
    let check = |token: &str, single_connection, expected: bool| {
        let mut world = World::with(|settings, _| {
            settings.personal_channel = Some(PersonalChannel { namespace: "room".into(), single_connection });
        });
        world.send(&format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#));
        let claimed = world.lines().iter().any(|line| line == "sole connection room:#42 42");
        assert_eq!(claimed, expected, "{token} {single_connection}");
    };
    check("t42", true, true);
    check("t42", false, false);
    check("", true, false);
}
