//! Requests and results of server API, section 2: members as in its tables, in their order.
#![expect(missing_docs, reason = "a member means what its table in the API's description says")]

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::client::{ClientInfo, StreamPosition};
use crate::json::{Nullable, messages};

messages! {
    PublishRequest {
        channel: String,
        data: Bytes,
        b64data: String,
        skip_history: bool,
        tags: BTreeMap<String, String>,
        idempotency_key: String,
        delta: bool,
        version: u64,
        version_epoch: String,
    }
    BroadcastRequest {
        channels: Vec<String>,
        data: Bytes,
        b64data: String,
        skip_history: bool,
        tags: BTreeMap<String, String>,
        idempotency_key: String,
        delta: bool,
        version: u64,
        version_epoch: String,
    }
    /// Where a publication got into a stream.
    PublishResult {
        offset: u64,
        epoch: String,
    }
    BroadcastResult {
        responses: Vec<PublishResponse>,
    }
    /// One channel's part of a broadcast.
    PublishResponse {
        error: Option<Error>,
        result: Option<PublishResult>,
    }
    Error {
        code: u32,
        message: String,
    }
    BoolValue {
        value: bool,
    }
    SubscribeOptionOverride {
        presence: Option<BoolValue>,
        join_leave: Option<BoolValue>,
        force_recovery: Option<BoolValue>,
        force_positioning: Option<BoolValue>,
        force_push_join_leave: Option<BoolValue>,
    }
    SubscribeRequest {
        channel: String,
        user: String,
        expire_at: i64,
        info: Bytes,
        b64info: String,
        client: String,
        data: Bytes,
        b64data: String,
        recover_since: Option<StreamPosition>,
        override_: Option<SubscribeOptionOverride>,
        session: String,
    }
    UnsubscribeRequest {
        channel: String,
        user: String,
        client: String,
        session: String,
    }
    DisconnectObject {
        code: u32,
        reason: String,
    }
    DisconnectRequest {
        user: String,
        disconnect: Option<DisconnectObject>,
        client: String,
        whitelist: Vec<String>,
        session: String,
    }
    RefreshRequest {
        user: String,
        client: String,
        expired: bool,
        expire_at: i64,
        info: Bytes,
        session: String,
    }
    /// A request that names a channel and nothing else.
    ChannelRequest {
        channel: String,
    }
    PresenceResult {
        presence "always": BTreeMap<String, ClientInfo>,
    }
    PresenceStatsResult {
        num_clients "always": u32,
        num_users "always": u32,
    }
    HistoryRequest {
        channel: String,
        limit: i32,
        since: Option<StreamPosition>,
        reverse: bool,
    }
    Publication {
        data: Bytes,
        info: Option<ClientInfo>,
        offset: u64,
        tags: BTreeMap<String, String>,
    }
    HistoryResult {
        publications "always": Vec<Publication>,
        epoch "always": String,
        offset "always": u64,
    }
    ChannelsRequest {
        pattern: String,
    }
    ChannelInfo {
        num_clients: u32,
    }
    ChannelsResult {
        channels "always": BTreeMap<String, ChannelInfo>,
    }
    NodeResult {
        uid "always": String,
        name "always": String,
        version "always": String,
        num_clients "always": u32,
        num_users "always": u32,
        num_channels "always": u32,
        uptime: u32,
        metrics: Option<NodeMetrics>,
        num_subs "always": u32,
    }
    /// Numbers of the last `interval` seconds.
    NodeMetrics {
        interval: f64,
        items: BTreeMap<String, f64>,
    }
    InfoResult {
        nodes: Vec<NodeResult>,
    }
    RpcRequest {
        method: String,
        params: Bytes,
    }
    /// Flywheel's own: sends the node's clients elsewhere, or takes that back.
    DrainRequest {
        undo: bool,
    }
    /// A request or result without members.
    Empty {}
    BatchRequest {
        commands: Vec<Nullable<BatchCommand>>,
        parallel: bool,
    }
    /// One command of a batch: the first member that is set counts.
    BatchCommand {
        publish: Option<PublishRequest>,
        broadcast: Option<BroadcastRequest>,
        subscribe: Option<SubscribeRequest>,
        unsubscribe: Option<UnsubscribeRequest>,
        disconnect: Option<DisconnectRequest>,
        history: Option<HistoryRequest>,
        history_remove: Option<ChannelRequest>,
        presence: Option<ChannelRequest>,
        presence_stats: Option<ChannelRequest>,
        info: Option<Empty>,
        rpc: Option<RpcRequest>,
        refresh: Option<RefreshRequest>,
        channels: Option<ChannelsRequest>,
    }
    /// A command of the single endpoint. `method` is a name or a number.
    LegacyCommand {
        id: u32,
        method: Bytes,
        params: Bytes,
    }
}
