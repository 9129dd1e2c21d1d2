//! A Redis that nodes of both makes use, and how the reference lays its data out there.

use flywheel_testkit::{RedisClient, RedisCluster, RedisReply, RedisServer, wait_until};
use serde_json::{Value, json};

use crate::{PATIENCE, at};

/// Prefix of all keys and channels of Redis, the reference's default.
const PREFIX: &str = "centrifugo";

/// What the reference has several layouts for.
pub(super) enum Redis {
    /// Names stand in keys as they are.
    One(RedisServer),
    /// Names stand in braces.
    Cluster(RedisCluster),
    /// The number of one of [`PARTITIONS`] stands in braces, before the name.
    Partitions(RedisCluster),
}

/// A Redis, and the settings that both must have alike.
pub(super) struct Shared {
    pub(super) redis: Redis,
    /// Histories are lists.
    pub(super) lists: bool,
    /// Presence counts the connections of users.
    pub(super) users: bool,
}

/// A connection that listens.
pub(super) struct Listener(RedisClient);

const PARTITIONS: u32 = 16;

/// The partition of 16 in which a channel is, worked out by a program that shares no code with ours: FNV-1a of 64 bits, and
/// jump consistent hash.
fn partition(channel: &str) -> u32 {
    match channel {
        "log:a" | "room:b" => 10,
        "log:b" | "log:c" => 6,
        "log:d" => 11,
        "log:e" => 12,
        "log:f" => 13,
        "diff:a" => 8,
        "room:a" => 5,
        "plain" => 4,
        _ => panic!("no test says where {channel} is"),
    }
}

impl Shared {
    /// The same for our node.
    pub(super) fn settings(&self) -> Value {
        let mut settings = match &self.redis {
            Redis::One(server) => at(server),
            Redis::Cluster(cluster) => json!({"cluster_address": cluster.addresses()[0]}),
            Redis::Partitions(cluster) => {
                json!({"cluster_address": cluster.addresses()[0], "sharded_pub_sub_partitions": PARTITIONS})
            }
        };
        settings["history_use_lists"] = json!(self.lists);
        settings["presence_user_mapping"] = json!(self.users);
        settings
    }

    /// The key of what belongs to a channel and is in the slot of its messages.
    pub(super) fn key(&self, kind: &str, channel: &str) -> String {
        match &self.redis {
            Redis::One(_) => format!("{PREFIX}.{kind}.{channel}"),
            Redis::Cluster(_) => format!("{PREFIX}.{kind}.{{{channel}}}"),
            Redis::Partitions(_) => format!("{PREFIX}.{kind}.{{{}}}.{channel}", partition(channel)),
        }
    }

    /// The key of what belongs to the presence of a channel, which knows no partitions.
    pub(super) fn presence_key(&self, kind: &str, channel: &str) -> String {
        match &self.redis {
            Redis::One(_) => format!("{PREFIX}.presence.{kind}.{channel}"),
            Redis::Cluster(_) | Redis::Partitions(_) => format!("{PREFIX}.presence.{kind}.{{{channel}}}"),
        }
    }

    /// The server that has the slot of a key.
    fn server(&self, key: &str) -> &RedisServer {
        match &self.redis {
            Redis::One(server) => server,
            Redis::Cluster(cluster) | Redis::Partitions(cluster) => {
                let owner = cluster.owner_according_to(0, cluster.slot(key)).expect("somebody has the slot");
                &cluster.nodes()[owner]
            }
        }
    }

    /// Runs a command whose first argument, if it has any, is a key.
    pub(super) fn run(&self, command: &[&[u8]]) -> RedisReply {
        let key = command.get(1).copied().unwrap_or_default();
        self.server(std::str::from_utf8(key).unwrap()).run(command)
    }

    /// The same in words.
    pub(super) fn say(&self, command: &[&str]) -> RedisReply {
        let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
        self.run(&words)
    }

    /// Publishes to the subscribers of a channel.
    pub(super) fn publish(&self, channel: &str, message: &[u8]) {
        let word: &[u8] = if self.is_sharded() { b"SPUBLISH" } else { b"PUBLISH" };
        self.run(&[word, self.key("client", channel).as_bytes(), message]);
    }

    /// Listens to a channel of clients.
    pub(super) fn listen(&self, channel: &str) -> Listener {
        let word = if self.is_sharded() { "SSUBSCRIBE" } else { "SUBSCRIBE" };
        self.listen_to(word, &self.key("client", channel))
    }

    /// Publishes to nodes: all, or the one of this UID.
    pub(super) fn tell_nodes(&self, uid: Option<&str>, message: &[u8]) {
        self.run(&[b"PUBLISH", to_nodes(uid).as_bytes(), message]);
    }

    /// Listens to what nodes are told: all, or the one of this UID.
    pub(super) fn listen_as_node(&self, uid: Option<&str>) -> Listener {
        self.listen_to("SUBSCRIBE", &to_nodes(uid))
    }

    fn listen_to(&self, word: &str, name: &str) -> Listener {
        let mut client = self.server(name).client().unwrap();
        client.run(&[word, name]);
        Listener(client)
    }

    fn is_sharded(&self) -> bool {
        matches!(self.redis, Redis::Partitions(_))
    }
}

/// Where nodes are told something: all, or the one of this UID.
fn to_nodes(uid: Option<&str>) -> String {
    uid.map_or_else(|| format!("{PREFIX}.control"), |uid| format!("{PREFIX}.node.{uid}"))
}

impl Listener {
    /// The next message; panics when none comes.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut reply = None;
        let is_there = wait_until(PATIENCE, || {
            reply = self.0.read().ok();
            reply.is_some()
        });
        assert!(is_there, "no message");
        reply.unwrap().items()[2].bytes().to_vec()
    }

    /// The next message of which this is true; others before it are skipped.
    pub(super) fn find(&mut self, mut wanted: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        loop {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
        }
    }
}
