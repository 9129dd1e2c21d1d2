use std::time::Duration;

use flywheel_engine::{
    Broker, Controller, Dependencies, EngineError, Presence, PublishOptions, Published, Recipient,
};
use flywheel_model::{Channel, ClientInfo, Payload, Publication, StreamPosition};
use flywheel_redis::engine::RedisOptions;
use flywheel_redis::link::LinkSettings;
use flywheel_stream::{HistoryQuery, Retention};
use flywheel_testkit::{
    FaultProxy, OnReply, RedisOptions as ServerOptions, RedisRelease, RedisReply, RedisServer,
};

use crate::fixture::{Ground, Node, local, until};

const KEEP: Retention =
    Retention { size: 100, ttl: Duration::from_mins(1), meta_ttl: Duration::from_mins(10) };

struct World {
    node: Node,
    ground: Ground,
}

impl World {
    fn on(port: u16) -> Self {
        let ground = Ground::new();
        let node = ground.engine("node", local(port), LinkSettings::default(), RedisOptions::default());
        Self { node, ground }
    }

    fn publish(&self, channel: &str, data: &str, options: PublishOptions) -> Result<Published, EngineError> {
        let publication = Publication::of(Payload::new(data.to_owned().into()));
        self.ground.wait(self.node.engine.publish(&channel.into(), publication, options))
    }

    fn append(&self, channel: &str, data: &str) -> Result<StreamPosition, EngineError> {
        let options = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
        self.publish(channel, data, options).map(|published| published.position().cloned().unwrap())
    }

    fn subscribe(&self, channel: &str) -> Result<(), EngineError> {
        self.ground.wait(self.node.engine.subscribe(&channel.into()))
    }

    fn top(&self, channel: &str) -> Result<StreamPosition, EngineError> {
        let read = self.node.engine.history(&channel.into(), HistoryQuery::top(), KEEP.meta_ttl);
        self.ground.wait(read).map(|history| history.top)
    }

    fn events(&self, channel: &str) -> Vec<String> {
        self.node.ear.recorder.events(&channel.into())
    }

    fn is_ready(&self) -> bool {
        self.node.engine.dependencies().iter().all(|dependency| dependency.ok)
    }

    fn reason(&self, name: &str) -> String {
        let found = self.node.engine.dependencies();
        found.iter().find(|one| one.name == name).map(|one| one.reason.clone()).unwrap_or_default()
    }
}

#[test]
fn both_probes_pass_and_say_why_when_they_do_not() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    let names: Vec<_> = world.node.engine.dependencies().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["redis[0].write", "redis[0].delivery"]);
    until("ready", || world.is_ready());
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    until("the write probe fails", || world.reason("redis[0].write").starts_with("OOM"));
    server.run(&["CONFIG", "SET", "maxmemory", "0"]);
    until("ready again", || world.is_ready());
}

#[test]
fn after_a_crash_calls_succeed_again_and_every_channel_is_told_of_the_gap() {
    let mut server = RedisServer::start();
    let world = World::on(server.port());
    for channel in ["a", "b"] {
        world.subscribe(channel).unwrap();
    }
    world.append("a", "1").unwrap();
    until("delivered", || world.events("a").len() == 1);
    server.restart();
    until("a publish succeeds", || world.append("a", "2").is_ok());
    until("both are told", || {
        let gaps = world.node.ear.gaps.lock();
        ["a", "b"].iter().all(|channel| gaps.contains(&Channel::from(*channel)))
    });
    until("messages are heard again", || {
        drop(world.append("b", "x"));
        !world.events("b").is_empty()
    });
    until("ready", || world.is_ready());
}

#[test]
fn a_frozen_server_is_outlived() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    world.subscribe("a").unwrap();
    server.freeze();
    assert!(world.append("a", "1").is_err());
    until("not ready", || !world.is_ready());
    server.resume();
    until("a publish succeeds", || world.append("a", "2").is_ok());
    until("ready", || world.is_ready());
    until("heard", || {
        drop(world.append("a", "3"));
        world.events("a").iter().any(|event| event.starts_with('3'))
    });
}

