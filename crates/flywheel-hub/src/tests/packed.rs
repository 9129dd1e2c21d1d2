//! What clients get that negotiated permessage-deflate.

use std::collections::BTreeSet;

use bytes::Bytes;
use flywheel_model::{Payload, Publication};
use flywheel_protocol::client::Encoding::{self, Json, Protobuf};
use flywheel_protocol::client::{Presence, PushBody, ServerMessage};
use flywheel_websocket::{Decoder, Deflate, Event, Inflater, Input, Role, Rules};

use super::shard::Shard;
use crate::Packing;

const LONG: &str =
    r#"{"text":"words and words and words and words and words and words and words and words"}"#;

fn publication(offset: u64, data: &str) -> Publication {
    Publication { offset, ..Publication::of(Payload::new(Bytes::copy_from_slice(data.as_bytes()))) }
}

fn open(shard: &mut Shard, slot: u32, encoding: Encoding, offer: &str, channel: &str) {
    shard.open(slot, 0, encoding, "42");
    if let Some(deflate) = Deflate::accept([offer].into_iter()) {
        shard.hub.compress(slot, deflate);
    }
    shard.subscribe(slot, channel);
}

const OFFER: &str = "permessage-deflate";

/// Slots 0 and 1 take compressed messages in JSON and Protobuf, 2 and 3 do not.
fn shard() -> Shard {
    let mut shard = Shard::new(1_000_000);
    for (slot, encoding, offer) in [(0, Json, OFFER), (1, Protobuf, OFFER), (2, Json, ""), (3, Protobuf, "")]
    {
        open(&mut shard, slot, encoding, offer, "news");
    }
    shard
}

/// The messages in the frames, and whether they were compressed.
fn messages(mut frames: Vec<u8>) -> Vec<(bool, Vec<u8>)> {
    let mut decoder = Decoder::new(Rules { role: Role::Client, compression: true, ..Rules::default() });
    let (mut input, mut inflater, mut messages) = (Input::new(&mut frames), Inflater::new(), Vec::new());
    while let Some(event) = decoder.poll_event(&mut input).unwrap() {
        let Event::Message { payload, compressed, .. } = event else { panic!("{event:?}") };
        let message = if compressed { inflater.inflate(payload, 1 << 20).unwrap() } else { payload };
        messages.push((compressed, message.to_vec()));
    }
    messages
}

fn read(shard: &mut Shard, slot: u32) -> Vec<(bool, Vec<u8>)> {
    messages(shard.read(slot))
}

#[test]
fn compressed_and_plain_clients_of_a_channel_get_the_same_messages() {
    let mut shard = shard();
    for data in [LONG, "1", LONG] {
        shard.publish_one("news", publication(1, data), None);
    }
    for (packed, plain) in [(0, 2), (1, 3)] {
        let (packed, plain) = (read(&mut shard, packed), read(&mut shard, plain));
        let flags: Vec<bool> = packed.iter().map(|(compressed, _)| *compressed).collect();
        assert_eq!((flags[0], flags[2], plain.len()), (true, true, 3));
        assert!(plain.iter().all(|(compressed, _)| !compressed));
        assert!(packed.iter().zip(&plain).all(|(packed, plain)| packed.1 == plain.1));
    }
}

#[test]
fn a_message_is_compressed_once_for_all_who_take_it_so() {
    let mut shard = shard();
    for slot in 4..40 {
        let encoding = if slot % 2 == 0 { Json } else { Protobuf };
        open(&mut shard, slot, encoding, if slot < 20 { OFFER } else { "" }, "news");
    }
    let arena = |shard: &mut Shard| {
        let mut length = 0;
        shard.hub.outbox.append(|arena| length = arena.len());
        length
    };
    let before = arena(&mut shard);
    let delivered = shard.publish_one("news", publication(1, LONG), None);
    let made = arena(&mut shard) - before;
    let frames: BTreeSet<_> = (0..40).map(|slot| shard.read(slot)).collect();
    assert_eq!((frames.len(), frames.iter().map(Vec::len).sum()), (4, made));
    let lengths: usize =
        [2, 3].map(|form| messages(frames.iter().nth(form).unwrap().clone())[0].1.len()).iter().sum();
    assert_eq!(
        (delivered.messages, delivered.bytes),
        (40, 20 * lengths as u64),
        "counted before compression"
    );
}

