//! Every command of both protocols, about channels with hostile names, on a real cluster.

use flywheel_testkit::{
    Connection, Encoding, Event, JsonClient, Server, fixture_on_redis, proto, set, wait_until,
};
use serde_json::{Value, json};

use crate::names::{served, shown};
use crate::{BINARY, PATIENCE, assert_unharmed, cluster, wait_ready};

/// Two nodes; every channel has everything that an engine keeps.
fn nodes(redis: &Value) -> (Server, Server) {
    let mut config = fixture_on_redis(redis);
    set(&mut config, "channel.max_length", json!(8192));
    set(&mut config, "client.channel_limit", json!(1000));
    let mut all = config["channel"]["namespaces"][3].clone();
    for option in [
        "presence",
        "join_leave",
        "force_push_join_leave",
        "allow_presence_for_client",
        "allow_presence_for_anonymous",
    ] {
        all[option] = json!(true);
    }
    let mut without = all.clone();
    without.as_object_mut().unwrap().remove("name");
    all["name"] = json!("all");
    config["channel"]["namespaces"].as_array_mut().unwrap().push(all);
    set(&mut config, "channel.without_namespace", without);
    let nodes = (Server::start(BINARY, config.clone()), Server::start(BINARY, config));
    for server in [&nodes.0, &nodes.1] {
        wait_ready(server);
        let known = || server.api_result("info", &json!({}))["nodes"].as_array().map(Vec::len);
        assert!(wait_until(PATIENCE, || known() == Some(2)), "{:?} nodes are known", known());
    }
    nodes
}

/// What all names are put through, and what must not notice it.
fn all_commands(redis: &Value) {
    let (one, other) = nodes(redis);
    let mut bystander = JsonClient::connect(other.address(), None);
    bystander.subscribe("log:calm");
    for (number, channel) in served().iter().enumerate() {
        of_the_client_protocol(&one, &other, channel);
        of_the_server_api(&one, &other, channel);
        let made = one.api_result("publish", &json!({"channel": "log:calm", "data": {"number": number}}));
        let heard = bystander.publication();
        assert_eq!(
            (&heard["data"]["number"], &heard["offset"]),
            (&json!(number), &made["offset"]),
            "{}",
            shown(channel)
        );
    }
    let names = json!(served());
    let made =
        other.api_result("broadcast", &json!({"channels": names, "data": {}, "idempotency_key": "}{all"}));
    for (name, response) in served().iter().zip(made["responses"].as_array().unwrap()) {
        assert!(response["result"]["offset"].is_u64(), "{}: {response}", shown(name));
    }
    refused(&one);
    for server in [&one, &other] {
        assert!(server.is_ready());
        assert_unharmed(server);
    }
}

/// A client on one node, another one on the other.
fn of_the_client_protocol(one: &Server, other: &Server, channel: &str) {
    let name = shown(channel);
    let mut here = JsonClient::connect(one.address(), None);
    let mut there = JsonClient::connect(other.address(), None);
    let ask = |client: &mut JsonClient, method: &str, rest: Value| {
        let mut params = json!({"channel": channel});
        params.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let mut reply = client.command(method, params);
        assert!(reply[method].is_object(), "{method} {name}: {reply}");
        reply[method].take()
    };
    let since = ask(&mut here, "subscribe", json!({"delta": "fossil"}));
    ask(&mut there, "subscribe", json!({}));
    for number in 1..=2 {
        ask(&mut there, "publish", json!({"data": {"number": number}}));
        assert_eq!(there.publication()["offset"], number, "{name}");
        assert_eq!(here.publication()["offset"], number, "{name}");
    }
    let history = ask(&mut here, "history", json!({"limit": 10}));
    assert_eq!(history["publications"].as_array().map(Vec::len), Some(2), "{name}: {history}");
    let present = ask(&mut here, "presence", json!({}));
    assert_eq!(present["presence"].as_object().map(serde_json::Map::len), Some(2), "{name}: {present}");
    assert_eq!(ask(&mut there, "presence_stats", json!({}))["num_clients"], 2, "{name}");
    ask(&mut here, "unsubscribe", json!({}));
    let position = json!({"recover": true, "offset": since["offset"], "epoch": since["epoch"]});
    let back = ask(&mut here, "subscribe", position);
    assert_eq!(back["recovered"], true, "{name}: {back}");
    assert_eq!(back["publications"].as_array().map(Vec::len), Some(2), "{name}: {back}");
    for client in [&mut here, &mut there] {
        ask(client, "unsubscribe", json!({}));
    }
}

