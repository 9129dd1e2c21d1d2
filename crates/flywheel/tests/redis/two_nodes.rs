//! What happens on one node is seen on the other.

use flywheel_testkit::{JsonClient, RedisServer, fixture_on_redis, named_token, set, wait_until};
use serde_json::{Value, json};

use crate::{PATIENCE, at, publish, two, two_of};

#[test]
fn a_publication_on_one_node_reaches_clients_of_both_in_order() {
    let redis = RedisServer::start();
    let (one, other) = two(&at(&redis));
    let mut clients = [JsonClient::connect(one.address(), None), JsonClient::connect(other.address(), None)];
    for client in &mut clients {
        client.subscribe("log:a");
        client.subscribe("plain");
    }
    for number in 0..50 {
        let server = if number % 2 == 0 { &one } else { &other };
        publish(server, "log:a", &json!({"number": number}));
        publish(server, "plain", &json!({"number": number}));
    }
    for client in &mut clients {
        let (mut in_log, mut in_plain) = (0, 0);
        for _ in 0..100 {
            let push = client.push();
            let publication = &push["pub"];
            if push["channel"] == "plain" {
                assert_eq!(publication["data"]["number"], in_plain, "{push}");
                in_plain += 1;
            } else {
                assert_eq!(publication["data"]["number"], in_log, "{push}");
                assert_eq!(publication["offset"], in_log + 1, "{push}");
                in_log += 1;
            }
        }
        assert_eq!((in_log, in_plain), (50, 50));
    }
}

#[test]
fn a_client_that_comes_back_on_the_other_node_gets_what_it_missed() {
    let redis = RedisServer::start();
    let (one, other) = two(&at(&redis));
    publish(&one, "log:a", &json!(0));
    let mut client = JsonClient::connect(one.address(), None);
    let position = client.subscribe("log:a");
    drop(client);
    for number in 1..=3 {
        publish(&one, "log:a", &json!(number));
    }
    let mut client = JsonClient::connect(other.address(), None);
    let reply = client.command(
        "subscribe",
        json!({"channel": "log:a", "recover": true, "offset": position["offset"], "epoch": position["epoch"]}),
    );
    let result = &reply["subscribe"];
    assert_eq!(result["recovered"], true, "{reply}");
    let missed = result["publications"].as_array().unwrap().iter().map(|missed| missed["data"].clone());
    assert_eq!(missed.collect::<Vec<_>>(), [1, 2, 3].map(Value::from));
    publish(&one, "log:a", &json!(4));
    assert_eq!(client.publication()["offset"], 5);
}

#[test]
fn a_history_outlives_every_node() {
    let redis = RedisServer::start();
    let (mut one, other) = two(&at(&redis));
    drop(other);
    let before = publish(&one, "log:a", &json!({"kept": true}));
    one.restart();
    assert!(wait_until(PATIENCE, || one.is_ready()));
    let history = one.api_result("history", &json!({"channel": "log:a", "limit": 10}));
    assert_eq!((&history["epoch"], &history["offset"]), (&before["epoch"], &before["offset"]));
    assert_eq!(history["publications"][0]["data"], json!({"kept": true}));
    one.api_result("history_remove", &json!({"channel": "log:a"}));
    let history = one.api_result("history", &json!({"channel": "log:a", "limit": 10}));
    assert_eq!(history["publications"], json!([]));
    assert_eq!(history["epoch"], before["epoch"]);
}

#[test]
fn presence_joins_and_leaves_are_seen_from_both() {
    let redis = RedisServer::start();
    let (one, other) = two(&at(&redis));
    let mut watcher = JsonClient::connect(one.address(), None);
    watcher.subscribe("room:a");
    let mut guest = JsonClient::connect(other.address(), None);
    let name = guest.client().to_owned();
    guest.subscribe("room:a");
    let joined = |watcher: &mut JsonClient, kind: &str| loop {
        let push = watcher.push();
        if push[kind]["info"]["client"] == name.as_str() {
            break;
        }
    };
    joined(&mut watcher, "join");
    for server in [&one, &other] {
        let present = server.api_result("presence", &json!({"channel": "room:a"}));
        assert_eq!(present["presence"].as_object().unwrap().len(), 2, "{present}");
        assert!(present["presence"][&name].is_object(), "{present}");
        let stats = server.api_result("presence_stats", &json!({"channel": "room:a"}));
        assert_eq!(stats["num_clients"], 2, "{stats}");
    }
    drop(guest);
    joined(&mut watcher, "leave");
    let present = one.api_result("presence", &json!({"channel": "room:a"}));
    assert_eq!(present["presence"].as_object().unwrap().len(), 1, "{present}");
}