#[test]
fn what_gets_no_shorter_is_shared_with_the_others() {
    let mut shard = shard();
    for order in [[0, 2], [2, 0]] {
        for slot in order {
            shard.unsubscribe(slot, "news");
            shard.subscribe(slot, "news");
        }
        // Nothing in it occurs twice.
        shard.publish_one("news", publication(1, r#""ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210""#), None);
        let frame = shard.read(0);
        assert_eq!(frame, shard.read(2));
        assert!(!messages(frame)[0].0);
    }
}

#[test]
fn short_messages_are_left_alone_as_configured() {
    let mut shard = shard();
    shard.publish_one("news", publication(1, LONG), None);
    let length = read(&mut shard, 0)[0].1.len();
    for (min_size, compressed) in [(length, true), (length + 1, false), (0, true)] {
        shard.hub.set_packing(Packing { min_size, ..Packing::default() });
        shard.publish_one("news", publication(1, LONG), None);
        assert_eq!(read(&mut shard, 0)[0].0, compressed, "{min_size}");
    }
}

#[test]
fn a_client_with_a_small_window_gets_long_messages_plain() {
    let mut shard = shard();
    open(&mut shard, 4, Json, "permessage-deflate; server_max_window_bits=8", "news");
    let longer = format!(r#"{{"text":"{}"}}"#, "and ".repeat(100));
    for (data, compressed) in [(LONG, true), (longer.as_str(), false)] {
        shard.publish_one("news", publication(1, data), None);
        let (all, small) = (read(&mut shard, 0), read(&mut shard, 4));
        assert_eq!((all[0].0, small[0].0), (true, compressed));
        assert_eq!(all[0].1, small[0].1);
    }
}

#[test]
fn what_one_client_alone_gets_is_compressed_too_but_for_pings() {
    let mut shard = shard();
    let leave = ServerMessage::push(&"x".repeat(300), PushBody::Leave(Presence { info: None }));
    let length = shard.hub.send(0, &leave).unwrap();
    shard.hub.send(0, &ServerMessage::Ping).unwrap();
    let messages = read(&mut shard, 0);
    assert_eq!((messages[0].0, messages[0].1.len()), (true, length));
    assert_eq!(messages[1], (false, b"{}".to_vec()));
}

#[test]
fn the_level_can_be_changed() {
    let mut shard = shard();
    let data = format!("[{}]", (0..600).map(|n| (n * n % 1009).to_string()).collect::<Vec<_>>().join(","));
    let mut lengths = [1, 9].map(|level| {
        shard.hub.set_packing(Packing { level, ..Packing::default() });
        shard.publish_one("news", publication(1, &data), None);
        shard.read(0).len()
    });
    lengths.reverse();
    assert!(lengths.is_sorted() && lengths[0] < lengths[1], "{lengths:?}");
}

#[test]
fn patches_are_compressed_like_anything_else() {
    let mut shard = Shard::new(1_000_000);
    for (slot, offer) in [(0, OFFER), (1, "")] {
        shard.open(slot, 0, Json, "42");
        if let Some(deflate) = Deflate::accept([offer].into_iter()) {
            shard.hub.compress(slot, deflate);
        }
        shard.subscribe_with(slot, "diff:a", r#","delta":"fossil""#);
    }
    let numbers = |from: u32| (from..from + 40).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let old = format!("[{},{}]", LONG, numbers(100));
    let new = format!("[{},{},{}]", LONG, numbers(100), numbers(300));
    shard.publish_one("diff:a", publication(1, &old), None);
    shard.publish_one("diff:a", publication(2, &new), Some(publication(1, &old)));
    let (packed, plain) = (read(&mut shard, 0), read(&mut shard, 1));
    assert!(packed.iter().all(|(compressed, _)| *compressed));
    assert!(packed.iter().zip(&plain).all(|(packed, plain)| packed.1 == plain.1));
    assert!(String::from_utf8_lossy(&packed[1].1).contains(r#""delta":true"#));
}
