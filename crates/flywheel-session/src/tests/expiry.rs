//! When connections and subscriptions expire: sections 3.5 and 5.13.

use flywheel_model::{ConnectClaims, SubscribeGrant, SubscriptionClaims, UnixSeconds};

use super::world::{UNIX_START, World};
use crate::ServerSubscribe;

fn expiring(seconds: i64) -> World {
    let mut world = World::with(|settings, _| settings.ping_interval = None);
    let expire_at = Some(UnixSeconds(UNIX_START + seconds));
    let claims = ConnectClaims { user: "42".into(), expire_at, ..ConnectClaims::default() };
    world.engine.tokens.insert("t".into(), Ok(claims));
    world.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v","expires":true,"ttl":100}}"#]);
    world
}

#[test]
fn an_expired_connection_is_closed_after_its_grace() {
    let mut world = expiring(100);
    world.at(124_999);
    world.does(&[]);
    world.at(125_000);
    world.sees(&["close 3005 connection expired"]);
}

#[test]
fn asking_for_the_timeout_within_the_grace_does_not_prolong_it() {
    let mut world = expiring(100);
    for millis in [99_000, 100_000, 110_000, 120_000, 124_999] {
        world.at(millis);
        world.does(&[]);
    }
    world.at(125_000);
    world.sees(&["close 3005 connection expired"]);
}

fn with_sub_token(seconds: i64) -> World {
    let mut world = World::connected();
    let grant =
        SubscribeGrant { expire_at: Some(UnixSeconds(UNIX_START + seconds)), ..SubscribeGrant::default() };
    let claims = SubscriptionClaims { user: "42".into(), channel: "$room:1".into(), client: None, grant };
    world.engine.sub_tokens.insert("s".into(), Ok(claims));
    world.send(r#"{"id":2,"subscribe":{"channel":"$room:1","token":"s"}}"#);
    world
}

fn pass(world: &mut World, millis: u64) {
    while world.now.at.as_millis() < millis {
        let step = (world.now.at.as_millis() + 500).min(millis);
        world.at(step);
        // Whoever is pinged answers.
        if world.sent.last().is_some_and(|sent| *sent == flywheel_protocol::client::ServerMessage::Ping) {
            world.sent.clear();
            world.send("{}");
        }
    }
}

#[test]
fn a_subscription_that_is_not_refreshed_is_dropped_on_the_first_tick_after_its_grace() {
    let mut world = with_sub_token(10);
    world.sees(&[
        r#"{"id":2,"subscribe":{"expires":true,"ttl":10}}"#,
        r#"{"push":{"channel":"$room:1","join":{"info":{"user":"42","client":"c1"}}}}"#,
    ]);
    pass(&mut world, 53_999);
    world.does(&["{}", "refresh presence $room:1", "{}"]);
    pass(&mut world, 54_000);
    world.does(&[
        "detach $room:1",
        "remove presence $room:1",
        "leave $room:1",
        r#"{"push":{"channel":"$room:1","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#,
    ]);
}

#[test]
fn an_expiry_that_is_not_in_the_future_is_error_110_and_what_waited_is_answered() {
    let mut world = World::connected();
    let grant = SubscribeGrant { expire_at: Some(UnixSeconds(UNIX_START)), ..SubscribeGrant::default() };
    let claims = SubscriptionClaims { user: "42".into(), channel: "$room:1".into(), client: None, grant };
    world.engine.sub_tokens.insert("s".into(), Ok(claims));
    world.slow("verify");
    world.send(r#"{"id":2,"subscribe":{"channel":"$room:1","token":"s"}}"#);
    world.send(r#"{"id":3,"unsubscribe":{"channel":"$room:1"}}"#);
    world.answer("verify");
    world.does(&[
        "ask verify",
        r#"{"id":2,"error":{"code":110,"message":"expired"}}"#,
        r#"{"id":3,"unsubscribe":{}}"#,
    ]);
}

#[test]
fn an_expired_server_side_subscription_takes_the_connection_with_it() {
    let mut world = World::connected();
    let grant = SubscribeGrant { expire_at: Some(UnixSeconds(UNIX_START + 1)), ..SubscribeGrant::default() };
    let request = ServerSubscribe { grant, recover_since: None };
    world.act(|session, turn| session.subscribe_by_server(turn, &"lobby".into(), request));
    pass(&mut world, 27_000);
    world.sees(&[r#"{"push":{"channel":"lobby","subscribe":{}}}"#, "{}", "close 3006 subscription expired"]);
}
