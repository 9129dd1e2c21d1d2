use std::fmt::Write as _;

use flywheel_model::Channel;

use super::slot::hash_tag;
use super::{SLOTS, key_slot};
use crate::placement::{fnv1a, jump};

/// How names are made. Chosen by what kind of server there is, not by an operator: the data of one layout cannot be found
/// in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Names as they are: for one server, with replicas and Sentinels or without.
    #[default]
    Plain,
    /// The channel between braces, so that all its keys share a slot.
    Cluster,
    /// Streams and messages of a channel are in one of so many partitions, whose messages are published in their slot only.
    Partitioned(u16),
}

/// The prefix has braces that would decide about slots in place of the channels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the prefix {0:?} has a brace without a tag after it, which splits keys over the slots of a cluster")]
pub struct InvalidPrefix(pub String);

/// Makes names. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
    layout: Layout,
}

/// Names everything that belongs to one channel, or to one other purpose, and is in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotTag<'k> {
    prefix: &'k str,
    /// What follows the last dot of a name.
    tail: String,
    slot: u16,
    is_sharded: bool,
}

impl Keys {
    /// Names that begin with `prefix`.
    ///
    /// # Errors
    /// When no name with the prefix could have a tag of its own.
    pub fn new(prefix: impl Into<String>, layout: Layout) -> Result<Self, InvalidPrefix> {
        let prefix = prefix.into();
        if prefix.contains('{') && hash_tag(prefix.as_bytes()).is_none() {
            return Err(InvalidPrefix(prefix));
        }
        Ok(Self { prefix, layout })
    }

    /// How names are made.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Stream, messages and results of a channel.
    pub fn of_channel(&self, channel: &Channel) -> SlotTag<'_> {
        match self.layout {
            Layout::Plain | Layout::Cluster => self.of_presence(channel),
            Layout::Partitioned(partitions) => {
                let partition = jump(fnv1a(channel.as_str().as_bytes()), partitions.into());
                self.tag(format!("{{{partition}}}.{channel}"), true)
            }
        }
    }

    /// Presence of a channel, which is not where its stream is when there are partitions.
    pub fn of_presence(&self, channel: &Channel) -> SlotTag<'_> {
        match self.layout {
            Layout::Plain => self.tag(channel.to_string(), false),
            Layout::Cluster | Layout::Partitioned(_) => self.tag(tagged(channel.as_str()), false),
        }
    }

    /// A name of our own, such as that of a probe, in a slot that `spread` chooses.
    pub fn of_probe(&self, spread: &str) -> SlotTag<'_> {
        let is_sharded = matches!(self.layout, Layout::Partitioned(_));
        self.tag(format!("{{{spread}}}"), is_sharded)
    }

    /// The channel on which all nodes are told something.
    pub fn control(&self) -> String {
        format!("{}.control", self.prefix)
    }

    /// The channel on which one node is told something.
    pub fn node(&self, uid: &str) -> String {
        format!("{}.node.{uid}", self.prefix)
    }

    fn tag(&self, tail: String, is_sharded: bool) -> SlotTag<'_> {
        let slot = match self.layout {
            Layout::Plain => 0,
            // A tag in the prefix, which then has one, stands before all others.
            _ if self.prefix.contains('{') => key_slot(self.prefix.as_bytes()),
            _ => key_slot(tail.as_bytes()),
        };
        debug_assert!(slot < SLOTS, "a slot is what remains of a division");
        SlotTag { prefix: &self.prefix, tail, slot, is_sharded }
    }
}

/// The channel between braces. Where that would be no tag, because the channel is empty or begins with the closing brace,
/// an encoded one stands for it, in a form that no other channel's name can take: those end with the brace.
fn tagged(channel: &str) -> String {
    if !channel.is_empty() && !channel.starts_with('}') {
        return format!("{{{channel}}}");
    }
    let mut encoded = String::with_capacity(channel.len() + 12);
    encoded.push('{');
    // Alone it is no encoding of anything.
    if channel.is_empty() {
        encoded.push('%');
    }
    for letter in channel.chars() {
        match letter {
            '}' => encoded.push_str("%7D"),
            '%' => encoded.push_str("%25"),
            other => encoded.push(other),
        }
    }
    encoded.push_str("}.encoded");
    encoded
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $middle:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> String {
            self.name($middle)
        }
    )*};
}

