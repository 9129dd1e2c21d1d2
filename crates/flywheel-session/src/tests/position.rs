//! The position check of section 5.9.

use flywheel_protocol::ErrorCode;

use super::world::World;

/// A subscription at offset 0 whose position is checked, without pings in between.
fn subscribed() -> World {
    let mut world = World::with(|settings, _| settings.ping_interval = None);
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.send(r#"{"id":2,"subscribe":{"channel":"log:a"}}"#);
    world.does_anything();
    world
}

/// Publishes what never reaches this client.
fn lose(world: &mut World) {
    world.mail_waits = true;
    world.publish("log:a", "1");
    world.mailbox.clear();
    world.mail_waits = false;
}

#[test]
fn a_silent_channel_is_checked_on_the_first_tick_after_the_delay() {
    let mut world = subscribed();
    world.at(53_999);
    world.does(&[]);
    world.at(54_000);
    world.does(&["ask history"]);
    world.at(107_999);
    world.does(&[]);
    world.at(108_000);
    world.does(&["ask history"]);
}

#[test]
fn a_channel_that_delivers_is_not_checked() {
    let mut world = subscribed();
    for millis in [20_000, 50_000, 80_000] {
        world.at(millis);
        world.publish("log:a", "1");
    }
    world.does_anything();
    world.at(108_000);
    world.does(&[]);
}

const FIRST: &str = r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#;
const LOST: &str =
    r#"{"push":{"channel":"log:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#;

#[test]
fn a_publication_that_never_arrived_is_delivered_after_the_check() {
    let mut world = subscribed();
    lose(&mut world);
    world.at(53_999);
    world.does(&[]);
    world.at(54_000);
    world.does(&["ask history", "heal log:a", FIRST]);
    world.at(107_999);
    world.does(&[]);
}

#[test]
fn what_history_has_lost_too_is_insufficient_state() {
    let mut world = subscribed();
    lose(&mut world);
    world.engine.stream("log:a").lost = 1;
    world.at(54_000);
    world.sees(&[LOST]);
}

#[test]
fn a_publication_on_its_way_is_delivered_once() {
    let mut world = subscribed();
    world.mail_waits = true;
    world.at(53_999);
    world.publish("log:a", "1");
    world.at(54_000);
    world.does(&["ask history", "heal log:a", FIRST]);
    world.fetch_mail();
    world.mail_waits = false;
    world.does(&[]);
    world.at(108_000);
    world.does(&["ask history"]);
}

#[test]
fn a_publication_that_arrives_before_the_answer_settles_it() {
    let mut world = subscribed();
    world.slow("history");
    world.at(54_000);
    let stale = world.prepare("history");
    world.publish("log:a", "1");
    world.give(stale);
    world.at(108_000);
    let stale = world.prepare("history");
    world.publish("log:a", "1");
    world.give(stale);
    world.sees(&[
        r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#,
        r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":2}}}"#,
    ]);
}

#[test]
fn an_answer_that_a_publication_overtook_raises_no_doubt() {
    let mut world = subscribed();
    world.slow("history");
    world.at(54_000);
    let stale = world.prepare("history");
    world.publish("log:a", "1");
    world.give(stale);
    world.fast();
    world.mail_waits = true;
    world.at(107_999);
    world.publish("log:a", "1");
    world.at(108_000);
    world.fetch_mail();
    world.sees(&[
        r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#,
        r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":2}}}"#,
    ]);
}

#[test]
fn a_failed_read_says_nothing() {
    let mut world = subscribed();
    lose(&mut world);
    world.slow("history");
    for millis in [54_000, 81_000, 108_000] {
        world.at(millis);
        world.fail("history", ErrorCode::INTERNAL);
    }
    world.does(&["ask history", "ask history", "ask history"]);
}

#[test]
fn another_epoch_is_another_position() {
    let mut world = subscribed();
    world.engine.stream("log:a").epoch = "f".into();
    world.at(54_000);
    world.sees(&[LOST]);
}

#[test]
fn a_check_of_a_subscription_that_is_gone_is_nobodys() {
    let mut world = subscribed();
    world.slow("history");
    world.at(54_000);
    lose(&mut world);
    world.send(r#"{"id":3,"unsubscribe":{"channel":"log:a"}}"#);
    world.send(r#"{"id":4,"subscribe":{"channel":"log:a"}}"#);
    world.does_anything();
    world.answer("history");
    world.does(&[]);
}
