//! What a node of the reference does on Redis, command by command.
//!
//! Source: the Redis engine of Centrifugo 6.6 and later as it is published: its scripts, names of keys, envelopes and
//! Protobuf. No code of ours has a part in it, so that a mistake of ours does not cancel itself out. The reference does in one
//! script what is done here in turn; no other writer is about while a test runs.

use flywheel_testkit::RedisReply;
use flywheel_testkit::proto::{Message, bytes_of};

use super::shared::Shared;

/// How a publication is made.
#[derive(Default)]
pub(super) struct How<'h> {
    pub(super) key: Option<&'h str>,
    pub(super) version: u64,
    pub(super) delta: bool,
    pub(super) tag: Option<(&'h str, &'h str)>,
    pub(super) info: Option<Message>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) offset: u64,
    pub(super) epoch: String,
    /// It was not published: its key or its version is known.
    pub(super) suppressed: bool,
}

/// A history as the reference reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct History {
    pub(super) top: u64,
    pub(super) epoch: String,
    pub(super) publications: Vec<(u64, String)>,
}

/// What the reference calls an epoch that it makes.
pub(super) const EPOCH: &str = "rEfErEnC";
const HISTORY_SIZE: &str = "10";
const HISTORY_TTL: &str = "60";
const META_TTL: &str = "2592000";
const RESULT_TTL: &str = "300";