impl SlotTag<'_> {
    /// The slot that all names are in, if they are in a cluster.
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// Whether messages are published to the slot, with `SPUBLISH`, and not to everybody.
    pub fn is_sharded(&self) -> bool {
        self.is_sharded
    }

    names! {
        /// Channel of the server on which publications, joins and leaves travel.
        messages = "client";
        /// The history as a stream.
        stream = "stream";
        /// Epoch, top and version of the history that is a stream.
        stream_meta = "stream.meta";
        /// The history as a list.
        list = "list";
        /// Epoch and top of the history that is a list.
        list_meta = "list.meta";
        /// Who is present: information by client.
        presence = "presence.data";
        /// Until when, by client.
        presence_expiry = "presence.expire";
        /// Number of connections by user.
        presence_users = "presence.user.clients";
        /// Until when, by user.
        presence_users_expiry = "presence.user.expire";
        /// What is written to see whether it can be.
        write_probe = "probe.write";
        /// The channel of the server on which a node hears itself.
        delivery_probe = "probe.delivery";
    }

    /// What came of a publication with this idempotency key.
    pub fn result(&self, key: &str) -> String {
        let mut name = self.name("result");
        let written = write!(name, ".{key}");
        debug_assert!(written.is_ok(), "a string takes all that is written");
        name
    }

    fn name(&self, middle: &str) -> String {
        let mut name = String::with_capacity(self.prefix.len() + middle.len() + self.tail.len() + 2);
        for part in [self.prefix, ".", middle, ".", &self.tail] {
            name.push_str(part);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    const LAYOUTS: [Layout; 3] = [Layout::Plain, Layout::Cluster, Layout::Partitioned(16)];

    fn keys(layout: Layout) -> Keys {
        Keys::new("centrifugo", layout).unwrap()
    }

    fn all(tag: &SlotTag<'_>) -> Vec<String> {
        vec![
            tag.messages(),
            tag.stream(),
            tag.stream_meta(),
            tag.list(),
            tag.list_meta(),
            tag.presence(),
            tag.presence_expiry(),
            tag.presence_users(),
            tag.presence_users_expiry(),
            tag.write_probe(),
            tag.delivery_probe(),
            tag.result("key"),
            tag.result("{x}"),
        ]
    }

    #[test]
    fn names_are_those_of_the_reference() {
        let channel = Channel::from("chat:1");
        for (layout, messages, presence) in [
            (Layout::Plain, "centrifugo.client.chat:1", "centrifugo.presence.data.chat:1"),
            (Layout::Cluster, "centrifugo.client.{chat:1}", "centrifugo.presence.data.{chat:1}"),
        ] {
            let keys = keys(layout);
            assert_eq!(keys.of_channel(&channel).messages(), messages);
            assert_eq!(keys.of_presence(&channel).presence(), presence);
        }
        let tag = format!("{{{}}}", jump(fnv1a(b"chat:1"), 16));
        let keys = keys(Layout::Partitioned(16));
        assert_eq!(keys.of_channel(&channel).stream_meta(), format!("centrifugo.stream.meta.{tag}.chat:1"));
        assert_eq!(keys.of_presence(&channel).presence(), "centrifugo.presence.data.{chat:1}");
        assert_eq!(keys.of_channel(&channel).result("k"), format!("centrifugo.result.{tag}.chat:1.k"));
    }

    #[test]
    fn a_prefix_that_would_split_keys_is_refused() {
        for prefix in ["a{b", "{", "{}a"] {
            assert!(Keys::new(prefix, Layout::Cluster).is_err(), "{prefix}");
        }
        assert!(Keys::new("{app}", Layout::Cluster).is_ok());
    }

    #[test]
    fn two_channels_never_share_a_name() {
        let names = ["", "%", "}", "%7D", "}x", "%7Dx", "%7Dx}.encoded", "{%}.encoded", "}x}", "}%7D", "}}"];
        let mut seen = BTreeMap::new();
        for name in names {
            let stream = keys(Layout::Cluster).of_channel(&name.into()).stream();
            assert_eq!(seen.insert(stream.clone(), name), None, "{stream} of {name:?}");
        }
    }

    proptest! {
        #[test]
        fn all_names_of_a_tag_are_in_its_slot(channel in "[{}%a.]{0,6}|\\PC{0,12}", prefix in "[a-z]{0,4}|\\{x\\}|a\\}") {
            let channel = Channel::from(channel.as_str());
            for layout in LAYOUTS {
                let keys = Keys::new(prefix.clone(), layout).unwrap();
                for tag in [keys.of_channel(&channel), keys.of_presence(&channel), keys.of_probe("p")] {
                    for name in all(&tag) {
                        if layout != Layout::Plain {
                            prop_assert_eq!(key_slot(name.as_bytes()), tag.slot(), "{} in {:?}", name, layout);
                        }
                    }
                }
            }
        }

        #[test]
        fn channels_that_differ_have_names_that_differ(one in "[{}%7D]{0,6}", other in "[{}%7D]{0,6}") {
            for layout in LAYOUTS {
                let keys = keys(layout);
                let names = |name: &str| keys.of_channel(&Channel::from(name)).stream();
                prop_assert_eq!(names(&one) == names(&other), one == other);
            }
        }
    }
}
