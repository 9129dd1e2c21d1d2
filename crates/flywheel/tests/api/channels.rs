//! What is known about channels: history, presence, lists and the node.

use std::time::Duration;

use flywheel_testkit::wait_until;
use serde_json::{Value, json};

use crate::{Api, BAD_REQUEST, DONE, NOT_AVAILABLE, UNKNOWN_CHANNEL};

#[test]
fn history_is_read_by_limit_position_and_direction() {
    let mut api = Api::start();
    for data in ["a", "b", "c"] {
        api.server.api_result("publish", &json!({"channel": "log:h", "data": data}));
    }
    let page = |publications: &str| {
        format!(r#"{{"result":{{"publications":[{publications}],"epoch":"<ep>","offset":3}}}}"#)
    };
    let [a, b, c] =
        [r#"{"data":"a","offset":1}"#, r#"{"data":"b","offset":2}"#, r#"{"data":"c","offset":3}"#];
    for (params, expected) in [
        ("", String::new()),
        (r#","limit":2"#, format!("{a},{b}")),
        (r#","limit":-1"#, format!("{a},{b},{c}")),
        (r#","limit":2,"reverse":true"#, format!("{c},{b}")),
        (r#","limit":5,"since":{"offset":2}"#, c.to_owned()),
        (r#","limit":5,"since":{"offset":2,"epoch":"<ep>"}"#, c.to_owned()),
        (r#","limit":5,"since":{"offset":2,"epoch":"<ep>"},"reverse":true"#, a.to_owned()),
        (r#","limit":5,"since":{"offset":9}"#, String::new()),
    ] {
        let epoch = api.names.value("ep").unwrap_or_default();
        let body = format!(r#"{{"channel":"log:h"{params}}}"#).replace("<ep>", epoch);
        api.check("history", &body, &page(&expected));
    }
    let unrecoverable = r#"{"error":{"code":112,"message":"unrecoverable position"}}"#;
    api.check(
        "history",
        r#"{"channel":"log:h","limit":1,"since":{"offset":1,"epoch":"alien"}}"#,
        unrecoverable,
    );
    api.check("history", r#"{"channel":"log:h","since":{"offset":1,"epoch":"alien"}}"#, unrecoverable);
    api.check("history", r#"{"channel":"log:h","limit":1,"reverse":true,"since":{"offset":0}}"#, BAD_REQUEST);
    api.check("history", r#"{"channel":"lobby","limit":1}"#, NOT_AVAILABLE);
    api.check("history", r#"{"channel":"nowhere:h"}"#, UNKNOWN_CHANNEL);
    api.check("history", "{}", BAD_REQUEST);
}

#[test]
fn history_keeps_the_newest_publications_only() {
    let api = Api::start();
    for data in 1..=13 {
        api.server.api_result("publish", &json!({"channel": "log:trim", "data": data}));
    }
    let history = api.server.api_result("history", &json!({"channel": "log:trim", "limit": -1}));
    let offsets: Vec<_> =
        history["publications"].as_array().unwrap().iter().map(|p| p["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, (4..=13).collect::<Vec<_>>());
}

#[test]
fn removing_history_keeps_the_position() {
    let mut api = Api::start();
    api.check("publish", r#"{"channel":"log:rm","data":1}"#, r#"{"result":{"offset":1,"epoch":"<ep>"}}"#);
    api.check("history_remove", r#"{"channel":"log:rm"}"#, DONE);
    api.check(
        "history",
        r#"{"channel":"log:rm","limit":-1}"#,
        r#"{"result":{"publications":[],"epoch":"<ep>","offset":1}}"#,
    );
    api.check("publish", r#"{"channel":"log:rm","data":2}"#, r#"{"result":{"offset":2,"epoch":"<ep>"}}"#);
    api.check("history_remove", r#"{"channel":"lobby"}"#, NOT_AVAILABLE);
    api.check("history_remove", r#"{"channel":"nowhere:x"}"#, UNKNOWN_CHANNEL);
    api.check("history_remove", "{}", BAD_REQUEST);
}

#[test]
fn presence_lists_the_subscribers() {
    let mut api = Api::start();
    api.check("presence", r#"{"channel":"room:x"}"#, r#"{"result":{"presence":{}}}"#);
    api.check("presence_stats", r#"{"channel":"room:x"}"#, r#"{"result":{"num_clients":0,"num_users":0}}"#);
    let mut client = api.client("T42");
    client.subscribe("room:x");
    api.check(
        "presence",
        r#"{"channel":"room:x"}"#,
        r#"{"result":{"presence":{"<c1>":{"user":"42","client":"<c1>","conn_info":{"name":"Ann"}}}}}"#,
    );
    assert_eq!(api.names.value("c1"), Some(client.client()));
    let mut second = api.client("T42");
    second.subscribe("room:x");
    api.check("presence_stats", r#"{"channel":"room:x"}"#, r#"{"result":{"num_clients":2,"num_users":1}}"#);
    for method in ["presence", "presence_stats"] {
        api.check(method, r#"{"channel":"lobby"}"#, NOT_AVAILABLE);
        api.check(method, r#"{"channel":"nowhere:x"}"#, UNKNOWN_CHANNEL);
        api.check(method, "{}", BAD_REQUEST);
    }
}

#[test]
fn channels_are_listed_by_pattern() {
    let mut api = Api::start();
    let mut client = api.client("T42");
    client.subscribe("room:x");
    client.subscribe("lobby");
    let mut second = api.client("T43");
    second.subscribe("room:x");
    let room = r#"{"result":{"channels":{"room:x":{"num_clients":2}}}}"#;
    api.check("channels", r#"{"pattern":"room:*"}"#, room);
    api.check("channels", r#"{"pattern":"r*x"}"#, room);
    api.check("channels", r#"{"pattern":"room:[!a]"}"#, room);
    api.check("channels", r#"{"pattern":"{room,log}:?"}"#, room);
    api.check("channels", r#"{"pattern":"nothing*"}"#, r#"{"result":{"channels":{}}}"#);
    api.check("channels", r#"{"pattern":"room:["}"#, BAD_REQUEST);
    let all = api.server.api_result("channels", &json!({}));
    assert_eq!(all, json!({"channels": {"room:x": {"num_clients": 2}, "lobby": {"num_clients": 1}}}));
}

#[test]
fn info_describes_the_node() {
    let api = Api::start();
    let mut client = api.client("T42");
    client.subscribe("room:x");
    let second = api.client("T42");
    // A node may count itself at intervals.
    let mut node = Value::Null;
    let counted = wait_until(Duration::from_secs(15), || {
        let info = api.server.api_result("info", &json!({}));
        assert_eq!(info["nodes"].as_array().unwrap().len(), 1);
        node = info["nodes"][0].clone();
        ["num_clients", "num_users", "num_channels", "num_subs"].map(|name| node[name].as_u64())
            == [Some(2), Some(1), Some(1), Some(1)]
    });
    assert!(counted, "{node}");
    for name in ["uid", "name", "version"] {
        assert!(!node[name].as_str().unwrap().is_empty(), "{name} in {node}");
    }
    drop(second);
}

#[test]
fn info_shows_metrics_once_a_window_has_ended() {
    let mut config = flywheel_testkit::fixture();
    flywheel_testkit::set(&mut config, "node.info_metrics_aggregate_interval", json!("1s"));
    let api = Api::with(config);
    let _client = api.anonymous();
    let mut metrics = Value::Null;
    let shown = wait_until(Duration::from_secs(15), || {
        metrics = api.server.api_result("info", &json!({}))["nodes"][0]["metrics"].clone();
        metrics["items"]["centrifugo.node.num_clients"] == json!(1)
    });
    assert!(shown, "{metrics}");
    assert_eq!(metrics["interval"], json!(1));
    assert!(
        metrics["items"]["centrifugo.api.command_duration_seconds.count.method.info.protocol.http"]
            .is_number()
    );
}
