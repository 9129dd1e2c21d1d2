use flywheel_model::{ClientId, SessionId};
use flywheel_protocol::client::Encoding;

use super::shard::{Shard, frame, text};
use crate::{ClientKey, Delivered, Match};

const ONE: &str = r#"{"push":{"channel":"lobby","pub":{"data":1}}}"#;

/// Clients of user 42 in these slots, subscribed to `lobby`, alternately JSON and Protobuf from 0.
fn shard(slots: u32) -> Shard {
    let mut shard = Shard::new(1_000_000);
    for slot in 0..slots {
        shard.open(slot, 0, if slot % 2 == 0 { Encoding::Json } else { Encoding::Protobuf }, "42");
        shard.subscribe(slot, "lobby");
    }
    shard
}

#[test]
fn each_client_gets_an_event_in_its_own_encoding() {
    let mut shard = shard(3);
    let protobuf = b"\x10\x22\x0e\x12\x05lobby\x22\x05\x22\x03{1}";
    let delivered = shard.publish("lobby", "{1}");
    assert_eq!((delivered.messages, shard.closed.as_slice()), (1, [(0, 3506), (2, 3506)].as_slice()));
    assert_eq!(shard.read(1), frame(2, protobuf));

    let protobuf = b"\x0e\x22\x0c\x12\x05lobby\x22\x03\x22\x011";
    shard.open(4, 0, Encoding::Json, "42");
    shard.subscribe(4, "lobby");
    let delivered = shard.publish("lobby", "1");
    assert_eq!(shard.read(1), frame(2, protobuf));
    assert_eq!(shard.read(4), text(ONE));
    let bytes = (ONE.len() + protobuf.len()) as u64;
    assert_eq!(
        delivered,
        Delivered {
            messages: 2,
            bytes,
            filtered: 0,
            by_transport: [(2, bytes), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
        }
    );
}

#[test]
fn a_payload_that_is_no_json_closes_json_clients_and_reaches_the_others() {
    let mut shard = shard(4);
    shard.publish("lobby", "no json");
    assert_eq!(shard.closed, [(0, 3506), (2, 3506)]);
    assert!(shard.read(0).is_empty());
    assert!(!shard.read(1).is_empty());
    shard.publish("lobby", "1");
    assert!(shard.read(2).is_empty(), "nothing follows the close");
    assert!(!shard.read(3).is_empty());
    assert_eq!(shard.closed.len(), 2);
}

#[test]
fn an_event_of_a_channel_without_subscribers_reaches_nobody() {
    let mut shard = shard(2);
    assert_eq!(shard.publish("other", "1"), Delivered::default());
    assert!(shard.read(0).is_empty() && shard.read(1).is_empty());
}

#[test]
fn a_subscriber_that_takes_the_place_of_another_still_gets_everything() {
    let mut shard = shard(5);
    shard.unsubscribe(0, "lobby");
    shard.unsubscribe(4, "lobby");
    shard.unsubscribe(3, "lobby");
    shard.subscribe(0, "lobby");
    assert_eq!(shard.publish("lobby", "1").messages, 3);
    let got: Vec<u32> = (0..5).filter(|slot| !shard.read(*slot).is_empty()).collect();
    assert_eq!(got, [0, 1, 2]);
}

#[test]
fn a_slow_client_is_closed_and_the_others_are_not_disturbed() {
    let mut shard = Shard::new(500);
    for slot in 0..3 {
        shard.open(slot, 0, Encoding::Json, "42");
        shard.subscribe(slot, "lobby");
    }
    let frame = text(ONE);
    for _ in 0..500 / frame.len() {
        assert_eq!(shard.publish("lobby", "1").messages, 3);
        assert_eq!((shard.read(0), shard.read(2)), (frame.clone(), frame.clone()));
        shard.block(1);
    }
    assert_eq!(shard.publish("lobby", "1").messages, 2);
    assert_eq!(shard.closed, [(1, 3008)]);
    assert_eq!((shard.read(0), shard.read(2)), (frame.clone(), frame));
    assert!(shard.read(1).is_empty(), "the rest of its queue is dropped");
    assert_eq!(shard.hub.routing().subscriptions(), 2);
}

#[test]
fn a_slot_used_again_gets_nothing_of_its_predecessor() {
    let mut shard = shard(1);
    shard.publish("lobby", "1");
    shard.act(0, flywheel_session::Session::handle_closed);
    assert!(shard.hub.remove(0).is_some());
    assert!(shard.hub.routing().is_empty() && shard.hub.is_empty());
    shard.open(0, 1, Encoding::Json, "43");
    shard.publish("lobby", "1");
    assert!(shard.read(0).is_empty());
    assert!(!shard.hub.is_current(ClientKey { slot: 0, generation: 0 }));
    assert!(shard.hub.is_current(ClientKey { slot: 0, generation: 1 }));
}

#[test]
fn clients_are_found_by_user_and_narrowed_by_client_or_session() {
    let mut shard = Shard::new(1000);
    for (slot, user) in [(0, "42"), (1, "43"), (2, "42"), (3, "")] {
        shard.open(slot, 0, Encoding::Json, user);
    }
    let client = |slot: u32| ClientId::from_random(u128::from(slot) << 32);
    let session = |slot: u32| SessionId::from_random(!(u128::from(slot) << 32));
    let find = |shard: &Shard, user: &str, client: Option<ClientId>, session: Option<SessionId>| {
        let mut slots = shard.hub.find(&Match { user: user.into(), client, session });
        slots.sort_unstable();
        slots
    };
    assert_eq!(find(&shard, "42", None, None), [0, 2]);
    assert_eq!(find(&shard, "42", Some(client(2)), None), [2]);
    assert_eq!(find(&shard, "42", None, Some(session(0))), [0]);
    assert_eq!(find(&shard, "", None, None), [3]);
    for (user, client, session) in [
        ("42", Some(client(1)), None),
        ("42", Some(client(0)), Some(session(2))),
        ("", Some(client(0)), None),
        ("44", None, None),
    ] {
        assert_eq!(find(&shard, user, client, session), [0u32; 0]);
    }
    shard.act(0, flywheel_session::Session::handle_closed);
    shard.hub.remove(0);
    assert_eq!(find(&shard, "42", None, None), [2]);
    shard.hub.remove(2);
    assert_eq!(find(&shard, "42", None, None), [0u32; 0]);
}

#[test]
fn a_timer_is_set_for_whatever_a_session_waits_for() {
    let mut shard = shard(1);
    let mut fired = Vec::new();
    shard.hub.schedule(0, shard.now, &shard.settings);
    shard.hub.schedule(0, shard.now, &shard.settings);
    shard.at(12_600);
    shard.hub.wheel.expire(shard.now.at, |key| fired.push(key));
    assert_eq!(fired, [ClientKey { slot: 0, generation: 0 }], "one timer for one time");
    shard.hub.timer_fired(fired[0]);
    shard.act(0, flywheel_session::Session::handle_timeout);
    assert_eq!(shard.read(0), text("{}"));
    shard.hub.schedule(0, shard.now, &shard.settings);
    assert!(shard.hub.wheel.idle(shard.now.at).is_some());
}