/// Asked on one node about clients of the other.
fn of_the_server_api(one: &Server, other: &Server, channel: &str) {
    let name = shown(channel);
    let call = |method: &str, rest: Value| {
        let mut params = json!({"channel": channel});
        params.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        one.api_result(method, &params)
    };
    let mut client = JsonClient::connect(other.address(), None);
    let whom = json!({"user": "", "client": client.client()});
    call("subscribe", whom.clone());
    assert_eq!(pushed(&mut client, "subscribe"), channel);
    let joined = wait_until(PATIENCE, || call("presence_stats", json!({}))["num_clients"] == 1);
    assert!(joined, "{name}");
    let made = call("publish", json!({"data": {}, "delta": true, "idempotency_key": "}{"}));
    assert_eq!(call("publish", json!({"data": {}, "delta": true, "idempotency_key": "}{"})), made, "{name}");
    assert_eq!(client.publication()["offset"], made["offset"], "{name}");
    let newer = call("publish", json!({"data": {}, "version": 1, "version_epoch": "}"}));
    assert_eq!(client.publication()["offset"], newer["offset"], "{name}");
    assert_eq!(
        call("publish", json!({"data": {}, "version": 1, "version_epoch": "}"}))["offset"],
        newer["offset"]
    );
    assert!(call("publish", json!({"data": {}, "skip_history": true}))["offset"].is_null(), "{name}");
    assert_eq!(client.publication()["data"], json!({}), "{name}");
    let history = call("history", json!({"limit": -1, "reverse": true}));
    assert_eq!(history["publications"][0]["offset"], newer["offset"], "{name}: {history}");
    let present = call("presence", json!({}));
    assert!(present["presence"][client.client()].is_object(), "{name}: {present}");
    let channels = one.api_result("channels", &json!({}));
    assert_eq!(channels["channels"][channel]["num_clients"], 1, "{name}: {channels}");
    call("unsubscribe", whom);
    assert_eq!(pushed(&mut client, "unsubscribe"), channel);
    call("history_remove", json!({}));
    let history = call("history", json!({"limit": -1}));
    assert_eq!(history["offset"], newer["offset"], "{name}: {history}");
    assert!(history["publications"].as_array().is_none_or(Vec::is_empty), "{name}: {history}");
}

/// The channel of the next push of this kind.
fn pushed(client: &mut JsonClient, kind: &str) -> String {
    loop {
        let push = client.push();
        if push[kind].is_object() {
            return push["channel"].as_str().unwrap_or_default().to_owned();
        }
    }
}

/// Names against the rules, and what is no text at all.
fn refused(server: &Server) {
    let mut client = JsonClient::connect(server.address(), None);
    for (channel, code) in [("ü{ü}", 107), ("nobody:}x", 102), (":}x", 102), (&*"x".repeat(8193), 107)] {
        let reply = client.command("subscribe", json!({"channel": channel}));
        assert_eq!(reply["error"]["code"], code, "{}: {reply}", shown(channel));
    }
    for method in
        ["publish", "history", "presence", "presence_stats", "history_remove", "subscribe", "unsubscribe"]
    {
        let (status, body) = server.api(method, r#"{"channel":"","data":{}}"#);
        assert!(status == 200 && body.contains(r#""code":107"#), "{method}: {status} {body}");
        let (status, body) = server.api(method, "{\"channel\":\"\\ud800\",\"data\":{}}");
        assert!(
            status == 400 || body.contains("error") || body.contains("result"),
            "{method}: {status} {body}"
        );
    }
    let (status, body) = server.api("broadcast", r#"{"channels":["","log:}x"],"data":{}}"#);
    assert!(
        status == 200 && body.contains(r#""code":107"#) && body.contains(r#""offset":"#),
        "{status} {body}"
    );
    for method in ["subscribe", "publish", "history", "presence", "presence_stats", "unsubscribe"] {
        let mut client = JsonClient::connect(server.address(), None);
        client.send(&json!({"id": 7, method: {"channel": "", "data": {}}}).to_string());
        let (code, _) = client.closed();
        assert_eq!(code, 3501, "{method} of no channel");
    }
    let mut connection = Connection::open(server.address(), Encoding::Protobuf).unwrap();
    connection.send(&proto::Message::new().number(1, 1).message(4, &proto::Message::new()).framed());
    assert!(matches!(connection.next(PATIENCE), Some(Event::Message(_))));
    let subscribe = proto::Message::new().bytes(1, b"log:}\xff{");
    connection.send(&proto::Message::new().number(1, 2).message(5, &subscribe).framed());
    assert!(matches!(connection.next(PATIENCE), Some(Event::Closed { code: 3501, .. })));
}

#[test]
fn every_command_is_served_or_refused_by_rule_on_a_cluster() {
    let cluster = cluster();
    all_commands(&json!({"cluster_address": cluster.addresses()[0]}));
    all_commands(
        &json!({"cluster_address": cluster.addresses()[0], "prefix": "parts", "sharded_pub_sub_partitions": 8}),
    );
}
