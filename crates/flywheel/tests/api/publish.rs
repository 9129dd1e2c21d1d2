//! Publishing: positions, delivery, idempotency, versions and broadcast.

use serde_json::json;

use crate::{Api, BAD_REQUEST, DONE, UNKNOWN_CHANNEL};

#[test]
fn publishing_returns_the_position_in_a_channel_with_history() {
    let mut api = Api::start();
    api.check(
        "publish",
        r#"{"channel":"log:a","data":{"v":1},"tags":{"k":"x"}}"#,
        r#"{"result":{"offset":1,"epoch":"<ep>"}}"#,
    );
    api.check("publish", r#"{"channel":"lobby","data":{"v":1}}"#, DONE);
    api.check("publish", r#"{"channel":"nowhere:a","data":1}"#, UNKNOWN_CHANNEL);
    api.check("publish", r#"{"channel":"","data":1}"#, BAD_REQUEST);
    api.check("publish", r#"{"data":1}"#, BAD_REQUEST);
    api.check("publish", r#"{"channel":"lobby"}"#, BAD_REQUEST);
    api.check("publish", r#"{"channel":"lobby","b64data":"?"}"#, BAD_REQUEST);
    api.check("publish", r#"{"channel":"lobby","b64data":"eyJhIjoxfQ"}"#, BAD_REQUEST);
    api.check("publish", r#"{"channel":"lobby","data":null}"#, DONE);
    api.check("publish", r#"{"channel":"lobby","data":1,"unknown":{"a":[1]},"tags":null}"#, DONE);
    api.check(
        "history",
        r#"{"channel":"log:a","limit":10}"#,
        r#"{"result":{"publications":[{"data":{"v":1},"offset":1,"tags":{"k":"x"}}],"epoch":"<ep>","offset":1}}"#,
    );
    // Rules of names that bind clients do not bind the API.
    api.check("publish", r#"{"channel":"$vault:1","data":1}"#, DONE);
    api.check("publish", r#"{"channel":"dialog#42","data":1}"#, DONE);
    let long = format!(r#"{{"channel":"{}","data":1}}"#, "c".repeat(300));
    api.check("publish", &long, DONE);
}

#[test]
fn a_publication_reaches_subscribers_as_it_was_given() {
    let api = Api::start();
    let mut client = api.anonymous();
    client.subscribe("lobby");
    for (params, publication) in [
        (json!({"data": {"a": [1, null]}}), json!({"data": {"a": [1, null]}})),
        (json!({"data": "<text>"}), json!({"data": "<text>"})),
        (json!({"data": null}), json!({"data": null})),
        (json!({"data": 1, "b64data": "eyJiIjoyfQ=="}), json!({"data": {"b": 2}})),
        (json!({"data": 1, "tags": {"k": "v"}}), json!({"data": 1, "tags": {"k": "v"}})),
    ] {
        let mut request = params.clone();
        request["channel"] = json!("lobby");
        api.server.api_result("publish", &request);
        assert_eq!(client.push(), json!({"channel": "lobby", "pub": publication}), "{params}");
    }
}

#[test]
fn skipping_history_delivers_without_a_position() {
    let mut api = Api::start();
    let mut client = api.anonymous();
    client.subscribe("log:skip");
    api.check("publish", r#"{"channel":"log:skip","data":1,"skip_history":true}"#, DONE);
    assert_eq!(client.push()["pub"], json!({"data": 1}));
    api.check("publish", r#"{"channel":"log:skip","data":2}"#, r#"{"result":{"offset":1,"epoch":"<ep>"}}"#);
    assert_eq!(client.push()["pub"]["offset"], 1);
}

#[test]
fn a_payload_that_is_not_json_closes_json_clients_only() {
    let api = Api::start();
    let mut client = api.anonymous();
    client.subscribe("lobby");
    api.server.api_result("publish", &json!({"channel": "lobby", "b64data": "/w=="}));
    assert_eq!(client.closed(), (3506, "inappropriate protocol".to_owned()));
}

#[test]
fn a_broadcast_answers_for_each_channel() {
    let mut api = Api::start();
    api.check(
        "broadcast",
        r#"{"channels":["log:d","nowhere:d",""],"data":1}"#,
        concat!(
            r#"{"result":{"responses":[{"result":{"offset":1,"epoch":"<ep>"}},"#,
            r#"{"error":{"code":102,"message":"unknown channel"}},{"error":{"code":107,"message":"bad request"}}]}}"#
        ),
    );
    api.check("broadcast", r#"{"channels":[],"data":1}"#, BAD_REQUEST);
    api.check("broadcast", r#"{"data":1}"#, BAD_REQUEST);
    api.check("broadcast", r#"{"channels":["lobby"],"b64data":"?"}"#, BAD_REQUEST);
    api.check(
        "broadcast",
        r#"{"channels":["lobby"]}"#,
        r#"{"result":{"responses":[{"error":{"code":107,"message":"bad request"}}]}}"#,
    );
    let mut client = api.anonymous();
    client.subscribe("first");
    client.subscribe("second");
    api.server.api_result("broadcast", &json!({"channels": ["first", "second"], "data": 5}));
    let mut channels = [client.push()["channel"].clone(), client.push()["channel"].clone()];
    channels.sort_by_key(ToString::to_string);
    assert_eq!(channels, [json!("first"), json!("second")]);
}

#[test]
fn a_repeated_idempotency_key_publishes_once() {
    let mut api = Api::start();
    let mut client = api.anonymous();
    client.subscribe("log:b");
    let first = r#"{"channel":"log:b","data":1,"idempotency_key":"i1"}"#;
    let answer = r#"{"result":{"offset":1,"epoch":"<ep>"}}"#;
    api.check("publish", first, answer);
    api.check("publish", first, answer);
    api.check(
        "publish",
        r#"{"channel":"log:b","data":2,"idempotency_key":"i2"}"#,
        r#"{"result":{"offset":2,"epoch":"<ep>"}}"#,
    );
    api.check("publish", r#"{"channel":"log:b","data":9,"idempotency_key":"i1"}"#, answer);
    assert_eq!(
        (client.push()["pub"]["data"].clone(), client.push()["pub"]["data"].clone()),
        (json!(1), json!(2))
    );
    // The key belongs to its channel.
    api.forget();
    api.check("publish", r#"{"channel":"log:other","data":1,"idempotency_key":"i1"}"#, answer);
    // It works without history, too.
    client.subscribe("lobby");
    let plain = r#"{"channel":"lobby","data":7,"idempotency_key":"p"}"#;
    api.check("publish", plain, DONE);
    api.check("publish", plain, DONE);
    api.check("publish", r#"{"channel":"lobby","data":8}"#, DONE);
    assert_eq!(
        (client.push()["pub"]["data"].clone(), client.push()["pub"]["data"].clone()),
        (json!(7), json!(8))
    );
    // A publish that failed may be tried again under its key.
    api.check("publish", r#"{"channel":"log:retry","idempotency_key":"r"}"#, BAD_REQUEST);
    api.forget();
    api.check("publish", r#"{"channel":"log:retry","data":1,"idempotency_key":"r"}"#, answer);
}

#[test]
fn an_old_version_is_not_published() {
    let mut api = Api::start();
    let at = |offset: u32| format!(r#"{{"result":{{"offset":{offset},"epoch":"<ep>"}}}}"#);
    for (params, offset) in [
        (r#""data":2,"version":2"#, 1),
        (r#""data":1,"version":1"#, 1),
        (r#""data":2,"version":2"#, 1),
        (r#""data":0"#, 2),
        (r#""data":2,"version":2"#, 2),
        (r#""data":3,"version":3,"version_epoch":"e1""#, 3),
        (r#""data":2,"version":2,"version_epoch":"e1""#, 3),
        (r#""data":1,"version":1,"version_epoch":"e2""#, 4),
        (r#""data":1,"version":1"#, 4),
    ] {
        api.check("publish", &format!(r#"{{"channel":"log:c",{params}}}"#), &at(offset));
    }
    let history = api.server.api_result("history", &json!({"channel": "log:c", "limit": -1}));
    let data: Vec<_> =
        history["publications"].as_array().unwrap().iter().map(|p| p["data"].clone()).collect();
    assert_eq!(data, [json!(2), json!(0), json!(3), json!(1)]);
    api.check("publish", r#"{"channel":"lobby","data":1,"version":1}"#, DONE);
}

#[test]
fn a_publish_dropped_by_its_version_is_not_remembered_under_its_key() {
    let mut api = Api::start();
    let at = |offset: u32| format!(r#"{{"result":{{"offset":{offset},"epoch":"<ep>"}}}}"#);
    api.check("publish", r#"{"channel":"log:k","data":5,"version":5}"#, &at(1));
    api.check("publish", r#"{"channel":"log:k","data":4,"version":4,"idempotency_key":"k"}"#, &at(1));
    api.check("publish", r#"{"channel":"log:k","data":6,"version":6,"idempotency_key":"k"}"#, &at(2));
}
