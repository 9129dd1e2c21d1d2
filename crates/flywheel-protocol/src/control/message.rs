#![expect(missing_docs, reason = "a field means what its name says in the API's description")]

use std::collections::BTreeMap;

use bytes::Bytes;

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$about:meta])* $field:ident : $ty:ty [$($kind:tt)*] $tag:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name {
            $($(#[$about])* #[prost($($kind)*, tag = $tag)] pub $field: $ty,)*
        }
    )*};
}

/// What one node tells others. Numbers 2 and 3 were used by old versions of Centrifugo.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Command {
    /// UID of the sender.
    #[prost(string, tag = "1")]
    pub uid: String,
    /// What it says; `None` for something that we do not know.
    #[prost(oneof = "Body", tags = "4, 5, 6, 7, 8, 9, 10, 11, 12")]
    pub body: Option<Body>,
}

/// The content of a [`Command`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Body {
    /// The sender is there; said every three seconds.
    #[prost(message, tag = "4")]
    Node(Node),
    #[prost(message, tag = "5")]
    Unsubscribe(Unsubscribe),
    #[prost(message, tag = "6")]
    Disconnect(Disconnect),
    /// The sender leaves.
    #[prost(message, tag = "7")]
    Shutdown(Shutdown),
    #[prost(message, tag = "8")]
    SurveyRequest(SurveyRequest),
    #[prost(message, tag = "9")]
    SurveyResponse(SurveyResponse),
    #[prost(message, tag = "10")]
    Subscribe(Subscribe),
    #[prost(message, tag = "11")]
    Notification(Notification),
    #[prost(message, tag = "12")]
    Refresh(Refresh),
}

messages! {
    /// What a node says of itself. Uptime in seconds; without `metrics` those of before still hold.
    Node {
        uid: String [string] 1,
        name: String [string] 2,
        version: String [string] 3,
        num_clients: u32 [uint32] 4,
        num_users: u32 [uint32] 5,
        num_channels: u32 [uint32] 6,
        uptime: u32 [uint32] 7,
        metrics: Option<Metrics> [message, optional] 8,
        data: Bytes [bytes = "bytes"] 9,
        num_subs: u32 [uint32] 10,
        view: Option<View> [message, optional] 100,
    }
    /// What a node sees. Flywheel's own.
    View {
        /// UIDs of the nodes that it hears, itself among them when its own messages come back to it.
        hears: Vec<String> [string, repeated] 1,
        /// It is fit to serve.
        ready: bool [bool] 2,
        /// What it sends and receives comes through, as far as it can tell.
        sound: bool [bool] 3,
    }
    /// Numbers of the last `interval` seconds.
    Metrics {
        interval: f64 [double] 1,
        items: BTreeMap<String, f64> [btree_map = "string, double"] 2,
    }
    Shutdown {}
    /// Options are those of the namespace after overrides; Flywheel's nodes go by `overrides` where it is given.
    Subscribe {
        user: String [string] 1,
        channel: String [string] 2,
        presence: bool [bool] 3,
        join_leave: bool [bool] 4,
        expire_at: i64 [int64] 5,
        position: bool [bool] 6,
        recover: bool [bool] 7,
        channel_info: Bytes [bytes = "bytes"] 8,
        client: String [string] 9,
        data: Bytes [bytes = "bytes"] 10,
        recover_since: Option<StreamPosition> [message, optional] 11,
        session: String [string] 12,
        overrides: Option<Overrides> [message, optional] 100,
    }
    /// Replacements of options; what is absent is replaced by nothing. Flywheel's own.
    Overrides {
        presence: Option<bool> [bool, optional] 1,
        join_leave: Option<bool> [bool, optional] 2,
        force_push_join_leave: Option<bool> [bool, optional] 3,
        force_recovery: Option<bool> [bool, optional] 4,
        force_positioning: Option<bool> [bool, optional] 5,
    }
    StreamPosition {
        offset: u64 [uint64] 1,
        epoch: String [string] 2,
    }
    Unsubscribe {
        channel: String [string] 1,
        user: String [string] 2,
        client: String [string] 3,
        session: String [string] 4,
        code: u32 [uint32] 5,
        reason: String [string] 6,
    }
    Disconnect {
        user: String [string] 1,
        whitelist: Vec<String> [string, repeated] 2,
        code: u32 [uint32] 3,
        reason: String [string] 4,
        reconnect: bool [bool] 5,
        client: String [string] 6,
        session: String [string] 7,
    }
    /// A question to all nodes or one.
    SurveyRequest {
        id: u64 [uint64] 1,
        op: String [string] 2,
        data: Bytes [bytes = "bytes"] 3,
    }
    /// The answer; a code other than 0 is an error.
    SurveyResponse {
        id: u64 [uint64] 1,
        code: u32 [uint32] 2,
        data: Bytes [bytes = "bytes"] 3,
    }
    /// A message that nobody answers.
    Notification {
        op: String [string] 1,
        data: Bytes [bytes = "bytes"] 2,
    }
    Refresh {
        user: String [string] 1,
        client: String [string] 2,
        expired: bool [bool] 3,
        expire_at: i64 [int64] 4,
        info: Bytes [bytes = "bytes"] 5,
        session: String [string] 6,
    }
}
