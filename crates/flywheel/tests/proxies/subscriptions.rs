use serde_json::json;

use crate::{Stage, in_seconds};

#[test]
fn the_backend_says_who_subscribes_and_with_what() {
    let stage = Stage::start(
        |_| {},
        |_, question| match question["channel"].as_str() {
            Some("asked:in") => json!({"result": {
                "info": {"role": "admin"},
                "data": question["data"],
                "override": {"join_leave": {"value": true}, "force_push_join_leave": {"value": true}},
            }}),
            Some("asked:banned") => json!({"disconnect": {"code": 4500, "reason": "banned"}}),
            _ => json!({"error": {"code": 403, "message": "not a member"}}),
        },
    );
    let mut client = stage.client();
    let reply =
        client.command("subscribe", json!({"channel": "asked:in", "data": {"a": 1}, "recoverable": true}));
    assert_eq!(reply["subscribe"], json!({"data": {"a": 1}}));
    assert_eq!(client.push()["join"]["info"]["chan_info"], json!({"role": "admin"}));
    let reply = client.command("subscribe", json!({"channel": "asked:out"}));
    assert_eq!(reply["error"], json!({"code": 403, "message": "not a member"}));
    client.send(r#"{"id":9,"subscribe":{"channel":"asked:banned"}}"#);
    assert_eq!(client.closed(), (4500, "banned".to_owned()));
    assert_eq!(stage.asked("subscribe")[0]["user"], "");
}

#[test]
fn a_subscription_is_renewed_by_the_backend_until_it_says_no() {
    let stage = Stage::start(
        |_| {},
        |event, _| match event {
            "subscribe" => json!({"result": {"expire_at": in_seconds(1)}}),
            _ => json!({"result": {"expired": true}}),
        },
    );
    let mut client = stage.client();
    assert_eq!(client.subscribe("asked:1"), json!({}));
    assert_eq!(client.push()["unsubscribe"], json!({"code": 2501, "reason": "subscription expired"}));
    assert_eq!(stage.asked("sub_refresh")[0]["channel"], "asked:1");
}

#[test]
fn the_backend_says_what_is_published() {
    let stage = Stage::start(
        |_| {},
        |event, question| match (event, question["data"].as_str()) {
            ("subscribe", _) => json!({"result": {"override": {"force_recovery": {"value": true}}}}),
            (_, Some("as is")) => json!({}),
            (_, Some("other")) => json!({"result": {"data": {"text": "hi"}, "tags": {"lang": "en"}}}),
            (_, Some("past")) => json!({"result": {"skip_history": true}}),
            (_, Some("once")) => json!({"result": {"idempotency_key": "k"}}),
            _ => json!({"error": {"code": 403, "message": "no"}}),
        },
    );
    let mut client = stage.client();
    client.subscribe("asked:1");
    let mut publish = |data: &str| client.command("publish", json!({"channel": "asked:1", "data": data}));
    assert_eq!(publish("bad")["error"], json!({"code": 403, "message": "no"}));
    for data in ["as is", "other", "past", "once", "once"] {
        assert_eq!(publish(data)["publish"], json!({}), "{data}");
    }
    let mut publication = || client.push()["pub"].take();
    let first = publication();
    assert_eq!((&first["data"], &first["offset"]), (&json!("as is"), &json!(1)));
    assert!(first["info"]["client"].is_string());
    let second = publication();
    assert_eq!((&second["data"], &second["tags"]), (&json!({"text": "hi"}), &json!({"lang": "en"})));
    let third = publication();
    assert_eq!((&third["data"], &third["offset"]), (&json!("past"), &json!(null)));
    assert_eq!(publication()["offset"], 3);
    assert!(client.push_within(std::time::Duration::from_millis(200)).is_none());
}
