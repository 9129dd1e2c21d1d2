//! What is published once: idempotency keys and versions.

use flywheel_testkit::{JsonClient, Server};
use serde_json::json;

use super::histories::both_read;
use super::reference::How;
use super::shared::Shared;

fn keyed(key: &str) -> How<'_> {
    How { key: Some(key), ..How::default() }
}

pub(super) fn a_key_counts_on_both(server: &Server, shared: &Shared) {
    let publish = |channel: &str, data: u32, key: &str| {
        server.api_result("publish", &json!({"channel": channel, "data": data, "idempotency_key": key}))
    };
    let made = publish("log:e", 1, "k1");
    let repeated = shared.publishes("log:e", "2", &keyed("k1"));
    assert_eq!(
        (json!(repeated.offset), json!(repeated.epoch)),
        (made["offset"].clone(), made["epoch"].clone())
    );
    assert!(repeated.suppressed);
    let made = shared.publishes("log:e", "3", &keyed("k2"));
    let repeated = publish("log:e", 4, "k2");
    assert_eq!((&repeated["offset"], &repeated["epoch"]), (&json!(made.offset), &json!(made.epoch)));
    both_read(server, shared, "log:e", 2, &[(1, "1"), (2, "3")]);
    // Without a history, only that there was something is known.
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("plain");
    assert!(shared.publishes_plain("plain", "5", &keyed("k3")));
    publish("plain", 6, "k3");
    publish("plain", 7, "k4");
    assert!(!shared.publishes_plain("plain", "8", &keyed("k4")));
    shared.publishes_plain("plain", "9", &How::default());
    assert_eq!([(); 3].map(|()| client.publication()["data"].clone()), [5, 7, 9].map(|data| json!(data)));
}

pub(super) fn a_version_counts_on_both(server: &Server, shared: &Shared) {
    let publish = |data: u32, version: u64| {
        server.api_result("publish", &json!({"channel": "log:f", "data": data, "version": version}))
    };
    let theirs = |data: &str, version| shared.publishes("log:f", data, &How { version, ..How::default() });
    publish(1, 5);
    assert!(theirs("2", 5).suppressed);
    assert!(!theirs("3", 6).suppressed);
    publish(4, 6);
    publish(5, 7);
    // The reference counts an offset for what it suppresses, and nothing is there.
    both_read(server, shared, "log:f", 4, &[(1, "1"), (3, "3"), (4, "5")]);
}
