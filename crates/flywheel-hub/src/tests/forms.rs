//! The forms of one publication: whole, patched and plain, in each encoding.

use bytes::Bytes;
use flywheel_model::{Payload, Publication};
use flywheel_protocol::client::Encoding::{Json, Protobuf};

use super::shard::Shard;

const DELTA: &str = r#","delta":"fossil""#;

fn publication(offset: u64, data: &[u8]) -> Publication {
    Publication { offset, ..Publication::of(Payload::new(Bytes::copy_from_slice(data))) }
}

/// Slots 0 and 1 are JSON and Protobuf with delta, 2 and 3 without.
fn shard() -> Shard {
    let mut shard = Shard::new(1_000_000);
    for (slot, encoding) in [(0, Json), (1, Protobuf), (2, Json), (3, Protobuf)] {
        shard.open(slot, 0, encoding, "42");
        shard.subscribe_with(slot, "diff:a", if slot < 2 { DELTA } else { "" });
    }
    shard
}

/// Publishes after `before`; answers what the clients get.
fn publish(shard: &mut Shard, before: &[u8], data: &[u8]) -> [Vec<u8>; 4] {
    shard.publish_one("diff:a", publication(1, before), None);
    (0..4).for_each(|slot| drop(shard.read(slot)));
    shard.publish_one("diff:a", publication(2, data), Some(publication(1, before)));
    [0, 1, 2, 3].map(|slot| shard.read(slot))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

const OLD: &[u8] = br#"{"n":1,"x":"the same in both and long"}"#;
const NEW: &[u8] = br#"{"n":2,"x":"the same in both and long"}"#;

#[test]
fn who_negotiated_delta_gets_the_patch_and_everybody_else_the_payload() {
    let mut shard = shard();
    let [json, protobuf, plain_json, plain_protobuf] = publish(&mut shard, OLD, NEW);
    assert!(contains(&json, br#""data":"c\n5@0,1:2X@6,"#), "{}", String::from_utf8_lossy(&json));
    assert!(contains(&json, br#","offset":2,"delta":true"#));
    // Field 4 with the patch, and field 8, the flag.
    assert!(contains(&protobuf, b"c\n5@0,1:2X@6,") && protobuf.ends_with(b"\x40\x01"));
    assert!(contains(&plain_json, NEW) && !contains(&plain_json, b"delta"));
    assert!(contains(&plain_protobuf, NEW));
}

#[test]
fn a_patch_that_is_not_shorter_gives_way_to_the_whole() {
    let mut shard = shard();
    let [json, protobuf, plain_json, plain_protobuf] = publish(&mut shard, OLD, b"7");
    assert!(contains(&json, br#""pub":{"data":"7","offset":2}"#));
    assert!(contains(&plain_json, br#""pub":{"data":7,"offset":2}"#));
    assert_eq!(protobuf, plain_protobuf);
}

#[test]
fn with_delta_json_clients_take_any_text_but_nothing_else() {
    let mut shard = shard();
    shard.publish_one("diff:a", publication(1, "grün".as_bytes()), None);
    assert!(contains(&shard.read(0), "\"data\":\"grün\"".as_bytes()));
    assert_eq!(shard.closed, [(2, 3506)]);
    shard.publish_one("diff:a", publication(2, b"gr\xfcn"), None);
    assert_eq!(shard.closed, [(2, 3506), (0, 3506)]);
    assert!(contains(&shard.read(1), b"gr\xfcn"));
}

#[test]
fn all_forms_of_one_publication_are_made_once() {
    let mut shard = shard();
    for slot in 4..40 {
        shard.open(slot, 0, if slot % 2 == 0 { Json } else { Protobuf }, "42");
        shard.subscribe_with(slot, "diff:a", if slot < 20 { DELTA } else { "" });
    }
    shard.publish_one("diff:a", publication(1, OLD), None);
    (0..40).for_each(|slot| drop(shard.read(slot)));
    let arena = |shard: &mut Shard| {
        let mut length = 0;
        shard.hub.outbox.append(|arena| length = arena.len());
        length
    };
    let before = arena(&mut shard);
    let delivered = shard.publish_one("diff:a", publication(2, NEW), Some(publication(1, OLD)));
    assert_eq!(delivered.messages, 40);
    let made = arena(&mut shard) - before;
    let frames: std::collections::BTreeSet<_> = (0..40).map(|slot| shard.read(slot)).collect();
    assert_eq!((frames.len(), frames.iter().map(Vec::len).sum()), (4, made));
}

#[test]
fn what_a_filter_leaves_out_is_counted() {
    let mut shard = Shard::new(1_000_000);
    for slot in 0..3 {
        shard.open(slot, 0, Json, "42");
        let filter = if slot == 0 { "" } else { r#","tf":{"key":"a","cmp":"ex"}"# };
        shard.subscribe_with(slot, "pick:a", filter);
    }
    let delivered = shard.publish("pick:a", "1");
    assert_eq!((delivered.messages, delivered.filtered), (1, 2));
    let tagged = Publication { tags: [("a".into(), "b".into())].into(), ..publication(0, b"1") };
    let delivered = shard.publish_one("pick:a", tagged, None);
    assert_eq!((delivered.messages, delivered.filtered), (3, 0));
}