#[test]
fn killed_connections_and_forgotten_scripts_are_not_seen() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    world.subscribe("a").unwrap();
    for round in 0..5 {
        world.append("a", "1").unwrap_or_else(|error| panic!("round {round}: {error}"));
        server.run(&["SCRIPT", "FLUSH"]);
        world.append("a", "2").unwrap();
        let before = world.node.ear.gaps.lock().len();
        server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        until("told of the gap", || world.node.ear.gaps.lock().len() > before);
        server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        // A call that was under way may be lost; one that begins now is not.
        until("calls succeed", || world.top("a").is_ok());
    }
    let last = world.append("a", "last").unwrap();
    until("heard", || world.events("a").last() == Some(&format!("last@{}", last.offset)));
}

#[test]
fn something_else_under_our_key_fails_one_channel_and_changes_nothing() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    let before = world.append("a", "1").unwrap();
    server.run(&["DEL", "centrifugo.stream.a"]);
    server.run(&["SET", "centrifugo.stream.a", "text"]);
    let error = world.append("a", "2").unwrap_err();
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    assert!(world.append("b", "1").is_ok());
    server.run(&["DEL", "centrifugo.stream.a"]);
    assert_eq!(world.append("a", "3").unwrap().offset, before.offset + 1, "no offset is skipped");
}

#[test]
fn an_acknowledgement_that_is_swallowed_restarts_the_connection() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let world = World::on(proxy.port());
    world.subscribe("before").unwrap();
    proxy.on_nth("SUBSCRIBE", 0, OnReply::Swallow);
    drop(world.subscribe("a"));
    until("subscribed after all", || world.subscribe("a").is_ok());
    until("heard", || {
        drop(world.append("a", "1"));
        !world.events("a").is_empty()
    });
}

#[test]
fn a_connection_that_has_become_mute_is_found_out() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let world = World::on(proxy.port());
    world.subscribe("a").unwrap();
    proxy.on_nth("PUBLISH", 0, OnReply::Mute);
    until("calls succeed again", || world.publish("a", "1", PublishOptions::default()).is_ok());
    proxy.on_nth("SUBSCRIBE", 0, OnReply::Mute);
    proxy.half_open();
    until("heard", || {
        drop(world.append("a", "2"));
        world.events("a").iter().any(|event| event.starts_with('2'))
    });
}

#[test]
fn a_stream_that_lost_what_was_delivered_gets_a_new_epoch() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    for (channel, lose) in [("shorter", true), ("forked", true), ("same", false)] {
        world.subscribe(channel).unwrap();
        let position = world.append(channel, "1").unwrap();
        world.append(channel, "2").unwrap();
        until("delivered", || world.events(channel).len() == 2);
        let (stream, meta) =
            (format!("centrifugo.stream.{channel}"), format!("centrifugo.stream.meta.{channel}"));
        if lose {
            // As on a server that took over without the last publication.
            server.run(&["XDEL", stream.as_str(), "2-0"]);
            server.run(&["HSET", meta.as_str(), "s", "1"]);
        }
        if channel == "forked" {
            server.run(&["XSETID", stream.as_str(), "1-0"]);
            // Another publication has the offset.
            server.run(&["XADD", stream.as_str(), "2-0", "d", "\"\u{3}abc"]);
            server.run(&["HSET", meta.as_str(), "s", "2"]);
        }
        if channel == "shorter" {
            server.run(&["XSETID", stream.as_str(), "1-0"]);
        }
        let gaps = || world.node.ear.gaps.lock().iter().filter(|gap| gap.as_str() == channel).count();
        let before = gaps();
        server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        until("told of the gap", || gaps() > before);
        assert_eq!(world.top(channel).unwrap().epoch != position.epoch, lose, "{channel}");
    }
}

#[test]
fn messages_between_nodes_arrive_at_all_or_at_one() {
    let server = RedisServer::start();
    let ground = Ground::new();
    let node =
        |uid| ground.engine(uid, local(server.port()), LinkSettings::default(), RedisOptions::default());
    let (one, other) = (node("one"), node("other"));
    until("both listen", || {
        let count = server.run(&["PUBSUB", "NUMSUB", "centrifugo.control"]);
        format!("{count:?}").contains('2')
    });
    let send = |to, text: &str| ground.wait(one.engine.send(to, text.into()));
    until("both hear what is for all", || {
        send(Recipient::All, "all").unwrap();
        [&one, &other].iter().all(|node| node.ear.control.lock().iter().any(|message| message == b"all"))
    });
    until("one hears what is for it", || {
        send(Recipient::Node("other"), "alone").unwrap();
        other.ear.control.lock().iter().any(|message| message == b"alone")
    });
    assert!(!one.ear.control.lock().iter().any(|message| message == b"alone"));
}