/// A client as presence, joins, leaves and publications tell it.
pub(super) fn client_info(user: &str, client: &str) -> Message {
    Message::new().bytes(1, user).bytes(2, client).bytes(3, r#"{"from":"the reference"}"#)
}

/// A publication: data, information, tags, and the time in milliseconds, which the reference always gives.
fn publication(data: &str, how: &How<'_>, now: u64) -> Vec<u8> {
    let mut message = Message::new().bytes(4, data);
    if let Some(info) = &how.info {
        message = message.message(5, info);
    }
    if let Some((key, value)) = how.tag {
        message = message.message(7, &Message::new().bytes(1, key).bytes(2, value));
    }
    message.number(9, now * 1000).into_bytes()
}

fn data_of(publication: &[u8]) -> String {
    String::from_utf8(bytes_of(publication, 4)).unwrap()
}

impl Shared {
    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.say(&["TIME"]).items()[0].text().parse().unwrap()
    }

    fn history_keys(&self, channel: &str) -> (String, String) {
        let [history, meta] = if self.lists { ["list", "list.meta"] } else { ["stream", "stream.meta"] };
        (self.key(history, channel), self.key(meta, channel))
    }

    /// Publishes into a channel with history.
    pub(super) fn publishes(&self, channel: &str, data: &str, how: &How<'_>) -> Published {
        let (history, meta) = self.history_keys(channel);
        let result = self.result_key(channel, how);
        if let Some(known) = result.as_deref().and_then(|result| self.known(result)) {
            return known;
        }
        let epoch = self.epoch(&meta);
        let top = self.say(&["HINCRBY", &meta, "s", "1"]).text();
        let position =
            |suppressed| Published { offset: top.parse().unwrap(), epoch: epoch.clone(), suppressed };
        self.say(&["EXPIRE", &meta, META_TTL]);
        if how.version > 0 {
            let known = self.say(&["HGET", &meta, "v"]).text();
            if known.parse::<u64>().is_ok_and(|known| known >= how.version) {
                return position(true);
            }
            self.say(&["HSET", &meta, "v", &how.version.to_string(), "ve", ""]);
        }
        let body = publication(data, how, self.now());
        let before = if how.delta { self.newest(&history) } else { Vec::new() };
        let stored = format!("__p1:{top}:{epoch}__").into_bytes();
        let stored = [&stored[..], &body].concat();
        if self.lists {
            self.run(&[b"LPUSH", history.as_bytes(), &stored]);
            self.say(&["LTRIM", &history, "0", "9"]);
        } else {
            self.run(&[
                b"XADD",
                history.as_bytes(),
                b"MAXLEN",
                HISTORY_SIZE.as_bytes(),
                top.as_bytes(),
                b"d",
                &body,
            ]);
        }
        self.say(&["EXPIRE", &history, HISTORY_TTL]);
        let delta = [
            format!("__d1:{top}:{epoch}:{}:", before.len()).as_bytes(),
            &before,
            format!(":{}:", body.len()).as_bytes(),
            &body,
        ]
        .concat();
        self.publish(channel, if how.delta { &delta } else { &stored });
        if let Some(result) = &result {
            self.remember(&["HSET", result, "e", &epoch, "s", &top]);
        }
        position(false)
    }

    /// Publishes into a channel without history; returns whether it did.
    pub(super) fn publishes_plain(&self, channel: &str, data: &str, how: &How<'_>) -> bool {
        let result = self.result_key(channel, how);
        if result.as_deref().and_then(|result| self.known(result)).is_some() {
            return false;
        }
        self.publish(channel, &publication(data, how, self.now()));
        if let Some(result) = &result {
            self.remember(&["HSET", result, "e", ""]);
        }
        true
    }

    fn result_key(&self, channel: &str, how: &How<'_>) -> Option<String> {
        how.key.map(|key| format!("{}.{key}", self.key("result", channel)))
    }

    /// Keeps what this command writes under the key of a result, for a while.
    fn remember(&self, write: &[&str]) {
        self.say(write);
        self.say(&["EXPIRE", write[1], RESULT_TTL]);
    }

    /// What is remembered under an idempotency key: with an epoch, however empty, there is something.
    fn known(&self, result: &str) -> Option<Published> {
        let known = self.say(&["HMGET", result, "e", "s"]);
        let [epoch, offset] = known.items() else { unreachable!("{known:?}") };
        (*epoch != RedisReply::Bulk(None)).then(|| Published {
            offset: offset.text().parse().unwrap_or_default(),
            epoch: epoch.text(),
            suppressed: true,
        })
    }

    fn epoch(&self, meta: &str) -> String {
        let epoch = self.say(&["HGET", meta, "e"]).text();
        if !epoch.is_empty() {
            return epoch;
        }
        self.say(&["HSET", meta, "e", EPOCH]);
        EPOCH.to_owned()
    }

    /// The newest entry as the reference hands it on: of a list, with its header.
    fn newest(&self, history: &str) -> Vec<u8> {
        if self.lists {
            return self.say(&["LINDEX", history, "0"]).bytes().to_vec();
        }
        let entries = self.say(&["XREVRANGE", history, "+", "-", "COUNT", "1"]);
        entries.items().first().map(|entry| entry.items()[1].items()[1].bytes().to_vec()).unwrap_or_default()
    }

    /// Reads the history of a channel; one that is not there begins.
    pub(super) fn history(&self, channel: &str) -> History {
        let (history, meta) = self.history_keys(channel);
        let epoch = self.epoch(&meta);
        let top = self.say(&["HGET", &meta, "s"]).text().parse().unwrap_or_default();
        self.say(&["EXPIRE", &meta, META_TTL]);
        let publications = if self.lists {
            let items = self.say(&["LRANGE", &history, "0", "-1"]);
            items.items().iter().rev().map(|item| listed(item.bytes())).collect()
        } else {
            let entries = self.say(&["XRANGE", &history, "0", "+"]);
            entries.items().iter().map(streamed).collect()
        };
        History { top, epoch, publications }
    }

    pub(super) fn removes_history(&self, channel: &str) {
        self.say(&["DEL", &self.history_keys(channel).0]);
    }

    /// Adds a client to the presence of a channel, or prolongs its stay, until that second.
    pub(super) fn is_present(&self, channel: &str, user: &str, client: &str, until: u64) {
        let until = until.to_string();
        let [data, expire] = ["data", "expire"].map(|kind| self.presence_key(kind, channel));
        let info = client_info(user, client).into_bytes();
        let is_new = self.run(&[b"HSET", data.as_bytes(), client.as_bytes(), &info]).int() == 1;
        self.say(&["ZADD", &expire, &until, client]);
        let mut keys = vec![data, expire];
        if self.users {
            let [clients, expire] =
                ["user.clients", "user.expire"].map(|kind| self.presence_key(kind, channel));
            if is_new {
                self.say(&["HINCRBY", &clients, user, "1"]);
            }
            self.say(&["ZADD", &expire, &until, user]);
            keys.extend([clients, expire]);
        }
        for key in keys {
            self.say(&["EXPIRE", &key, "60"]);
        }
    }

    pub(super) fn is_gone(&self, channel: &str, user: &str, client: &str) {
        self.say(&["HDEL", &self.presence_key("data", channel), client]);
        self.say(&["ZREM", &self.presence_key("expire", channel), client]);
        if self.users {
            let clients = self.presence_key("user.clients", channel);
            if self.say(&["HINCRBY", &clients, user, "-1"]).int() <= 0 {
                self.say(&["ZREM", &self.presence_key("user.expire", channel), user]);
                self.say(&["HDEL", &clients, user]);
            }
        }
    }

    /// How many clients and users are in the presence of a channel.
    pub(super) fn presence_stats(&self, channel: &str) -> (i64, i64) {
        let count = |kind| self.say(&["HLEN", &self.presence_key(kind, channel)]).int();
        (count("data"), count("user.clients"))
    }

    /// Clients in the presence of a channel, and their users; those whose time is up are forgotten first.
    pub(super) fn presence(&self, channel: &str) -> Vec<(String, String)> {
        let (data, expire) = (self.presence_key("data", channel), self.presence_key("expire", channel));
        let now = self.now().to_string();
        for gone in self.say(&["ZRANGEBYSCORE", &expire, "0", &now]).items() {
            self.run(&[b"HDEL", data.as_bytes(), gone.bytes()]);
        }
        self.say(&["ZREMRANGEBYSCORE", &expire, "0", &now]);
        let all = self.say(&["HGETALL", &data]);
        let mut present: Vec<_> = all
            .items()
            .chunks_exact(2)
            .map(|pair| {
                let info = pair[1].bytes();
                assert_eq!(bytes_of(info, 2), pair[0].bytes(), "the field is the client of the information");
                (pair[0].text(), String::from_utf8(bytes_of(info, 1)).unwrap())
            })
            .collect();
        present.sort();
        present
    }
}

