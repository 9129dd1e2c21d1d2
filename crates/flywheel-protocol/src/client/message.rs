//! The messages of client protocol, sections 1.5 to 1.9: fields and numbers as in its tables, members in their order.
#![expect(missing_docs, reason = "a field means what its table in the protocol says")]

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::json::members;

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($field:ident $($always:literal)? : $ty:ty [$($kind:tt)*] $tag:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name {
            $(#[prost($($kind)*, tag = $tag)] pub $field: $ty,)*
        }

        members!($name { $($field $($always)?),* });
    )*};
}

messages! {
    /// An error in a reply.
    ErrorReply {
        code: u32 [uint32] 1,
        message: String [string] 2,
        temporary: bool [bool] 3,
    }
    /// Who published, joined or is present.
    ClientInfo {
        user "always": String [string] 1,
        client "always": String [string] 2,
        conn_info: Bytes [bytes = "bytes"] 3,
        chan_info: Bytes [bytes = "bytes"] 4,
    }
    /// One message of a channel.
    Publication {
        data: Bytes [bytes = "bytes"] 4,
        info: Option<Box<ClientInfo>> [message, optional, boxed] 5,
        offset: u64 [uint64] 6,
        tags: BTreeMap<String, String> [btree_map = "string, string"] 7,
        delta: bool [bool] 8,
        epoch: String [string] 14,
    }
    /// Place in a stream.
    StreamPosition {
        offset: u64 [uint64] 1,
        epoch: String [string] 2,
    }
    /// A node of a tags filter.
    FilterNode {
        op: String [string] 1,
        key: String [string] 2,
        cmp: String [string] 3,
        val: String [string] 4,
        vals: Vec<String> [string, repeated] 5,
        nodes: Vec<FilterNode> [message, repeated] 6,
    }
    ConnectRequest {
        token: String [string] 1,
        data: Bytes [bytes = "bytes"] 2,
        subs: BTreeMap<String, SubscribeRequest> [btree_map = "string, message"] 3,
        name: String [string] 4,
        version: String [string] 5,
        headers: BTreeMap<String, String> [btree_map = "string, string"] 6,
        flag: i64 [int64] 7,
    }
    ConnectResult {
        client: String [string] 1,
        version: String [string] 2,
        expires: bool [bool] 3,
        ttl: u32 [uint32] 4,
        data: Bytes [bytes = "bytes"] 5,
        subs: BTreeMap<String, SubscribeResult> [btree_map = "string, message"] 6,
        ping: u32 [uint32] 7,
        pong: bool [bool] 8,
        session: String [string] 9,
        node: String [string] 10,
        time: i64 [int64] 11,
    }
    RefreshRequest {
        token: String [string] 1,
    }
    RefreshResult {
        client: String [string] 1,
        version: String [string] 2,
        expires: bool [bool] 3,
        ttl: u32 [uint32] 4,
    }
    SubscribeRequest {
        channel: String [string] 1,
        token: String [string] 2,
        recover: bool [bool] 3,
        epoch: String [string] 6,
        offset: u64 [uint64] 7,
        data: Bytes [bytes = "bytes"] 8,
        positioned: bool [bool] 9,
        recoverable: bool [bool] 10,
        join_leave: bool [bool] 11,
        delta: String [string] 12,
        tf: Option<Box<FilterNode>> [message, optional, boxed] 13,
        flag: i64 [int64] 14,
        type_: i32 [int32] 15,
    }
    SubscribeResult {
        expires: bool [bool] 1,
        ttl: u32 [uint32] 2,
        recoverable: bool [bool] 3,
        epoch: String [string] 6,
        publications: Vec<Publication> [message, repeated] 7,
        recovered: bool [bool] 8,
        offset: u64 [uint64] 9,
        positioned: bool [bool] 10,
        data: Bytes [bytes = "bytes"] 11,
        was_recovering: bool [bool] 12,
        delta: bool [bool] 13,
    }
    UnsubscribeRequest {
        channel: String [string] 1,
    }
    /// A frame for a connection that only the server can write to.
    EmulationRequest {
        node: String [string] 1,
        session: String [string] 2,
        data: Bytes [bytes = "bytes"] 3,
    }
    /// A result without fields.
    Empty {}
    SubRefreshRequest {
        channel: String [string] 1,
        token: String [string] 2,
        type_: i32 [int32] 3,
    }
    SubRefreshResult {
        expires: bool [bool] 1,
        ttl: u32 [uint32] 2,
    }
    PublishRequest {
        channel: String [string] 1,
        data: Bytes [bytes = "bytes"] 2,
        type_: i32 [int32] 3,
    }
    PresenceRequest {
        channel: String [string] 1,
    }
    PresenceResult {
        presence "always": BTreeMap<String, ClientInfo> [btree_map = "string, message"] 1,
    }
    PresenceStatsRequest {
        channel: String [string] 1,
    }
    PresenceStatsResult {
        num_clients "always": u32 [uint32] 1,
        num_users "always": u32 [uint32] 2,
    }
    HistoryRequest {
        channel: String [string] 1,
        limit: i32 [int32] 7,
        since: Option<StreamPosition> [message, optional] 8,
        reverse: bool [bool] 9,
    }
    HistoryResult {
        publications "always": Vec<Publication> [message, repeated] 1,
        epoch "always": String [string] 2,
        offset "always": u64 [uint64] 3,
    }
    RpcRequest {
        data: Bytes [bytes = "bytes"] 1,
        method: String [string] 2,
    }
    RpcResult {
        data: Bytes [bytes = "bytes"] 1,
    }
    SendRequest {
        data: Bytes [bytes = "bytes"] 1,
    }
    /// A client joined or left.
    Presence {
        info: Option<ClientInfo> [message, optional] 1,
    }
    UnsubscribePush {
        code: u32 [uint32] 2,
        reason: String [string] 3,
    }
    SubscribePush {
        recoverable: bool [bool] 1,
        epoch: String [string] 4,
        offset: u64 [uint64] 5,
        positioned: bool [bool] 6,
        data: Bytes [bytes = "bytes"] 7,
    }
    DisconnectPush {
        code: u32 [uint32] 1,
        reason: String [string] 2,
    }
    RefreshPush {
        expires: bool [bool] 1,
        ttl: u32 [uint32] 2,
    }
}

impl Publication {
    /// Roughly the bytes that it takes in a reply, in either encoding; seldom less.
    pub fn weight(&self) -> usize {
        const NAMES_AND_SIGNS: usize = 64;
        prost::Message::encoded_len(self) + NAMES_AND_SIGNS
    }
}