#[test]
fn what_is_left_stays_subscribed_for_a_while_and_not_longer() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    world.subscribe("a").unwrap();
    world.ground.wait(world.node.engine.unsubscribe(&"a".into())).unwrap();
    let listeners = || format!("{:?}", server.run(&["PUBSUB", "CHANNELS", "centrifugo.client.*"]));
    until("left", || !listeners().contains("centrifugo.client.a"));
    world.subscribe("a").unwrap();
    world.append("a", "1").unwrap();
    until("heard", || world.events("a") == ["1@1"]);
}

#[test]
fn a_thousand_concurrent_publishers_of_one_channel_agree_on_one_order() {
    let server = RedisServer::start();
    let world = World::on(server.port());
    world.subscribe("a").unwrap();
    let options = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
    world.ground.runtime.block_on(async {
        let mut publishers = tokio::task::JoinSet::new();
        for number in 0..1000 {
            let publication = Publication::of(Payload::new(number.to_string().into()));
            let answer = world.node.engine.publish(&"a".into(), publication, options.clone());
            publishers.spawn(answer.wait());
        }
        while let Some(published) = publishers.join_next().await {
            assert!(published.unwrap().is_ok());
        }
    });
    until("all are heard", || world.events("a").len() == 1000);
    let offsets: Vec<_> =
        world.events("a").iter().map(|event| event.split_once('@').unwrap().1.to_owned()).collect();
    let expected: Vec<_> = (1..=1000).map(|offset: u32| offset.to_string()).collect();
    assert_eq!(offsets, expected);
}

#[test]
fn users_are_counted_without_looking_at_clients() {
    users_are_counted(&RedisServer::start(), false);
}

#[test]
fn users_are_counted_where_redis_lets_fields_expire() {
    users_are_counted(&RedisServer::with(&ServerOptions::of(RedisRelease::Redis8)), true);
}

fn users_are_counted(server: &RedisServer, presence_field_ttl: bool) {
    let ground = Ground::new();
    let options = RedisOptions { presence_users: true, presence_field_ttl, ..RedisOptions::default() };
    let node = ground.engine("node", local(server.port()), LinkSettings::default(), options);
    let info = |client: &str, user: &str| ClientInfo {
        user: user.into(),
        client: client.into(),
        conn_info: None,
        chan_info: None,
    };
    let channel = Channel::from("a");
    let stats = || {
        let stats = ground.wait(node.engine.stats(&channel)).unwrap();
        (stats.clients, stats.users)
    };
    let long = "u".repeat(300);
    for (client, user) in [("1", "x"), ("2", "x"), ("2", "x"), ("3", long.as_str()), ("4", "")] {
        ground.wait(node.engine.add(&channel, info(client, user))).unwrap();
    }
    assert_eq!(stats(), (4, 3));
    // Either each field has a time of its own, or two sorted sets hold the times beside the two hashes.
    let keys = server.run(&["KEYS", "*presence*"]);
    let keys: Vec<_> = keys.items().iter().map(RedisReply::text).collect();
    assert_eq!(keys.len(), if presence_field_ttl { 2 } else { 4 }, "{keys:?}");
    if presence_field_ttl {
        let data = keys.iter().find(|key| !key.contains("user")).unwrap();
        let left = server.run(&["HTTL", data, "FIELDS", "1", "1"]).items()[0].int();
        assert!((1..=60).contains(&left), "{left} s are left");
    }
    for (client, expected) in [("1", (3, 3)), ("2", (2, 2)), ("2", (2, 2)), ("3", (1, 1)), ("4", (0, 0))] {
        ground.wait(node.engine.remove(&channel, client)).unwrap();
        assert_eq!(stats(), expected, "without {client}");
    }
}

#[test]
fn a_subscribe_that_failed_leaves_nothing_behind() {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let world = World::on(proxy.port());
    until("ready", || world.is_ready());
    proxy.black_hole();
    assert!(world.subscribe("a").is_err());
    proxy.heal();
    until("ready again", || world.is_ready());
    let listeners = || format!("{:?}", server.run(&["PUBSUB", "CHANNELS", "centrifugo.client.*"]));
    until("nobody listens", || listeners() == "Array([])");
}
