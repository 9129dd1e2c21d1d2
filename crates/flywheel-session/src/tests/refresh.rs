//! `refresh` and `sub_refresh`: sections 3.5 and 5.13.

use flywheel_model::{
    Channel, ConnectClaims, Payload, SubscribeGrant, SubscriptionClaims, UnixSeconds, UserId,
};
use flywheel_protocol::ErrorCode;

use super::world::{UNIX_START, World};
use crate::{Failure, ServerSubscribe};

fn claims(user: &str, seconds: i64) -> ConnectClaims {
    let expire_at = (seconds != 0).then_some(UnixSeconds(UNIX_START + seconds));
    ConnectClaims { user: UserId::from(user), expire_at, ..ConnectClaims::default() }
}

/// A connection of user 42 that expires after 100 s, and whose token lists `channels`.
fn world(channels: &[&str]) -> World {
    let mut world = World::new();
    let subs = channels.iter().map(|name| (Channel::from(*name), SubscribeGrant::default())).collect();
    world.engine.tokens.insert("t".into(), Ok(ConnectClaims { subs, ..claims("42", 100) }));
    world.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    world.does_anything();
    world
}

fn refresh(claims: ConnectClaims, expected: &str) -> World {
    let mut world = world(&["lobby"]);
    world.engine.tokens.insert("new".into(), Ok(claims));
    world.send(r#"{"id":2,"refresh":{"token":"new"}}"#);
    world.sees(&[expected]);
    world
}

#[test]
fn a_new_token_extends_the_connection() {
    let mut world = refresh(claims("42", 200), r#"{"id":2,"refresh":{"expires":true,"ttl":200}}"#);
    let turn =
        crate::Turn { now: world.now, settings: &world.settings, queued: 0, effects: &mut world.effects };
    assert!(world.session.poll_timeout(&turn).as_millis() <= 225_000);
}

#[test]
fn a_token_without_expiry_ends_the_old_one() {
    let mut world = World::with(|settings, _| settings.ping_interval = None);
    world.engine.tokens.insert("t".into(), Ok(claims("42", 100)));
    world.engine.tokens.insert("new".into(), Ok(claims("42", 0)));
    world.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    world.send(r#"{"id":2,"refresh":{"token":"new"}}"#);
    world.does_anything();
    world.at(1_000_000);
    world.does(&[]);
}

#[test]
fn tokens_that_are_not_for_this_connection_close_it() {
    refresh(claims("43", 200), "close 3500 invalid token");
    refresh(claims("42", -1), r#"{"id":2,"error":{"code":110,"message":"expired"}}"#);
    refresh(claims("42", 0), r#"{"id":2,"refresh":{}}"#);
    for (command, expected) in [
        (r#"{"id":2,"refresh":{"token":"unknown"}}"#, "close 3500 invalid token"),
        (r#"{"id":2,"refresh":{"token":"old"}}"#, "close 3005 connection expired"),
        (r#"{"id":2,"refresh":{}}"#, "close 3501 bad request"),
    ] {
        let mut world = world(&[]);
        world.send(command);
        world.sees(&[expected]);
    }
}

#[test]
fn other_channels_in_the_token_make_the_client_come_back() {
    let with = |name: &str| {
        let subs = [(Channel::from(name), SubscribeGrant::default())].into();
        ConnectClaims { subs, ..claims("42", 200) }
    };
    refresh(with("lobby"), r#"{"id":2,"refresh":{"expires":true,"ttl":200}}"#);
    refresh(with("other"), "close 3010 insufficient state");
    refresh(with("nowhere:1"), r#"{"id":2,"error":{"code":102,"message":"unknown channel"}}"#);
}

#[test]
fn a_refresh_replaces_the_info_if_it_brings_one() {
    let info = Some(Payload::from("{\"n\":2}"));
    let reply = r#"{"id":2,"refresh":{"expires":true,"ttl":200}}"#;
    let mut world = refresh(ConnectClaims { info, ..claims("42", 200) }, reply);
    world.send(r#"{"id":3,"publish":{"channel":"lobby","data":1}}"#);
    world.sees(&[
        r#"{"push":{"channel":"lobby","pub":{"data":1,"info":{"user":"42","client":"c1","conn_info":{"n":2}}}}}"#,
        r#"{"id":3,"publish":{}}"#,
    ]);
}

#[test]
fn a_refresh_that_we_cannot_check_is_error_100() {
    let mut world = world(&[]);
    world.slow("authenticate");
    world.send(r#"{"id":2,"refresh":{"token":"t"}}"#);
    world.fail("authenticate", ErrorCode::INTERNAL);
    world.sees(&[r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#]);
}

fn sub_claims(channel: &str, user: &str, client: Option<&str>, seconds: i64) -> SubscriptionClaims {
    let expire_at = (seconds != 0).then_some(UnixSeconds(UNIX_START + seconds));
    let grant = SubscribeGrant { expire_at, info: Some(Payload::from("7")), ..SubscribeGrant::default() };
    SubscriptionClaims {
        user: user.into(),
        channel: channel.into(),
        client: client.map(str::to_owned),
        grant,
    }
}

fn subscribed() -> World {
    let mut world = World::connected();
    world.engine.sub_tokens.insert("s".into(), Ok(sub_claims("$vault:1", "42", None, 100)));
    world.send(r#"{"id":2,"subscribe":{"channel":"$vault:1","token":"s"}}"#);
    world.sees(&[r#"{"id":2,"subscribe":{"expires":true,"ttl":100}}"#]);
    world
}

fn sub_refresh(claims: Result<SubscriptionClaims, Failure>, expected: &str) -> World {
    let mut world = subscribed();
    world.engine.sub_tokens.insert("new".into(), claims);
    world.send(r#"{"id":3,"sub_refresh":{"channel":"$vault:1","token":"new"}}"#);
    world.sees(&[expected]);
    world
}

#[test]
fn a_new_subscription_token_extends_the_subscription() {
    let client = "00000000-0000-4000-8000-000000000001";
    sub_refresh(
        Ok(sub_claims("$vault:1", "42", Some(client), 200)),
        r#"{"id":3,"sub_refresh":{"expires":true,"ttl":200}}"#,
    );
    sub_refresh(Ok(sub_claims("$vault:1", "42", Some(""), 0)), r#"{"id":3,"sub_refresh":{}}"#);
}

#[test]
fn subscription_tokens_that_are_not_for_it_close_the_connection() {
    for claims in [
        sub_claims("$vault:2", "42", None, 200),
        sub_claims("$vault:1", "43", None, 200),
        sub_claims("$vault:1", "42", Some("somebody"), 200),
    ] {
        sub_refresh(Ok(claims), "close 3500 invalid token");
    }
    sub_refresh(Err(Failure::InvalidToken), "close 3500 invalid token");
}

#[test]
fn an_expired_subscription_token_is_a_temporary_error_and_the_old_expiry_stays() {
    let error = r#"{"id":3,"error":{"code":109,"message":"token expired","temporary":true}}"#;
    let mut world = sub_refresh(Err(Failure::ExpiredToken), error);
    world.engine.sub_tokens.insert("new".into(), Ok(sub_claims("$vault:1", "42", None, -5)));
    world.send(r#"{"id":4,"sub_refresh":{"channel":"$vault:1","token":"new"}}"#);
    world.sees(&[r#"{"id":4,"error":{"code":110,"message":"expired"}}"#]);
}

#[test]
fn sub_refresh_is_checked_before_its_token_is() {
    for (command, expected) in [
        (r#"{"id":3,"sub_refresh":{"token":"s"}}"#, "close 3501 bad request"),
        (
            r#"{"id":3,"sub_refresh":{"channel":"$vault:2","token":"s"}}"#,
            r#"{"id":3,"error":{"code":103,"message":"permission denied"}}"#,
        ),
        (
            r#"{"id":3,"sub_refresh":{"channel":"$vault:1"}}"#,
            r#"{"id":3,"error":{"code":107,"message":"bad request"}}"#,
        ),
    ] {
        let mut world = subscribed();
        world.send(command);
        world.sees(&[expected]);
    }
}

#[test]
fn a_server_side_subscription_is_not_the_clients_to_refresh() {
    let mut world = World::connected();
    world.act(|session, turn| session.subscribe_by_server(turn, &"lobby".into(), ServerSubscribe::default()));
    world.send(r#"{"id":2,"sub_refresh":{"channel":"lobby","token":"s"}}"#);
    world.sees(&[r#"{"push":{"channel":"lobby","subscribe":{}}}"#, "close 3501 bad request"]);
}

#[test]
fn a_subscription_that_goes_while_its_token_is_read_is_not_refreshed_but_answered() {
    let mut world = subscribed();
    world.slow("verify");
    world.send(r#"{"id":3,"sub_refresh":{"channel":"$vault:1","token":"s"}}"#);
    world.send(r#"{"id":4,"unsubscribe":{"channel":"$vault:1"}}"#);
    world.answer("verify");
    world.sees(&[
        r#"{"id":4,"unsubscribe":{}}"#,
        r#"{"id":3,"error":{"code":103,"message":"permission denied"}}"#,
    ]);
}
