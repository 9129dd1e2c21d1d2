use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flywheel_testkit::{JsonClient, set, wait_until, with_status};
use serde_json::json;

use crate::{PATIENCE, Stage};

#[test]
fn a_slow_backend_delays_only_the_connection_that_it_is_asked_for() {
    let released = Arc::new(AtomicBool::new(false));
    let waits = Arc::clone(&released);
    let stage = Stage::scripted(
        |config| set(config, "node.shards", json!(1)),
        move |asked| {
            if asked.body.contains("slow") {
                assert!(wait_until(PATIENCE, || waits.load(Ordering::SeqCst)));
            }
            Some(with_status(200, "{}"))
        },
    );
    let (mut slow, mut other) = (stage.client(), stage.client());
    slow.send("{\"id\":100,\"rpc\":{\"method\":\"slow\"}}\n{\"id\":101,\"rpc\":{\"method\":\"next\"}}");
    assert!(wait_until(PATIENCE, || stage.asked("rpc").len() == 1));
    assert_eq!(other.command("rpc", json!({"method": "fast"}))["rpc"], json!({}));
    other.subscribe("lobby");
    stage.server.api_result("publish", &json!({"channel": "lobby", "data": 1}));
    assert_eq!(other.push()["pub"]["data"], 1);
    assert_eq!(stage.asked("rpc").len(), 2, "the command behind the slow one waits");
    released.store(true, Ordering::SeqCst);
    assert_eq!(slow.command("rpc", json!({"method": "last"}))["rpc"], json!({}));
    assert_eq!(stage.asked("rpc").len(), 4);
}

#[test]
fn a_backend_that_fails_is_error_100_and_counted() {
    let stage = Stage::scripted(
        |config| {
            set(config, "prometheus.enabled", json!(true));
            set(config, "rpc.proxy.timeout", json!("100ms"));
            let transforms = json!([
                {"status_code": 404, "to_error": {"code": 404, "message": "none", "temporary": true}},
                {"status_code": 403, "to_disconnect": {"code": 4500, "reason": "banned"}},
            ]);
            set(config, "rpc.proxy.http.status_to_code_transforms", transforms);
        },
        |asked| match () {
            () if asked.body.contains("silent") => None,
            () if asked.body.contains("missing") => Some(with_status(404, "")),
            () if asked.body.contains("banned") => Some(with_status(403, "")),
            () => Some(with_status(500, "oops")),
        },
    );
    let mut client = stage.client();
    let internal = json!({"code": 100, "message": "internal server error", "temporary": true});
    for method in ["silent", "broken"] {
        assert_eq!(client.command("rpc", json!({"method": method}))["error"], internal, "{method}");
    }
    let reply = client.command("rpc", json!({"method": "missing"}));
    assert_eq!(reply["error"], json!({"code": 404, "message": "none", "temporary": true}));
    client.send(r#"{"id":9,"rpc":{"method":"banned"}}"#);
    assert_eq!(client.closed(), (4500, "banned".to_owned()));
    let metrics = stage.server.request("GET", "/metrics", &[], b"").text();
    let errors = "centrifugo_proxy_errors{name=\"default\",protocol=\"http\",type=\"rpc\"} 2\n";
    assert!(metrics.contains(errors), "{metrics}");
}

#[test]
fn a_backend_that_cannot_be_called_refuses_instead_of_letting_everybody_in() {
    let stage = Stage::start(
        |config| {
            set(config, "client.proxy.connect", json!({"enabled": true, "endpoint": "grpc://127.0.0.1:1"}));
        },
        |_, _| json!({}),
    );
    let mut client = JsonClient::open(stage.server.address());
    assert_eq!(client.command("connect", json!({}))["error"]["code"], 108);
}

#[test]
fn a_reload_takes_another_backend() {
    let stage = Stage::start(|_| {}, |_, _| json!({"result": {"data": "old"}}));
    let other = flywheel_testkit::Backing::saying(r#"{"result":{"data":"new"}}"#);
    let mut client = stage.client();
    assert_eq!(client.command("rpc", json!({"method": "a"}))["rpc"]["data"], "old");
    let mut config = stage.server.config().clone();
    set(&mut config, "rpc.proxy.endpoint", json!(format!("http://{}/", other.address())));
    std::fs::write(stage.server.config_file(), config.to_string()).unwrap();
    stage.server.signal(flywheel_testkit::Signal::HUP);
    let taken = wait_until(Duration::from_secs(20), || {
        client.command("rpc", json!({"method": "a"}))["rpc"]["data"] == "new"
    });
    assert!(taken, "{}", stage.server.log());
}