/// Offset and data of an entry of a stream: the offset is what stands before the hyphen, the data is under `d`.
fn streamed(entry: &RedisReply) -> (u64, String) {
    let [id, fields] = entry.items() else { unreachable!("{entry:?}") };
    let id = id.text();
    let (offset, _) = id.split_once('-').unwrap();
    let body = fields.items().chunks_exact(2).find(|pair| pair[0].text() == "d").expect("a field d");
    (offset.parse().unwrap(), data_of(body[1].bytes()))
}

/// Offset and data of an item of a list, which is a message.
fn listed(item: &[u8]) -> (u64, String) {
    let (offset, _, body) = positioned(item);
    (offset, data_of(body))
}

/// Takes `__p1:OFFSET:EPOCH__` off a message, as the reference does: up to the next two underscores.
pub(super) fn positioned(message: &[u8]) -> (u64, String, &[u8]) {
    let rest = message.strip_prefix(b"__p1:").expect("a message with its position");
    let end = rest.windows(2).position(|two| two == b"__").unwrap();
    let header = std::str::from_utf8(&rest[..end]).unwrap();
    let (offset, epoch) = header.split_once(':').unwrap();
    (offset.parse().unwrap(), epoch.to_owned(), &rest[end + 2..])
}

/// Takes `__d1:OFFSET:EPOCH:LENGTH:BEFORE:LENGTH:BODY` apart: offset, and the data of both publications.
pub(super) fn with_the_one_before(message: &[u8]) -> (u64, String, String) {
    let rest = message.strip_prefix(b"__d1:").expect("a message with the one before");
    let (offset, rest) = field(rest);
    let (_epoch, rest) = field(rest);
    let (length, rest) = field(rest);
    let (before, rest) = rest.split_at(length.parse().unwrap());
    let (length, body) = field(&rest[1..]);
    assert_eq!(length.parse(), Ok(body.len()));
    (offset.parse().unwrap(), data_of(before), data_of(body))
}

/// What stands before the next colon, and what follows it.
fn field(rest: &[u8]) -> (&str, &[u8]) {
    let end = rest.iter().position(|byte| *byte == b':').unwrap();
    (std::str::from_utf8(&rest[..end]).unwrap(), &rest[end + 1..])
}
