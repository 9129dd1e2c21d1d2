use serde_json::json;

use crate::{Stage, in_seconds, next, open};
use flywheel_testkit::{JsonClient, named_token, set};

#[test]
fn the_backend_says_who_connects_and_is_told_what_it_is_configured_to_be() {
    let stage = Stage::start(
        |config| {
            set(config, "client.proxy.connect.enabled", json!(true));
            set(config, "rpc.proxy.include_connection_meta", json!(true));
            for section in ["client.proxy.connect", "rpc.proxy"] {
                set(config, &format!("{section}.http_headers"), json!(["Cookie"]));
                set(config, &format!("{section}.emulated_headers"), json!(["Authorization"]));
                set(config, &format!("{section}.http"), json!({"static_headers": {"X-Key": "k"}}));
            }
        },
        |event, question| match event {
            "connect" => json!({"result": {
                "user": "42",
                "info": {"name": "Ann"},
                "data": {"hello": question["data"]["room"]},
                "channels": ["room:news"],
                "subs": {"log:mine": {"data": 5}},
                "meta": {"tenant": 3},
            }}),
            _ => json!({"result": {"data": question["meta"]}}),
        },
    );
    let mut connection = open(&stage.server, &[("Cookie", "a=1"), ("X-Other", "b")]);
    connection.send(
        br#"{"id":1,"connect":{"name":"js","data":{"room":5},"headers":{"authorization":"Bearer x","cookie":"evil"},"subs":{"lobby":{}}}}"#,
    );
    let reply = &next(&mut connection)["connect"];
    assert_eq!(reply["data"], json!({"hello": 5}));
    assert_eq!(reply["subs"]["log:mine"]["data"], 5);
    assert!(reply["subs"]["room:news"].is_object() && reply["subs"]["lobby"].is_null(), "{reply}");
    let join = next(&mut connection);
    assert_eq!(join["push"]["join"]["info"]["conn_info"], json!({"name": "Ann"}));
    connection.send(br#"{"id":2,"rpc":{"method":"meta"}}"#);
    assert_eq!(next(&mut connection)["rpc"]["data"], json!({"tenant": 3}));

    let question = &stage.asked("connect")[0];
    let expected = json!({
        "client": reply["client"],
        "transport": "websocket",
        "protocol": "json",
        "encoding": "json",
        "data": {"room": 5},
        "name": "js",
        "channels": ["lobby"],
    });
    assert_eq!(*question, expected);
    for seen in stage.backing.seen() {
        assert_eq!(seen.header("cookie"), Some("a=1"));
        assert_eq!(seen.header("authorization"), Some("Bearer x"));
        assert_eq!(seen.header("x-key"), Some("k"));
        assert_eq!(seen.header("x-other"), None);
        assert_eq!(seen.header("content-type"), Some("application/json"));
    }
    // With a token the backend is not asked.
    let token = named_token("T43").unwrap();
    JsonClient::connect(stage.server.address(), Some(&token));
    assert_eq!(stage.asked("connect").len(), 1);
}

#[test]
fn the_backend_refuses_or_closes_connections() {
    let stage = Stage::start(
        |config| set(config, "client.proxy.connect.enabled", json!(true)),
        |_, question| match question["name"].as_str() {
            Some("error") => json!({"error": {"code": 1000, "message": "custom"}}),
            Some("disconnect") => json!({"disconnect": {"code": 4500, "reason": "banned"}}),
            Some("nowhere") => json!({"result": {"channels": ["nowhere:x"]}}),
            Some("expired") => json!({"result": {"user": "1", "expire_at": 5}}),
            _ => json!({}),
        },
    );
    let connect = |name: &str| {
        let mut client = JsonClient::open(stage.server.address());
        client.command("connect", json!({"name": name}))
    };
    assert_eq!(connect("error")["error"], json!({"code": 1000, "message": "custom"}));
    assert_eq!(connect("nowhere")["error"]["code"], 102);
    assert_eq!(connect("expired")["error"]["code"], 110);
    assert!(connect("nobody")["connect"].is_object());
    let mut client = JsonClient::open(stage.server.address());
    client.send(r#"{"id":1,"connect":{"name":"disconnect"}}"#);
    assert_eq!(client.closed(), (4500, "banned".to_owned()));
}

#[test]
fn a_connection_is_renewed_by_the_backend_until_it_says_no() {
    let stage = Stage::start(
        |config| {
            set(config, "client.proxy.connect.enabled", json!(true));
            set(config, "client.proxy.refresh.enabled", json!(true));
            set(config, "client.proxy.refresh.include_connection_meta", json!(true));
        },
        |event, question| match event {
            "connect" => json!({"result": {"user": "42", "expire_at": in_seconds(2), "meta": {"calls": 0}}}),
            _ if question["meta"]["calls"] == 0 => {
                json!({"result": {"expire_at": in_seconds(2), "meta": {"calls": 1}}})
            }
            _ => json!({"result": {"expired": true}}),
        },
    );
    let mut client = JsonClient::open(stage.server.address());
    let reply = client.command("connect", json!({}));
    assert!(reply["connect"]["expires"].is_null() && reply["connect"]["ttl"].is_null(), "{reply}");
    assert_eq!(client.closed(), (3005, "connection expired".to_owned()));
    let asked = stage.asked("refresh");
    assert_eq!(asked.len(), 2);
    assert_eq!((&asked[0]["user"], &asked[0]["client"]), (&json!("42"), &reply["connect"]["client"]));
}
