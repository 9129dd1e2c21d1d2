//! Section 5.11.

use std::sync::Arc;

use flywheel_model::{ChannelEvent, ChannelEventKind, ClientInfo};

use super::world::World;

fn other(kind: fn(Arc<ClientInfo>) -> ChannelEventKind) -> ChannelEvent {
    let info = ClientInfo { user: "43".into(), client: "c2".into(), conn_info: None, chan_info: None };
    ChannelEvent { channel: "room:x".into(), kind: kind(Arc::new(info)) }
}

#[test]
fn presence_comes_before_the_reply_and_the_join_after_it() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
    world.send(r#"{"id":3,"unsubscribe":{"channel":"room:x"}}"#);
    world.does(&[
        "attach room:x",
        "ask subscribe",
        r#"{"id":2,"subscribe":{}}"#,
        "join room:x",
        r#"{"push":{"channel":"room:x","join":{"info":{"user":"42","client":"c1"}}}}"#,
        r#"{"id":3,"unsubscribe":{}}"#,
        "detach room:x",
        "remove presence room:x",
        "leave room:x",
    ]);
}

#[test]
fn a_client_finds_itself_present_right_after_the_reply() {
    let mut world = World::connected();
    world.send(
        "{\"id\":2,\"subscribe\":{\"channel\":\"room:x\"}}\n{\"id\":3,\"presence\":{\"channel\":\"room:x\"}}",
    );
    world.sees(&[
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"push":{"channel":"room:x","join":{"info":{"user":"42","client":"c1"}}}}"#,
        r#"{"id":3,"presence":{"presence":{"c1":{"user":"42","client":"c1"}}}}"#,
    ]);
}

#[test]
fn joins_and_leaves_of_others_wait_for_the_reply() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
    world.deliver(&other(ChannelEventKind::Join));
    world.sees(&[]);
    world.answer("subscribe");
    world.deliver(&other(ChannelEventKind::Leave));
    world.sees(&[
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"push":{"channel":"room:x","join":{"info":{"user":"43","client":"c2"}}}}"#,
        r#"{"push":{"channel":"room:x","join":{"info":{"user":"42","client":"c1"}}}}"#,
        r#"{"push":{"channel":"room:x","leave":{"info":{"user":"43","client":"c2"}}}}"#,
    ]);
}

#[test]
fn who_did_not_ask_for_joins_gets_none() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"ask:x"}}"#);
    world.deliver(&ChannelEvent { channel: "ask:x".into(), ..other(ChannelEventKind::Join) });
    world.sees(&[r#"{"id":2,"subscribe":{}}"#]);
}

#[test]
fn a_leaver_that_is_back_at_once_does_not_get_its_own_leave() {
    let mut world = World::connected();
    world.mail_waits = true;
    for command in [
        r#"{"id":2,"subscribe":{"channel":"room:x"}}"#,
        r#"{"id":3,"unsubscribe":{"channel":"room:x"}}"#,
        r#"{"id":4,"subscribe":{"channel":"room:x"}}"#,
    ] {
        world.send(command);
    }
    world.does_anything();
    world.fetch_mail();
    let join = r#"{"push":{"channel":"room:x","join":{"info":{"user":"42","client":"c1"}}}}"#;
    world.sees(&[join, join]);
}

#[test]
fn presence_is_refreshed_every_interval_until_the_end() {
    let mut world = World::with(|settings, _| settings.ping_interval = None);
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.at(1_000);
    world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
    world.does_anything();
    world.at(27_999);
    world.does(&[]);
    world.at(28_000);
    world.does(&["refresh presence room:x"]);
    world.at(55_000);
    world.does(&["refresh presence room:x"]);
    world.send(r#"{"id":3,"unsubscribe":{"channel":"room:x"}}"#);
    world.does_anything();
    world.at(200_000);
    world.does(&[]);
}

#[test]
fn all_entries_of_a_client_are_refreshed_at_once_and_clients_that_came_together_are_not() {
    let mut first = Vec::new();
    for random in [0, 1 << 32, 9_000 << 32, u64::MAX] {
        let mut world = World::with(|settings, greeting| {
            settings.ping_interval = None;
            greeting.random = random;
        });
        world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
        world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
        world.send(r#"{"id":3,"subscribe":{"channel":"room:y"}}"#);
        world.does_anything();
        world.at(13_499);
        world.does(&[]);
        let mut at = 13_499;
        while world.lines().is_empty() {
            at += 1;
            world.at(at);
        }
        world.does(&["refresh presence room:x room:y"]);
        world.at(at + 26_999);
        world.does(&[]);
        world.at(at + 27_000);
        world.does(&["refresh presence room:x room:y"]);
        first.push(at);
    }
    first.dedup();
    assert!(first.len() == 4 && first.iter().all(|at| (13_500..=27_000).contains(at)), "{first:?}");
}
