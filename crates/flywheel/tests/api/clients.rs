//! Calls that change connections: subscribe, unsubscribe, disconnect, refresh.

use flywheel_testkit::JsonClient;
use serde_json::json;

use crate::{Api, BAD_REQUEST, DONE, UNKNOWN_CHANNEL};

#[test]
fn a_subscribe_call_subscribes_the_connections_of_a_user() {
    let mut api = Api::start();
    let mut ann = api.client("T42");
    let mut other = api.client("T43");
    api.check("publish", r#"{"channel":"log:s","data":1}"#, r#"{"result":{"offset":1,"epoch":"<ep>"}}"#);
    api.check("subscribe", r#"{"user":"42","channel":"log:s","data":{"hello":"there"}}"#, DONE);
    let epoch = api.names.value("ep").unwrap().to_owned();
    let subscribed = json!({"recoverable": true, "epoch": epoch, "offset": 1, "positioned": true, "data": {"hello": "there"}});
    assert_eq!(ann.push(), json!({"channel": "log:s", "subscribe": subscribed}));
    api.server.api_result("publish", &json!({"channel": "log:s", "data": 2}));
    assert_eq!(ann.push()["pub"], json!({"data": 2, "offset": 2}));
    // The other user is not concerned: the next push it sees is a later one.
    api.server.api_result("subscribe", &json!({"user": "43", "channel": "lobby"}));
    assert_eq!(other.push(), json!({"channel": "lobby", "subscribe": {}}));
    api.check("subscribe", r#"{"user":"nobody","channel":"log:s"}"#, DONE);
    api.check("subscribe", r#"{"user":"42","channel":"nowhere:s"}"#, UNKNOWN_CHANNEL);
    api.check("subscribe", r#"{"user":"42"}"#, BAD_REQUEST);
    api.check("subscribe", r#"{"user":"42","channel":"lobby","b64info":"?"}"#, BAD_REQUEST);
}

#[test]
fn a_subscribe_call_can_be_narrowed_to_one_connection() {
    let api = Api::start();
    let mut first = api.client("T42");
    let mut second = api.client("T42");
    let only = json!({"user": "42", "client": second.client(), "channel": "lobby"});
    api.server.api_result("subscribe", &only);
    assert_eq!(second.push(), json!({"channel": "lobby", "subscribe": {}}));
    // The id does not replace the user.
    api.server.api_result("subscribe", &json!({"user": "43", "client": first.client(), "channel": "lobby"}));
    api.server.api_result("subscribe", &json!({"user": "42", "client": first.client(), "channel": "other"}));
    assert_eq!(first.push(), json!({"channel": "other", "subscribe": {}}));
}

#[test]
fn a_subscribe_call_with_info_and_override_shows_in_presence() {
    let api = Api::start();
    let mut client = api.client("T42");
    let request = json!({"user": "42", "channel": "lobby", "info": {"role": "guest"}, "override": {"presence": {"value": true}}});
    api.server.api_result("subscribe", &request);
    assert_eq!(client.push(), json!({"channel": "lobby", "subscribe": {}}));
    let room = json!({"user": "42", "channel": "room:i", "info": {"role": "guest"}});
    api.server.api_result("subscribe", &room);
    assert_eq!(client.push()["channel"], "room:i");
    let join = client.push();
    assert_eq!(join["join"]["info"]["chan_info"], json!({"role": "guest"}), "{join}");
    let presence = api.server.api_result("presence", &json!({"channel": "room:i"}));
    assert_eq!(presence["presence"][client.client()]["chan_info"], json!({"role": "guest"}));
}

#[test]
fn a_subscribe_call_recovers_since_a_position() {
    let api = Api::start();
    for data in 1..=3 {
        api.server.api_result("publish", &json!({"channel": "log:since", "data": data}));
    }
    let epoch = api.server.api_result("history", &json!({"channel": "log:since"}))["epoch"].clone();
    let mut client = api.client("T42");
    let request =
        json!({"user": "42", "channel": "log:since", "recover_since": {"offset": 1, "epoch": epoch}});
    api.server.api_result("subscribe", &request);
    assert_eq!(client.push()["subscribe"]["offset"], 1);
    assert_eq!(client.push()["pub"], json!({"data": 2, "offset": 2}));
    assert_eq!(client.push()["pub"], json!({"data": 3, "offset": 3}));
    // A position of another life of the stream cannot be recovered.
    let mut client = api.client("T43");
    let request =
        json!({"user": "43", "channel": "log:since", "recover_since": {"offset": 1, "epoch": "alien"}});
    api.server.api_result("subscribe", &request);
    assert_eq!(client.push()["subscribe"]["offset"], 3);
}

#[test]
fn a_subscribe_call_beyond_the_channel_limit_closes_the_connection() {
    let api = Api::start();
    let mut client = api.client("T42");
    for channel in ["a", "b", "c"] {
        client.subscribe(channel);
    }
    api.server.api_result("subscribe", &json!({"user": "42", "channel": "d"}));
    assert_eq!(client.closed(), (3505, "channel limit".to_owned()));
}

#[test]
fn an_unsubscribe_call_ends_the_subscription() {
    let mut api = Api::start();
    let mut ann = api.client("T42");
    let mut other = api.client("T43");
    ann.subscribe("lobby");
    other.subscribe("lobby");
    api.check("unsubscribe", r#"{"user":"42","channel":"lobby"}"#, DONE);
    let push = json!({"channel": "lobby", "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}});
    assert_eq!(ann.push(), push);
    api.server.api_result("publish", &json!({"channel": "lobby", "data": 1}));
    assert_eq!(other.push()["pub"]["data"], 1);
    assert_eq!(ann.command("subscribe", json!({"channel": "lobby"}))["subscribe"], json!({}));
    api.check("unsubscribe", r#"{"user":"42"}"#, BAD_REQUEST);
    api.check("unsubscribe", r#"{"user":"42","channel":"nowhere:x"}"#, UNKNOWN_CHANNEL);
}

#[test]
fn a_disconnect_call_closes_with_the_given_code_but_for_the_whitelist() {
    let mut api = Api::start();
    let mut first = api.client("T42");
    let mut kept = api.client("T42");
    let mut other = api.client("T43");
    let request = json!({
        "user": "42",
        "disconnect": {"code": 4500, "reason": "banned"},
        "whitelist": [kept.client()],
    });
    api.check("disconnect", &request.to_string(), DONE);
    assert_eq!(first.closed(), (4500, "banned".to_owned()));
    assert_eq!(kept.command("unsubscribe", json!({"channel": "x"}))["unsubscribe"], json!({}));
    api.check("disconnect", r#"{"user":"42"}"#, DONE);
    assert_eq!(kept.closed(), (3503, "force disconnect".to_owned()));
    let mut anonymous = api.anonymous();
    api.check("disconnect", r#"{"user":""}"#, DONE);
    assert_eq!(anonymous.closed(), (3503, "force disconnect".to_owned()));
    assert_eq!(other.command("unsubscribe", json!({"channel": "x"}))["unsubscribe"], json!({}));
}

#[test]
fn a_refresh_call_changes_the_expiry() {
    let api = Api::start();
    let mut client = api.client("T42");
    api.server.api_result("refresh", &json!({"user": "42", "expire_at": 4_102_444_800_u64}));
    let push = client.push();
    assert_eq!(push["refresh"]["expires"], true);
    assert!(push["refresh"]["ttl"].as_u64().unwrap() > 1_000_000, "{push}");
    api.server.api_result("refresh", &json!({"user": "42"}));
    assert_eq!(client.push(), json!({"refresh": {}}));
    api.server.api_result("refresh", &json!({"user": "42", "expire_at": 1_600_000_000}));
    assert_eq!(client.closed(), (3005, "connection expired".to_owned()));
    let mut client = api.client("T42");
    api.server.api_result("refresh", &json!({"user": "42", "expired": true}));
    assert_eq!(client.closed(), (3005, "connection expired".to_owned()));
}

#[test]
fn a_refresh_call_replaces_the_info_only_with_a_future_expiry() {
    let api = Api::start();
    let mut client = api.client("T42");
    client.subscribe("lobby");
    let publish = |client: &mut JsonClient| {
        client.command("publish", json!({"channel": "lobby", "data": 1}));
        client.push()["pub"]["info"]["conn_info"].clone()
    };
    api.server.api_result("refresh", &json!({"user": "42", "info": {"name": "Eve"}}));
    assert_eq!(client.push(), json!({"refresh": {}}));
    assert_eq!(publish(&mut client), json!({"name": "Ann"}));
    let request = json!({"user": "42", "info": {"name": "Eve"}, "expire_at": 4_102_444_800_u64});
    api.server.api_result("refresh", &request);
    assert_eq!(client.push()["refresh"]["expires"], true);
    assert_eq!(publish(&mut client), json!({"name": "Eve"}));
}
