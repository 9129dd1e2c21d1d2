//! Gaps in a channel with several subscribers.

use std::sync::Arc;

use flywheel_model::{Channel, Epoch, Payload, Publication, StreamPosition};
use flywheel_protocol::client::Encoding;
use flywheel_stream::{History, HistoryQuery};

use super::shard::Shard;
use crate::heals::{DEADLINE, PAGE};
use crate::{HealRead, Healed};

const LOG: &str = "log:a";

/// JSON clients in these slots, subscribed to `log:a` at offset 0 of epoch `e`.
fn shard(slots: u32) -> Shard {
    let mut shard = Shard::new(1_000_000);
    for slot in 0..slots {
        shard.open(slot, 0, Encoding::Json, "42");
        shard.subscribe(slot, LOG);
    }
    shard
}

fn publication(offset: u64) -> Publication {
    Publication { offset, ..Publication::of(Payload::new(offset.to_string().into())) }
}

fn arrives(shard: &mut Shard, offset: u64) {
    shard.publish_one(LOG, publication(offset), None);
}

/// Offsets that were pushed to the client since the last look, and `!` for the end of its subscription.
fn got(shard: &mut Shard, slot: u32) -> String {
    let text = String::from_utf8_lossy(&shard.read(slot)).into_owned();
    let mut got = Vec::new();
    for push in text.split(r#"{"push""#).skip(1) {
        let offset = push
            .split_once(r#""offset":"#)
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        got.push(offset.unwrap_or_else(|| "!".into()));
    }
    got.join(" ")
}

fn asks(shard: &mut Shard) -> HealRead {
    shard.hub.poll_heal(shard.now).expect("a question")
}

fn is_quiet(shard: &mut Shard) -> bool {
    shard.hub.poll_heal(shard.now).is_none()
}

/// What a stream of epoch `epoch` that has `from` to `top` answers.
fn history(read: &HealRead, from: u64, top: u64, epoch: &str) -> History {
    let since = read.query.since.as_ref().unwrap().offset;
    let kept = (from..=top).filter(|offset| *offset > since).take(read.query.limit.unwrap());
    History {
        publications: kept.map(|offset| Arc::new(publication(offset))).collect(),
        top: StreamPosition { offset: top, epoch: Epoch::from(epoch) },
    }
}

fn answer(shard: &mut Shard, read: &HealRead, history: Option<&History>) -> Healed {
    let mut effects = Vec::new();
    let healed =
        shard.hub.healed(shard.now, &shard.settings, &read.channel, read.heal, history, &mut effects);
    shard.carry_out(effects);
    healed
}

fn expire(shard: &mut Shard, millis: u64) {
    shard.at(millis);
    let mut effects = Vec::new();
    shard.hub.expire_heals(shard.now, &shard.settings, &mut effects);
    shard.carry_out(effects);
}

#[test]
fn one_read_heals_all_and_what_came_meanwhile_follows_in_order() {
    let mut shard = shard(3);
    arrives(&mut shard, 1);
    arrives(&mut shard, 3);
    let read = asks(&mut shard);
    assert_eq!(
        (read.channel.as_str(), &read.query),
        (LOG, &HistoryQuery::after(StreamPosition { offset: 1, epoch: Epoch::unknown() }, PAGE,))
    );
    arrives(&mut shard, 4);
    arrives(&mut shard, 5);
    assert!(is_quiet(&mut shard), "one read is enough");
    assert!(shard.hub.held_bytes() > 0);
    let answered = history(&read, 1, 4, "e");
    assert_eq!(answer(&mut shard, &read, Some(&answered)).subscriptions, 3);
    for slot in 0..3 {
        assert_eq!(got(&mut shard, slot), "1 2 3 4 5");
    }
    assert_eq!((shard.hub.healing(), shard.hub.held_bytes(), is_quiet(&mut shard)), (0, 0, true));
    arrives(&mut shard, 6);
    assert_eq!(got(&mut shard, 2), "6");
}

#[test]
fn whoever_lacks_nothing_is_neither_kept_waiting_nor_told_twice() {
    let mut shard = shard(1);
    shard.publish_one(LOG, publication(2), None);
    let read = asks(&mut shard);
    // It subscribes behind the gap; here the stream is at 0 for the newcomer, so it gets what is next for it.
    shard.open(1, 0, Encoding::Json, "42");
    shard.subscribe(1, LOG);
    arrives(&mut shard, 1);
    assert_eq!((got(&mut shard, 0), got(&mut shard, 1)), ("1".into(), "1".into()));
    let answered = history(&read, 1, 2, "e");
    answer(&mut shard, &read, Some(&answered));
    assert_eq!((got(&mut shard, 0), got(&mut shard, 1)), ("2".into(), "2".into()));
}

#[test]
fn subscribers_without_a_position_do_not_wait() {
    let mut shard = shard(1);
    shard.open(1, 0, Encoding::Json, "42");
    shard.subscribe(1, "diff:a");
    let event = publication(9);
    shard.publish_one("diff:a", event, None);
    assert!(is_quiet(&mut shard));
    assert_eq!(got(&mut shard, 1), "9");
}

#[test]
fn what_history_has_lost_ends_the_subscriptions_that_lack_it() {
    let mut shard = shard(2);
    arrives(&mut shard, 3);
    let read = asks(&mut shard);
    shard.at(10);
    let answered = history(&read, 2, 3, "e");
    assert_eq!(answer(&mut shard, &read, Some(&answered)).subscriptions, 0);
    assert_eq!((got(&mut shard, 0), got(&mut shard, 1)), ("!".into(), "!".into()));
    assert_eq!((shard.hub.healing(), shard.hub.routing().len()), (0, 0));
}

#[test]
fn a_stream_that_began_anew_ends_the_subscriptions() {
    let mut shard = shard(1);
    arrives(&mut shard, 3);
    let read = asks(&mut shard);
    // In the same millisecond the answer might be older than the subscription: it asks again.
    let answered = history(&read, 1, 1, "f");
    answer(&mut shard, &read, Some(&answered));
    assert_eq!(got(&mut shard, 0), "");
    expire(&mut shard, 200);
    let read = asks(&mut shard);
    answer(&mut shard, &read, Some(&answered));
    assert_eq!(got(&mut shard, 0), "!");
}

#[test]
fn a_read_that_fails_is_tried_again_with_pauses_and_not_for_ever() {
    let mut shard = shard(1);
    arrives(&mut shard, 2);
    let mut pauses = Vec::new();
    let mut asked_at = 0;
    loop {
        let read = asks(&mut shard);
        answer(&mut shard, &read, None);
        assert!(is_quiet(&mut shard), "no pause");
        if shard.hub.healing() == 0 {
            break;
        }
        let mut now = asked_at;
        while shard.hub.healing() > 0 && shard.hub.idle(shard.now.at).is_some_and(|idle| !idle.is_zero()) {
            now += 50;
            expire(&mut shard, now);
        }
        pauses.push(now - asked_at);
        asked_at = now;
    }
    assert_eq!(pauses, [50, 100, 200]);
    assert_eq!(got(&mut shard, 0), "!");
}

#[test]
fn a_read_that_is_never_answered_is_given_up_and_an_answer_after_that_is_nobodys() {
    let mut shard = shard(1);
    arrives(&mut shard, 2);
    let read = asks(&mut shard);
    expire(&mut shard, 11_900);
    assert_eq!(got(&mut shard, 0), "");
    expire(&mut shard, u64::try_from(DEADLINE.as_millis()).unwrap() + 50);
    assert_eq!((got(&mut shard, 0), shard.hub.healing()), ("!".into(), 0));
    let answered = history(&read, 1, 2, "e");
    assert_eq!(answer(&mut shard, &read, Some(&answered)), Healed::default());
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut shard = shard(1);
    shard.settings.queue_bytes_max = 5_000;
    arrives(&mut shard, 2);
    let read = asks(&mut shard);
    let mut offset = 2;
    while shard.hub.healing() > 0 {
        offset += 1;
        arrives(&mut shard, offset);
        assert!(shard.hub.held_bytes() <= 6_000);
    }
    assert_eq!((got(&mut shard, 0), shard.hub.held_bytes()), ("!".into(), 0));
    let answered = history(&read, 1, offset, "e");
    assert_eq!(answer(&mut shard, &read, Some(&answered)), Healed::default());
}

#[test]
fn a_suspicion_that_is_wrong_changes_nothing_and_one_that_is_right_is_made_good() {
    let mut shard = shard(2);
    arrives(&mut shard, 1);
    shard.hub.heal(shard.now, &shard.settings, &Channel::from(LOG));
    let read = asks(&mut shard);
    let answered = history(&read, 1, 1, "e");
    assert_eq!(answer(&mut shard, &read, Some(&answered)), Healed::default());
    assert_eq!(got(&mut shard, 0), "1");
    shard.hub.heal(shard.now, &shard.settings, &Channel::from(LOG));
    let read = asks(&mut shard);
    let answered = history(&read, 1, 4, "e");
    assert_eq!(answer(&mut shard, &read, Some(&answered)).subscriptions, 2);
    assert_eq!((got(&mut shard, 0), got(&mut shard, 1)), ("2 3 4".into(), "1 2 3 4".into()));
}

#[test]
fn a_suspicion_that_cannot_be_looked_into_ends_nothing() {
    let mut shard = shard(1);
    shard.hub.heal(shard.now, &shard.settings, &Channel::from(LOG));
    asks(&mut shard);
    expire(&mut shard, 13_000);
    assert_eq!((got(&mut shard, 0), shard.hub.healing()), (String::new(), 0));
}

#[test]
fn a_sign_that_comes_during_a_read_makes_for_another_one() {
    let mut shard = shard(1);
    shard.hub.heal(shard.now, &shard.settings, &Channel::from(LOG));
    let read = asks(&mut shard);
    shard.hub.heal(shard.now, &shard.settings, &Channel::from(LOG));
    let answered = history(&read, 1, 0, "e");
    answer(&mut shard, &read, Some(&answered));
    let read = asks(&mut shard);
    let answered = history(&read, 1, 1, "e");
    answer(&mut shard, &read, Some(&answered));
    assert_eq!((got(&mut shard, 0), shard.hub.healing()), ("1".into(), 0));
}

#[test]
fn a_long_gap_is_read_page_by_page() {
    let mut shard = shard(1);
    let top = PAGE as u64 * 2 + 10;
    arrives(&mut shard, top + 1);
    let mut reads = 0;
    while shard.hub.healing() > 0 {
        let read = asks(&mut shard);
        let answered = history(&read, 1, top, "e");
        answer(&mut shard, &read, Some(&answered));
        reads += 1;
    }
    assert_eq!(reads, 3);
    let expected: Vec<_> = (1..=top + 1).map(|offset| offset.to_string()).collect();
    assert_eq!(got(&mut shard, 0), expected.join(" "));
}

#[test]
fn with_delta_what_is_healed_is_whole_and_patches_follow_again() {
    let mut shard = Shard::new(1_000_000);
    shard.open(0, 0, Encoding::Json, "42");
    shard.subscribe_with(0, LOG, r#","delta":"fossil""#);
    let text = |offset: u64| format!("\"{} {offset}\"", "a long text that does not change".repeat(3));
    let long = |offset: u64| Publication { offset, ..Publication::of(Payload::new(text(offset).into())) };
    shard.publish_one(LOG, long(1), None);
    shard.publish_one(LOG, long(3), Some(long(2)));
    let read = asks(&mut shard);
    let publications = vec![Arc::new(long(2)), Arc::new(long(3))];
    let top = StreamPosition { offset: 3, epoch: Epoch::from("e") };
    shard.read(0);
    answer(&mut shard, &read, Some(&History { publications, top }));
    let healed = String::from_utf8_lossy(&shard.read(0)).into_owned();
    assert!(!healed.contains("\"delta\":true"), "{healed}");
    assert!(healed.contains(&long_json(&text(2))) && healed.contains(&long_json(&text(3))), "{healed}");
    shard.publish_one(LOG, long(4), Some(long(3)));
    assert!(String::from_utf8_lossy(&shard.read(0)).contains("\"delta\":true"));
}

/// How a whole payload looks in JSON with delta.
fn long_json(payload: &str) -> String {
    format!("\"data\":\"{}\"", payload.replace('"', "\\\""))
}