#[test]
fn presence_of_a_node_that_died_expires() {
    let redis = RedisServer::start();
    let mut settings = at(&redis);
    settings["presence_ttl"] = json!("3s");
    let (one, mut other) = two(&settings);
    let mut guest = JsonClient::connect(other.address(), None);
    guest.subscribe("room:a");
    let present = || {
        let present = one.api_result("presence", &json!({"channel": "room:a"}));
        present["presence"].as_object().unwrap().len()
    };
    assert_eq!(present(), 1);
    other.kill();
    assert!(wait_until(PATIENCE, || present() == 0));
}

#[test]
fn operations_reach_clients_wherever_they_are() {
    let redis = RedisServer::start();
    let (one, other) = two(&at(&redis));
    let mut client = JsonClient::connect(other.address(), None);
    let name = client.client().to_owned();
    client.subscribe("room:a");
    let whom = |rest: Value| {
        let mut params = json!({"user": "", "client": name});
        params.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        params
    };
    let channels = one.api_result("channels", &json!({}));
    assert!(channels["channels"]["room:a"].is_object(), "{channels}");
    one.api_result("unsubscribe", &whom(json!({"channel": "room:a"})));
    loop {
        let push = client.push();
        if push["unsubscribe"].is_object() {
            break;
        }
    }
    one.api_result("disconnect", &whom(json!({})));
    assert_eq!(client.closed().0, 3503);
}

#[test]
fn a_users_newest_connection_ends_the_one_on_the_other_node() {
    let redis = RedisServer::start();
    let mut config = fixture_on_redis(&at(&redis));
    let personal = json!({"enabled": true, "personal_channel_namespace": "room", "single_connection": true});
    set(&mut config, "client.subscribe_to_user_personal_channel", personal);
    let (one, other) = two_of(&config);
    let token = named_token("T42");
    let mut bystander = JsonClient::connect(one.address(), None);
    bystander.subscribe("plain");
    let mut older = JsonClient::connect(one.address(), token.as_deref());
    for server in [&other, &one, &other] {
        let newer = JsonClient::connect(server.address(), token.as_deref());
        assert_eq!(older.closed(), (3504, "connection limit".to_owned()));
        older = newer;
    }
    publish(&one, "room:#42", &json!("to the newest"));
    assert_eq!(older.publication()["data"], "to the newest");
    publish(&other, "plain", &json!("to others"));
    assert_eq!(bystander.publication()["data"], "to others");
}

#[test]
fn a_key_is_published_once_wherever_it_is_repeated() {
    let redis = RedisServer::start();
    let (one, other) = two(&at(&redis));
    let params = json!({"channel": "log:a", "data": {}, "idempotency_key": "k"});
    let first = one.api_result("publish", &params);
    assert_eq!(other.api_result("publish", &params), first);
    let history = one.api_result("history", &json!({"channel": "log:a", "limit": 10}));
    assert_eq!(history["publications"].as_array().unwrap().len(), 1);
}

#[test]
fn keys_are_where_the_reference_has_them_under_the_prefix() {
    let redis = RedisServer::start();
    let mut settings = at(&redis);
    settings["prefix"] = json!("app");
    let (one, _other) = two(&settings);
    publish(&one, "log:a", &json!({}));
    let mut client = JsonClient::connect(one.address(), None);
    client.subscribe("room:a");
    for key in [
        "app.stream.log:a",
        "app.stream.meta.log:a",
        "app.presence.data.room:a",
        "app.presence.expire.room:a",
    ] {
        assert_eq!(redis.run(&["EXISTS", key]).int(), 1, "{key}");
    }
    let names = redis.run(&["PUBSUB", "CHANNELS"]);
    let names: Vec<String> = names.items().iter().map(flywheel_testkit::RedisReply::text).collect();
    for name in ["app.client.room:a", "app.control"] {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
}
