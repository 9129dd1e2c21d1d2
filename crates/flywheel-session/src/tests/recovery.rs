//! What was held back, merged with what history had: sections 5.4 to 5.7.

use super::world::World;

/// A channel with `published` publications, and a subscribe for it whose history has been read but not delivered;
/// `meanwhile` more are published and delivered before the reading arrives.
fn check(channel: &str, members: &str, published: usize, meanwhile: usize, expected: &[&str]) -> World {
    let mut world = World::connected();
    for _ in 0..published {
        world.publish(channel, "0");
    }
    world.slow("subscribe");
    world.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{members}}}}}"#));
    let prepared = world.prepare("subscribe");
    for _ in 0..meanwhile {
        world.publish(channel, "1");
    }
    world.sees(&[]);
    world.give(prepared);
    world.sees(expected);
    world.publish(channel, "2");
    let next = published + meanwhile + 1;
    let epoch = if next == 1 { r#","epoch":"e""# } else { "" };
    let push = format!(r#"{{"push":{{"channel":"{channel}","pub":{{"data":2,"offset":{next}{epoch}}}}}}}"#);
    match expected {
        [.., last] if last.contains("error") => world.sees(&[]),
        _ => world.sees(&[&push]),
    }
    world
}

#[test]
fn a_subscription_that_does_not_recover_starts_after_what_was_held_back() {
    check(
        "log:a",
        "",
        2,
        2,
        &[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":4,"positioned":true}}"#],
    );
    check("log:a", "", 0, 0, &[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#]);
}

#[test]
fn a_recovered_stream_continues_with_what_was_held_back() {
    check(
        "log:a",
        r#","recover":true,"epoch":"e","offset":1"#,
        2,
        2,
        &[concat!(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","publications":"#,
            r#"[{"data":0,"offset":2},{"data":1,"offset":3},{"data":1,"offset":4}],"#,
            r#""recovered":true,"offset":1,"positioned":true,"was_recovering":true}}"#
        )],
    );
    check(
        "log:a",
        r#","recover":true"#,
        1,
        0,
        &[concat!(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","publications":[{"data":0,"offset":1,"epoch":"e"}],"#,
            r#""recovered":true,"positioned":true,"was_recovering":true}}"#
        )],
    );
    check(
        "log:a",
        r#","recover":true,"epoch":"e","offset":2"#,
        2,
        0,
        &[concat!(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","recovered":true,"offset":2,"#,
            r#""positioned":true,"was_recovering":true}}"#
        )],
    );
}

#[test]
fn a_stream_that_cannot_be_recovered_says_so_and_delivers_nothing_held_back() {
    for since in [r#""epoch":"alien","offset":4"#, r#""epoch":"e","offset":1"#, r#""epoch":"e","offset":77"#]
    {
        check(
            "log:f",
            &format!(r#","recover":true,{since}"#),
            5,
            1,
            &[
                r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":6,"positioned":true,"was_recovering":true}}"#,
            ],
        );
    }
}

#[test]
fn trimmed_history_cannot_be_recovered() {
    let mut world = World::connected();
    for _ in 0..4 {
        world.publish("log:t", "0");
    }
    world.engine.stream("log:t").lost = 2;
    world.send(r#"{"id":2,"subscribe":{"channel":"log:t","recover":true,"offset":1}}"#);
    world.sees(&[
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":4,"positioned":true,"was_recovering":true}}"#,
    ]);
}

#[test]
fn flag_two_refuses_rather_than_subscribes_unrecovered_except_in_cache_mode() {
    let refused = r#"{"id":2,"error":{"code":112,"message":"unrecoverable position"}}"#;
    let world = check("log:f", r#","recover":true,"epoch":"alien","offset":4,"flag":2"#, 5, 1, &[refused]);
    assert_eq!(world.session.subscription_count(), 0);
    check(
        "log:f",
        r#","flag":2"#,
        1,
        0,
        &[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":1,"positioned":true}}"#],
    );
    check(
        "snap:f",
        r#","recover":true,"offset":7,"flag":2"#,
        0,
        0,
        &[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true,"was_recovering":true}}"#],
    );
}

#[test]
fn a_cache_has_only_its_newest_publication_even_when_that_was_held_back() {
    let newest = |offset: u64, data: u8, since: &str| {
        format!(
            concat!(
                r#"{{"id":2,"subscribe":{{"recoverable":true,"epoch":"e","publications":[{{"data":{},"offset":{}}}],"#,
                r#""recovered":true,{}"positioned":true,"was_recovering":true}}}}"#
            ),
            data, offset, since
        )
    };
    check("snap:s", r#","recover":true"#, 2, 0, &[&newest(2, 0, "")]);
    check(
        "snap:s",
        r#","recover":true,"epoch":"alien","offset":9"#,
        2,
        2,
        &[&newest(4, 1, r#""offset":9,"#)],
    );
    check("auto:s", "", 2, 1, &[&newest(3, 1, "")]);
    check(
        "snap:s",
        r#","recover":true,"epoch":"e","offset":2"#,
        2,
        0,
        &[concat!(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","recovered":true,"offset":2,"#,
            r#""positioned":true,"was_recovering":true}}"#
        )],
    );
    check(
        "snap:s",
        "",
        2,
        0,
        &[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":2,"positioned":true}}"#],
    );
}

#[test]
fn what_history_had_already_is_not_delivered_again() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"log:d","recover":true}}"#);
    world.publish("log:d", "1");
    world.mail_waits = true;
    world.publish("log:d", "2");
    world.answer("subscribe");
    world.fetch_mail();
    world.publish("log:d", "3");
    world.fetch_mail();
    world.sees(&[
        concat!(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","publications":"#,
            r#"[{"data":1,"offset":1,"epoch":"e"},{"data":2,"offset":2}],"#,
            r#""recovered":true,"positioned":true,"was_recovering":true}}"#
        ),
        r#"{"push":{"channel":"log:d","pub":{"data":3,"offset":3}}}"#,
    ]);
}

#[test]
fn a_hole_in_what_was_held_back_ends_the_connection() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.mail_waits = true;
    world.send(r#"{"id":2,"subscribe":{"channel":"hall:g"}}"#);
    let prepared = world.prepare("subscribe");
    world.publish("hall:g", "1");
    world.publish("hall:g", "2");
    world.mailbox.pop_front();
    world.fetch_mail();
    world.does_anything();
    world.give(prepared);
    world.does(&["detach hall:g", "remove presence hall:g", "close 3010 insufficient state", "released 42"]);
}

#[test]
fn a_stream_that_begins_anew_while_it_is_read_ends_the_connection() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.publish("log:n", "1");
    world.send(r#"{"id":2,"subscribe":{"channel":"log:n"}}"#);
    let prepared = world.prepare("subscribe");
    world.engine.streams.clear();
    world.engine.stream("log:n").epoch = "f".into();
    world.publish("log:n", "1");
    world.give(prepared);
    world.sees(&["close 3010 insufficient state"]);
}

#[test]
fn recovery_that_the_channel_does_not_offer_was_still_asked_for() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby","recover":true,"epoch":"e","offset":3}}"#);
    world.sees(&[r#"{"id":2,"subscribe":{"was_recovering":true}}"#]);
}

#[test]
fn publications_without_offset_wait_for_the_reply_too() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    world.publish("lobby", "1");
    world.publish("lobby", "2");
    world.sees(&[]);
    world.answer("subscribe");
    world.sees(&[
        r#"{"id":2,"subscribe":{}}"#,
        r#"{"push":{"channel":"lobby","pub":{"data":1}}}"#,
        r#"{"push":{"channel":"lobby","pub":{"data":2}}}"#,
    ]);
}

#[test]
fn what_no_queue_would_take_is_not_recovered_instead_of_closing_again_and_again() {
    let subscribe = |since: usize, members: &str| {
        let mut world = World::with(|settings, _| settings.queue_bytes_max = 1000);
        world.connect();
        let payload = format!("\"{}\"", "three are too many, two are not".repeat(13));
        for _ in 0..3 {
            world.publish("log:a", payload.clone().leak());
        }
        world.does_anything();
        world.send(&format!(
            r#"{{"id":2,"subscribe":{{"channel":"log:a","recover":true,"epoch":"e","offset":{since}{members}}}}}"#
        ));
        world
    };
    let lost = r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":3,"positioned":true,"was_recovering":true}}"#;
    let mut world = subscribe(0, "");
    world.sees(&[lost]);
    world.publish("log:a", "1");
    world.sees(&[r#"{"push":{"channel":"log:a","pub":{"data":1,"offset":4}}}"#]);
    subscribe(0, r#","flag":2"#)
        .sees(&[r#"{"id":2,"error":{"code":112,"message":"unrecoverable position"}}"#]);
    let recovered = subscribe(1, "");
    assert!(
        recovered.lines().iter().any(|line| line.contains(r#""recovered":true"#)),
        "{:?}",
        recovered.lines()
    );
}

#[test]
fn what_waits_for_the_socket_already_counts() {
    let recovers = |queued: usize| {
        let mut world = World::with(|settings, _| settings.queue_bytes_max = 1000);
        world.connect();
        world.publish("log:a", "\"missed\"");
        world.does_anything();
        world.queued = queued;
        world.send(r#"{"id":2,"subscribe":{"channel":"log:a","recover":true,"epoch":"e","offset":0}}"#);
        world.lines().iter().any(|line| line.contains(r#""recovered":true"#))
    };
    assert_eq!([0, 900, 950, 5000].map(recovers), [true, true, false, false]);
}

#[test]
fn what_is_held_back_has_a_bound() {
    let mut world = World::with(|settings, _| settings.queue_bytes_max = 1000);
    world.connect();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
    for _ in 0..20 {
        world.publish("lobby", "\"a payload of some length, of which ten are too many\"");
    }
    world.sees(&["close 3008 slow"]);
}

#[test]
fn a_held_back_payload_that_is_no_json_closes_and_nobody_joins_or_leaves() {
    let mut world = World::connected();
    world.slow("subscribe");
    world.send(r#"{"id":2,"subscribe":{"channel":"room:x"}}"#);
    world.publish("room:x", "{");
    world.does_anything();
    world.answer("subscribe");
    world.does(&[
        r#"{"id":2,"subscribe":{}}"#,
        "close 3506 inappropriate protocol",
        "released 42",
        "detach room:x",
        "remove presence room:x",
    ]);
}
