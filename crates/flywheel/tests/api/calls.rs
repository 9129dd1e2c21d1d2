//! How calls travel: keys, error modes, batches and the single endpoint.

use flywheel_testkit::{fixture, set};
use serde_json::{Value, json};

use crate::{Api, BAD_REQUEST, DONE, UNKNOWN_CHANNEL};

#[test]
fn the_key_is_accepted_in_three_places() {
    let api = Api::start();
    let body = r#"{"channel":"lobby","data":1}"#;
    for (target, headers, status) in [
        ("/api/publish", &[("X-API-Key", "secret")][..], 200),
        ("/api/publish", &[("Authorization", "apikey secret")], 200),
        ("/api/publish", &[("Authorization", "ApiKey   secret")], 200),
        ("/api/publish?api_key=secret", &[], 200),
        ("/api/publish?api_key=secret", &[("X-API-Key", "wrong")], 200),
        ("/api/publish", &[("X-API-Key", ""), ("Authorization", "apikey secret")], 200),
        ("/api/publish", &[("X-API-Key", "wrong"), ("Authorization", "apikey secret")], 401),
        ("/api/publish", &[("Authorization", "Bearer secret")], 401),
        ("/api/publish", &[("Authorization", "apikey secret more")], 401),
        ("/api/publish", &[("Authorization", "secret")], 401),
        ("/api/publish?api_key=", &[], 401),
        ("/api/publish", &[], 401),
    ] {
        let response = api.raw(target, headers, body);
        assert_eq!(response.status, status, "{target} {headers:?}");
        assert_eq!(response.text(), if status == 200 { DONE } else { "" });
    }
    let response = api.raw("/api/publish", &[("X-API-Key", "secret")], body);
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[test]
fn without_a_key_every_call_is_refused_unless_insecure() {
    let mut config = fixture();
    set(&mut config, "http_api.key", json!(""));
    let api = Api::with(config.clone());
    assert_eq!(api.raw("/api/info", &[("X-API-Key", "")], "{}").status, 401);
    assert_eq!(api.raw("/api/info?api_key=", &[], "{}").status, 401);
    set(&mut config, "http_api.insecure", json!(true));
    let api = Api::with(config);
    assert_eq!(api.raw("/api/info", &[], "{}").status, 200);
}

#[test]
fn in_transport_error_mode_the_status_tells_the_error() {
    let api = Api::start();
    let call = |api: &Api, method: &str, body: &str, mode: &str| {
        let headers = [("X-API-Key", "secret"), ("X-Centrifugo-Error-Mode", mode)];
        let response = api.raw(&format!("/api/{method}"), &headers, body);
        (response.status, response.text())
    };
    let unknown = r#"{"channel":"nowhere:a","data":1}"#;
    let bare = |code: u32, message: &str| format!(r#"{{"code":{code},"message":"{message}"}}"#);
    assert_eq!(call(&api, "publish", unknown, "transport"), (404, bare(102, "unknown channel")));
    assert_eq!(call(&api, "publish", r#"{"data":1}"#, "transport"), (400, bare(107, "bad request")));
    assert_eq!(
        call(&api, "presence", r#"{"channel":"lobby"}"#, "transport"),
        (400, bare(108, "not available"))
    );
    api.server.api_result("publish", &json!({"channel": "log:t", "data": 1}));
    let position = r#"{"channel":"log:t","limit":1,"since":{"offset":1,"epoch":"alien"}}"#;
    assert_eq!(call(&api, "history", position, "transport"), (416, bare(112, "unrecoverable position")));
    assert_eq!(call(&api, "publish", r#"{"channel":"lobby","data":1}"#, "transport"), (200, DONE.to_owned()));
    assert_eq!(call(&api, "publish", unknown, "Transport"), (200, UNKNOWN_CHANNEL.to_owned()));
    let batch = r#"{"commands":[{"publish":{"channel":"nowhere:a","data":1}}]}"#;
    let embedded = r#"{"replies":[{"error":{"code":102,"message":"unknown channel"}}]}"#;
    assert_eq!(call(&api, "batch", batch, "transport"), (200, embedded.to_owned()));

    let mut config = fixture();
    set(&mut config, "http_api.error_mode", json!("transport"));
    let api = Api::with(config);
    assert_eq!(call(&api, "publish", unknown, ""), (404, bare(102, "unknown channel")));
}

#[test]
fn a_batch_answers_every_command_in_order() {
    let mut api = Api::start();
    api.check(
        "batch",
        r#"{"commands":[{"publish":{"channel":"a","data":1}},{"presence":{"channel":"a"}},null]}"#,
        concat!(
            r#"{"replies":[{"publish":{}},{"error":{"code":108,"message":"not available"}},"#,
            r#"{"error":{"code":107,"message":"bad request"}}]}"#
        ),
    );
    api.check("batch", "{}", "{}");
    api.check("batch", r#"{"commands":[]}"#, "{}");
    api.check(
        "batch",
        r#"{"commands":[{}]}"#,
        r#"{"replies":[{"error":{"code":104,"message":"not found"}}]}"#,
    );
    api.check(
        "batch",
        r#"{"commands":[{"future":{}}]}"#,
        r#"{"replies":[{"error":{"code":104,"message":"not found"}}]}"#,
    );
    // The first of the methods in their order counts, wherever it stands in the object.
    api.check(
        "batch",
        r#"{"commands":[{"presence":{"channel":"room:a"},"publish":{"channel":"a","data":1}}]}"#,
        r#"{"replies":[{"publish":{}}]}"#,
    );
    let commands: Vec<_> = (0..50).map(|n| json!({"publish": {"channel": "log:batch", "data": n}})).collect();
    let (_, body) = api.server.api("batch", &json!({"commands": commands}).to_string());
    let answer: Value = serde_json::from_str(&body).unwrap();
    let offsets: Vec<_> = answer["replies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["publish"]["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets, (1..=50).collect::<Vec<_>>());
    let commands: Vec<_> =
        (0..50).map(|n| json!({"publish": {"channel": format!("p{n}"), "data": n}})).collect();
    let parallel = json!({"parallel": true, "commands": commands}).to_string();
    api.check("batch", &parallel, &format!(r#"{{"replies":[{}]}}"#, [r#"{"publish":{}}"#; 50].join(",")));
}

#[test]
fn an_rpc_call_without_extensions_finds_nothing() {
    let mut api = Api::start();
    api.check(
        "rpc",
        r#"{"method":"anything","params":{}}"#,
        r#"{"error":{"code":104,"message":"not found"}}"#,
    );
    api.check("rpc", "{}", BAD_REQUEST);
}

#[test]
fn the_single_endpoint_takes_commands_in_a_row() {
    let api = Api::start();
    let mut client = api.client("T42");
    client.subscribe("room:x");
    let call = |body: &str| {
        let response = api.raw("/api", &[("X-API-Key", "secret")], body);
        (response.status, response.text())
    };
    let ok = |text: &str| (200, text.to_owned());
    assert_eq!(
        call(concat!(
            r#"{"id":7,"method":"presence_stats","params":{"channel":"room:x"}}"#,
            "\n",
            r#"{"id":8,"method":"publish","params":{"channel":"lobby","data":1}}"#
        )),
        ok("{\"id\":7,\"result\":{\"num_clients\":1,\"num_users\":1}}\n{\"id\":8,\"result\":{}}")
    );
    let publish = r#""params":{"channel":"lobby","data":1}"#;
    assert_eq!(call(&format!("{{{publish}}}")), ok(DONE));
    assert_eq!(
        call(&format!(r#"{{"id":1,"method":0,{publish}}}{{"id":2,{publish}}} "#)),
        ok("{\"id\":1,\"result\":{}}\n{\"id\":2,\"result\":{}}")
    );
    assert_eq!(call(&format!(r#"{{"id":1,"method":"Publish",{publish}}}"#)), ok(r#"{"id":1,"result":{}}"#));
    assert_eq!(
        call(r#"{"id":1,"method":5,"params":{"channel":"room:x"}}"#),
        ok(r#"{"id":1,"result":{"num_clients":1,"num_users":1}}"#)
    );
    assert_eq!(
        call(r#"{"id":1,"method":"publish","params":{"channel":5}}"#),
        ok(r#"{"id":1,"error":{"code":107,"message":"bad request"}}"#)
    );
    assert_eq!(
        call(r#"{"id":1,"method":"publish","params":{"channel":"nowhere:a","data":1}}"#),
        ok(r#"{"id":1,"error":{"code":102,"message":"unknown channel"}}"#)
    );
    assert_eq!(
        call(r#"{"id":1,"method":99,"params":{}}"#),
        ok(r#"{"id":1,"error":{"code":104,"message":"not found"}}"#)
    );
    assert_eq!(call(" \n"), ok(""));
    for body in [
        "",
        "{",
        r#"{"id":1,"method":"nothing"}"#,
        r#"{"id":1,"method":"batch","params":{}}"#,
        r#"{"id":1,"method":"0"}"#,
        r#"{"id":-1,"method":"info"}"#,
        r#"{"id":1.5,"method":"info"}"#,
    ] {
        assert_eq!(call(body), (400, "Bad Request\n".to_owned()), "{body}");
    }
    assert_eq!(api.raw("/api", &[("X-API-Key", "wrong")], "{}").status, 401);
    assert_eq!(api.server.request("GET", "/api", &[("X-API-Key", "secret")], b"").status, 405);
}

#[test]
fn the_prefix_can_be_moved_and_the_api_switched_off() {
    let mut config = fixture();
    set(&mut config, "http_api.handler_prefix", json!("/backend/"));
    let api = Api::with(config.clone());
    let key = [("X-API-Key", "secret")];
    assert_eq!(api.raw("/backend/info", &key, "{}").status, 200);
    assert_eq!(api.raw("/api/info", &key, "{}").status, 404);
    set(&mut config, "http_api.disabled", json!(true));
    let api = Api::with(config);
    assert_eq!(api.raw("/backend/info", &key, "{}").status, 404);
}
