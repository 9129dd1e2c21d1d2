//! Redis holds, answers and carries what nobody of ours put there: one command fails, everything else goes on.

use flywheel_testkit::{JsonClient, RedisServer, Server, wait_until};
use serde_json::{Value, json};

use crate::{PATIENCE, at, node, two};

/// What must not notice anything: a client of a channel of its own.
struct Bystander<'s> {
    server: &'s Server,
    client: JsonClient,
    count: u64,
}

impl<'s> Bystander<'s> {
    fn new(server: &'s Server) -> Self {
        let mut client = JsonClient::connect(server.address(), None);
        client.subscribe("log:calm");
        Self { server, client, count: 0 }
    }

    /// A publication in its channel is accepted and heard, with the offset that follows.
    #[track_caller]
    fn is_served(&mut self) {
        self.count += 1;
        let made = self.server.api_result("publish", &json!({"channel": "log:calm", "data": self.count}));
        assert_eq!(made["offset"], self.count);
        let heard = self.client.publication();
        assert_eq!((&heard["offset"], &heard["data"]), (&json!(self.count), &json!(self.count)));
    }
}

#[track_caller]
fn fails(server: &Server, method: &str, params: &Value) {
    let (status, body) = server.api(method, &params.to_string());
    assert!(status == 200 && body.contains(r#""error":{"code":100"#), "{method} {params}: {status} {body}");
}

#[track_caller]
fn assert_unharmed(server: &Server) {
    assert!(server.is_ready(), "{}", server.readiness().text());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn a_key_of_another_type_fails_the_commands_of_its_channel_until_it_is_gone() {
    let redis = RedisServer::start();
    let server = node(&at(&redis));
    let mut bystander = Bystander::new(&server);
    let publish = |channel: &str| json!({"channel": channel, "data": {}, "idempotency_key": "k"});
    for (key, channel, methods) in [
        ("centrifugo.stream.log:a", "log:a", ["publish", "history"]),
        ("centrifugo.stream.meta.log:b", "log:b", ["publish", "history"]),
        ("centrifugo.result.log:c.k", "log:c", ["publish", "publish"]),
        ("centrifugo.presence.data.room:d", "room:d", ["presence", "presence_stats"]),
        ("centrifugo.presence.expire.room:e", "room:e", ["presence", "presence_stats"]),
    ] {
        // A stream that begins takes what is in its place away.
        let before = server.api_result("publish", &json!({"channel": channel, "data": {}}));
        redis.run(&["DEL", key]);
        redis.run(&["SET", key, "not ours"]);
        let mut client = JsonClient::connect(server.address(), None);
        for method in methods {
            let params =
                if method == "publish" { publish(channel) } else { json!({"channel": channel, "limit": 10}) };
            fails(&server, method, &params);
            if !key.contains("result") {
                let mut params = params;
                params.as_object_mut().unwrap().remove("idempotency_key");
                let reply = client.command(method, params);
                assert_eq!(reply["error"]["code"], 100, "{method} {key}: {reply}");
            }
        }
        if channel.starts_with("log:") && !key.contains("result") {
            let position =
                json!({"channel": channel, "recover": true, "offset": 0, "epoch": before["epoch"]});
            let reply = client.command("subscribe", position);
            assert_eq!(reply["error"]["code"], 100, "{key}: {reply}");
        }
        bystander.is_served();
        client.subscribe("log:fine");
        assert_eq!(redis.run(&["GET", key]).text(), "not ours");
        redis.run(&["DEL", key]);
        client.subscribe(channel);
        let after = server.api_result("publish", &publish(channel));
        // What failed has not left a hole.
        if after["epoch"] == before["epoch"] && channel.starts_with("log:") {
            assert_eq!(after["offset"], 2, "{key}: {after}");
        }
        let told = |line: &str| line.contains("WRONGTYPE") && line.contains(channel);
        assert!(server.log().lines().any(told), "{key}: {}", server.log());
    }
    assert_unharmed(&server);
}

#[test]
fn a_redis_without_memory_is_told_and_used_again_when_it_has_some() {
    let redis = RedisServer::start();
    let server = node(&at(&redis));
    let mut bystander = Bystander::new(&server);
    bystander.is_served();
    redis.run(&["CONFIG", "SET", "maxmemory", "1"]);
    fails(&server, "publish", &json!({"channel": "log:calm", "data": {}}));
    let told = || server.readiness().text().contains("OOM");
    assert!(wait_until(PATIENCE, || !server.is_ready() && told()), "{}", server.readiness().text());
    redis.run(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(wait_until(PATIENCE, || server.is_ready()), "{}", server.readiness().text());
    bystander.is_served();
    assert_unharmed(&server);
}

#[test]
fn a_script_that_fails_or_is_forgotten_is_nobody_elses_matter() {
    let redis = RedisServer::start();
    let server = node(&at(&redis));
    let mut bystander = Bystander::new(&server);
    bystander.is_served();
    redis.run(&["SCRIPT", "FLUSH"]);
    bystander.is_served();
    redis.run(&["ACL", "SETUSER", "default", "-hgetall"]);
    let mut present = JsonClient::connect(server.address(), None);
    present.subscribe("room:a");
    fails(&server, "presence", &json!({"channel": "room:a"}));
    let reply = present.command("presence", json!({"channel": "room:a"}));
    assert_eq!(reply["error"]["code"], 100, "{reply}");
    bystander.is_served();
    redis.run(&["ACL", "SETUSER", "default", "+hgetall"]);
    let presence = server.api_result("presence", &json!({"channel": "room:a"}));
    assert!(presence["presence"][present.client()].is_object(), "{presence}");
    assert_unharmed(&server);
}

/// Beginnings of what the server publishes, and what is like nothing.
fn garbage(epoch: &str) -> Vec<Vec<u8>> {
    let texts = [
        "",
        "x",
        "{}",
        "__",
        "__p1:",
        "__p1:1",
        "__p1:1:",
        "__p1:1:e",
        "__p1:-1:e__",
        "__p1:1:e__\u{1}",
        "__p1:x:e__",
        "__p1:99999999999999999999999:e__",
        "__d1:",
        "__d1:1:e:999999999999:",
        "__d1:1:e:18446744073709551615:x:1:y",
        "__d1:1:e:-1::0:",
        "__d1:1:e:1:x:9:y",
        "__j__",
        "__j__\u{7f}",
        "__l__",
        "__l__x",
        "__x__",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.extend([
        vec![0; 1000],
        vec![0xff; 1000],
        (0..=255).collect(),
        vec![0x22, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ]);
    // A publication of `{}`, at the last offset there is, at none, and at one that was given out long ago.
    for offset in ["18446744073709551615", "0", "1"] {
        all.push([format!("__p1:{offset}:{epoch}__").as_bytes(), b"\x22\x02{}"].concat());
        all.push([format!("__d1:{offset}:{epoch}:4:").as_bytes(), b"\x22\x02{}:4:\x22\x02{}"].concat());
    }
    all
}

#[test]
fn garbage_on_every_channel_that_is_listened_to_is_skipped() {
    let redis = RedisServer::start();
    let (one, other) = two(&at(&redis));
    let mut bystander = Bystander::new(&one);
    let mut clients = [JsonClient::connect(one.address(), None), JsonClient::connect(other.address(), None)];
    for client in &mut clients {
        for channel in ["log:a", "plain", "diff:a"] {
            client.subscribe(channel);
        }
    }
    let made = one.api_result("publish", &json!({"channel": "log:a", "data": {}}));
    let listened = redis.run(&["PUBSUB", "CHANNELS"]);
    let names: Vec<String> = listened.items().iter().map(flywheel_testkit::RedisReply::text).collect();
    assert!(names.len() >= 7, "{names:?}");
    let mut writer = redis.client().unwrap();
    for name in names.iter().filter(|name| !name.ends_with("log:calm")) {
        for payload in garbage(made["epoch"].as_str().unwrap()) {
            writer.run(&[b"PUBLISH".as_ref(), name.as_bytes(), &payload]);
        }
        bystander.is_served();
    }
    for (server, other) in [(&one, &other), (&other, &one)] {
        let mut client = JsonClient::connect(other.address(), None);
        for channel in ["log:a", "plain", "diff:a"] {
            client.subscribe(channel);
            server.api_result("publish", &json!({"channel": channel, "data": {"after": "all"}}));
            assert_eq!(client.publication()["data"], json!({"after": "all"}), "{channel}");
        }
        assert_eq!(server.api_result("info", &json!({}))["nodes"].as_array().map(Vec::len), Some(2));
        assert_unharmed(server);
    }
}

#[test]
fn what_is_too_large_costs_at_most_the_clients_of_its_channel_their_connection() {
    let redis = RedisServer::start();
    let server = node(&at(&redis));
    let mut bystander = Bystander::new(&server);
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("plain");
    // 2 MB of payload: field 4, with its length.
    let text = format!("\"{}\"", "x".repeat((2 << 20) - 2));
    let payload = [b"\x22\x80\x80\x80\x01".as_ref(), text.as_bytes()].concat();
    let mut writer = redis.client().unwrap();
    writer.run(&[b"PUBLISH".as_ref(), b"centrifugo.client.plain", &payload]);
    bystander.is_served();
    // More than a queue may hold, but its socket takes it.
    assert_eq!(client.publication()["data"].as_str().map(str::len), Some((2 << 20) - 2));
    for number in 1..=4 {
        let id = format!("{number}-0");
        writer.run(&[b"XADD".as_ref(), b"centrifugo.stream.log:a", id.as_bytes(), b"d", &payload]);
    }
    writer.run(&["HSET", "centrifugo.stream.meta.log:a", "e", "epoch", "s", "4"]);
    let history = server.api_result("history", &json!({"channel": "log:a", "limit": 4}));
    assert_eq!(history["publications"].as_array().map(Vec::len), Some(4));
    bystander.is_served();
    // More than an answer may hold. The pieces are small, so that this Redis is never busy for long.
    let fill = "for i = 1, 10000 do redis.call('HSET', KEYS[1], ARGV[1] .. i, '') end";
    for part in 0..51 {
        writer.run(&["EVAL", fill, "1", "centrifugo.presence.data.room:a", &format!("{part}-")]);
    }
    fails(&server, "presence", &json!({"channel": "room:a"}));
    bystander.is_served();
    let fill = "for i = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'd', '') end";
    server.api_result("publish", &json!({"channel": "log:b", "data": {}}));
    for _ in 0..21 {
        writer.run(&["EVAL", fill, "1", "centrifugo.stream.log:b"]);
    }
    fails(&server, "history", &json!({"channel": "log:b", "limit": -1}));
    bystander.is_served();
    let log = server.log();
    assert!(log.matches("TOOLARGE").count() == 2 && !log.contains("connection to Redis ended"), "{log}");
    assert_unharmed(&server);
}
