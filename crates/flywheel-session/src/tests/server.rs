//! What the server API does: server API, sections 2.3 to 2.6.

use flywheel_model::{OptionOverrides, Payload, StreamPosition, SubscribeGrant, UnixSeconds};
use flywheel_protocol::{Disconnect, ErrorCode, Unsubscribed};

use super::world::{UNIX_START, World};
use crate::ServerSubscribe;

fn subscribe(world: &mut World, channel: &str, request: ServerSubscribe) {
    world.act(|session, turn| session.subscribe_by_server(turn, &channel.into(), request));
}

fn grant(expire_in: Option<i64>) -> SubscribeGrant {
    SubscribeGrant {
        expire_at: expire_in.map(|seconds| UnixSeconds(UNIX_START + seconds)),
        info: Some(Payload::from("7")),
        data: Some(Payload::from("{\"hello\":\"there\"}")),
        ..SubscribeGrant::default()
    }
}

#[test]
fn a_server_side_subscription_is_announced_by_a_push_and_may_be_left_by_the_client() {
    let mut world = World::connected();
    world.publish("log:s", "1");
    subscribe(&mut world, "log:s", ServerSubscribe { grant: grant(None), recover_since: None });
    world.publish("log:s", "2");
    world.send(r#"{"id":2,"unsubscribe":{"channel":"log:s"}}"#);
    world.sees(&[
        r#"{"push":{"channel":"log:s","subscribe":{"recoverable":true,"epoch":"e","offset":1,"positioned":true,"data":{"hello":"there"}}}}"#,
        r#"{"push":{"channel":"log:s","pub":{"data":2,"offset":2}}}"#,
        r#"{"id":2,"unsubscribe":{}}"#,
    ]);
}

#[test]
fn what_it_missed_follows_the_push_if_it_can_be_recovered() {
    for (offset, expected) in [
        (
            1,
            &[
                r#"{"push":{"channel":"log:s","subscribe":{"recoverable":true,"epoch":"e","offset":1,"positioned":true}}}"#,
                r#"{"push":{"channel":"log:s","pub":{"data":2,"offset":2}}}"#,
            ][..],
        ),
        (
            77,
            &[
                r#"{"push":{"channel":"log:s","subscribe":{"recoverable":true,"epoch":"e","offset":2,"positioned":true}}}"#,
            ][..],
        ),
    ] {
        let mut world = World::connected();
        world.publish("log:s", "1");
        world.publish("log:s", "2");
        let recover_since = Some(StreamPosition { offset, epoch: "e".into() });
        subscribe(&mut world, "log:s", ServerSubscribe { recover_since, ..ServerSubscribe::default() });
        world.sees(expected);
    }
}

#[test]
fn overrides_replace_the_options_of_the_namespace() {
    let mut world = World::connected();
    let overrides = OptionOverrides {
        force_positioning: Some(true),
        presence: Some(false),
        ..OptionOverrides::default()
    };
    let grant = SubscribeGrant { overrides, ..SubscribeGrant::default() };
    subscribe(&mut world, "ask:1", ServerSubscribe { grant, recover_since: None });
    world.sees(&[r#"{"push":{"channel":"ask:1","subscribe":{"epoch":"e","positioned":true}}}"#]);
    assert!(world.engine.present.is_empty());
}

#[test]
fn a_channel_that_it_has_is_announced_and_joined_again_and_becomes_server_side() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"hall:a"}}"#);
    world.publish("hall:a", "1");
    world.does_anything();
    subscribe(&mut world, "hall:a", ServerSubscribe { grant: grant(None), recover_since: None });
    world.does(&[
        "add presence hall:a",
        r#"{"push":{"channel":"hall:a","subscribe":{"recoverable":true,"epoch":"e","offset":1,"positioned":true,"data":{"hello":"there"}}}}"#,
        "join hall:a",
        r#"{"push":{"channel":"hall:a","join":{"info":{"user":"42","client":"c1","chan_info":7}}}}"#,
    ]);
    world.publish("hall:a", "2");
    world.sees(&[r#"{"push":{"channel":"hall:a","pub":{"data":2,"offset":2}}}"#]);
    world.engine.stream("hall:a").epoch = "f".into();
    world.publish("hall:a", "3");
    world.sees(&["close 3010 insufficient state"]);
}

#[test]
fn an_expiry_in_the_past_changes_nothing() {
    let mut world = World::connected();
    subscribe(&mut world, "lobby", ServerSubscribe { grant: grant(Some(0)), recover_since: None });
    assert!(!world.session.has_channel("lobby"));
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    subscribe(&mut world, "lobby", ServerSubscribe { grant: grant(Some(-1)), recover_since: None });
    world.does(&["attach lobby", "ask subscribe", r#"{"id":2,"subscribe":{}}"#]);
}

#[test]
fn one_channel_too_many_closes_the_connection() {
    let mut world = World::with(|settings, _| settings.channel_limit = 1);
    world.connect();
    subscribe(&mut world, "a", ServerSubscribe::default());
    subscribe(&mut world, "a", ServerSubscribe::default());
    subscribe(&mut world, "b", ServerSubscribe::default());
    let push = r#"{"push":{"channel":"a","subscribe":{}}}"#;
    world.sees(&[push, push, "close 3505 channel limit"]);
}

#[test]
fn a_failed_engine_leaves_the_connection_as_it_was() {
    let mut world = World::connected();
    world.slow("subscribe");
    subscribe(&mut world, "room:x", ServerSubscribe::default());
    world.fail("subscribe", ErrorCode::INTERNAL);
    world.does(&["attach room:x", "ask subscribe", "detach room:x", "remove presence room:x"]);
}

#[test]
fn nobody_is_subscribed_who_is_not_connected() {
    let mut world = World::new();
    subscribe(&mut world, "a", ServerSubscribe::default());
    world.act(|session, turn| session.unsubscribe_by_server(turn, "a", Unsubscribed::BY_SERVER));
    world.act(|session, turn| session.refresh_by_server(turn, None, None));
    world.does(&[]);
}

#[test]
fn an_unsubscribe_is_pushed_only_where_there_was_a_subscription() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
    world.does_anything();
    for channel in ["", "lobby", "room:x", "room:x"] {
        world.act(|session, turn| session.unsubscribe_by_server(turn, channel, Unsubscribed::BY_SERVER));
    }
    world.does(&[
        "detach room:x",
        "remove presence room:x",
        "leave room:x",
        r#"{"push":{"channel":"room:x","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#,
    ]);
}

#[test]
fn a_refresh_is_pushed_and_one_in_the_past_closes() {
    let mut world = World::connected();
    let mut refresh = |seconds: Option<i64>, info: Option<Payload>, expected: &[&str]| {
        let expire_at = seconds.map(|seconds| UnixSeconds(UNIX_START + seconds));
        world.act(|session, turn| session.refresh_by_server(turn, expire_at, info));
        world.sees(expected);
        world.send(r#"{"id":2,"publish":{"channel":"lobby","data":1}}"#);
        world.does_anything();
    };
    refresh(Some(100), Some(Payload::from("5")), &[r#"{"push":{"refresh":{"expires":true,"ttl":100}}}"#]);
    refresh(None, Some(Payload::from("6")), &[r#"{"push":{"refresh":{}}}"#]);
    refresh(Some(0), None, &["close 3005 connection expired"]);

    let mut world = World::connected();
    let info = |text: &'static str| Some(Payload::from(text));
    world.act(|session, turn| session.refresh_by_server(turn, Some(UnixSeconds(UNIX_START + 9)), info("5")));
    world.act(|session, turn| session.refresh_by_server(turn, None, info("6")));
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    world.does_anything();
    world.send(r#"{"id":3,"publish":{"channel":"lobby","data":1}}"#);
    world.sees(&[
        r#"{"push":{"channel":"lobby","pub":{"data":1,"info":{"user":"42","client":"c1","conn_info":5}}}}"#,
        r#"{"id":3,"publish":{}}"#,
    ]);
}

#[test]
fn a_disconnect_has_the_code_that_was_asked_for() {
    let mut world = World::connected();
    let disconnect = Disconnect { code: 4501, reason: "maintenance".into() };
    world.act(|session, turn| session.close(turn, disconnect));
    world.does(&["close 4501 maintenance", "released 42"]);
}
