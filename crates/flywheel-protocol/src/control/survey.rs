#![expect(missing_docs, reason = "a field means what its name says in the API's description")]

use std::collections::BTreeMap;

/// The question of the survey `channels`: those that match a glob; empty for all.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChannelsQuery {
    #[prost(string, tag = "1")]
    pub pattern: String,
}

/// Its answer: channels with subscribers on the node.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChannelCounts {
    #[prost(btree_map = "string, message", tag = "1")]
    pub channels: BTreeMap<String, ChannelCount>,
}

/// Subscribers of a channel on the node.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct ChannelCount {
    #[prost(uint32, tag = "1")]
    pub num_clients: u32,
}
