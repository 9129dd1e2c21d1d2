//! Names of channels that look like something else to a cluster.

use flywheel_testkit::{JsonClient, RedisCluster, Server, set, wait_until};
use serde_json::{Value, json};

use crate::{BINARY, PATIENCE, is_ready, on_redis, publication, readiness};

/// After the boundary of a namespace, and without a namespace, where a name can begin with a brace.
fn names() -> Vec<String> {
    let long = "x".repeat(4096);
    let odd = [
        "}x",
        "{}",
        "{",
        "}",
        "}{",
        "{}x",
        "a{b}c",
        "{a}b",
        "}}",
        "%7Dx",
        "{%}",
        ":",
        "*",
        "a b",
        long.as_str(),
    ];
    let bare = odd.iter().filter(|name| !name.contains(':')).map(|name| (*name).to_owned());
    bare.chain(odd.iter().map(|name| format!("all:{name}"))).collect()
}

#[test]
fn hostile_names_are_served_by_every_command_on_a_cluster() {
    let cluster = RedisCluster::start();
    let mut config = on_redis(&json!({"cluster_address": cluster.addresses()[0]}));
    set(&mut config, "channel.max_length", json!(8192));
    set(&mut config, "client.channel_limit", json!(1000));
    let mut all = config["channel"]["namespaces"][1].clone();
    for option in ["presence", "join_leave", "allow_presence_for_client", "allow_presence_for_anonymous"] {
        all[option] = json!(true);
    }
    let mut without = all.clone();
    without.as_object_mut().unwrap().remove("name");
    all["name"] = json!("all");
    config["channel"]["namespaces"].as_array_mut().unwrap().push(all);
    set(&mut config, "channel.without_namespace", without);
    let server = Server::start(BINARY, config);
    assert!(wait_until(PATIENCE, || is_ready(&server)), "{}", readiness(&server));
    let mut client = JsonClient::connect(server.address(), None);
    for channel in names() {
        every_command(&server, &mut client, &channel);
    }
    for refused in ["a\0b", "\0"] {
        let (status, body) = server.api("publish", &json!({"channel": refused, "data": {}}).to_string());
        let reply = client.command("subscribe", json!({"channel": refused}));
        let served = body.contains("result") && reply["subscribe"].is_object();
        let explained = body.contains("error") && reply["error"]["code"].as_u64() == Some(107);
        assert!(status == 200 && (served || explained), "{refused:?}: {body} {reply}");
    }
    assert!(is_ready(&server), "{}", readiness(&server));
}

fn every_command(server: &Server, client: &mut JsonClient, channel: &str) {
    let call = |method: &str, rest: Value| {
        let mut params = json!({"channel": channel});
        params.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        server.api_result(method, &params)
    };
    let shown: String = channel.chars().take(20).collect();
    client.subscribe(channel);
    for offset in 1..=2 {
        let made =
            call("publish", json!({"data": {"offset": offset}, "idempotency_key": format!("k{offset}")}));
        assert_eq!(made["offset"], offset, "{shown}");
        assert_eq!(publication(client)["offset"], offset, "{shown}");
    }
    let history = call("history", json!({"limit": 10}));
    assert_eq!(history["publications"].as_array().map(Vec::len), Some(2), "{shown}: {history}");
    assert_eq!(call("presence_stats", json!({}))["num_clients"], 1, "{shown}");
    assert_eq!(
        call("presence", json!({}))["presence"].as_object().map(serde_json::Map::len),
        Some(1),
        "{shown}"
    );
    for method in ["history", "presence", "presence_stats"] {
        let reply = client.command(method, json!({"channel": channel}));
        assert!(reply[method].is_object(), "{shown}: {reply}");
    }
    call("history_remove", json!({}));
    let reply = client.command("unsubscribe", json!({"channel": channel}));
    assert!(reply["unsubscribe"].is_object(), "{shown}: {reply}");
}
