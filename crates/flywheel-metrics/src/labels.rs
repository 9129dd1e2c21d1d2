macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("Label value `", $text, "`.")] $variant,)+
        }

        impl $name {
            /// Every value, in the order of their indexes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The value as it stands in the label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

labels! {
    /// How a client is connected.
    Transport {
        WebSocket => "websocket",
        Sse => "sse",
        HttpStream => "http_stream",
        UniWebSocket => "uni_websocket",
        UniSse => "uni_sse",
        UniHttpStream => "uni_http_stream",
        UniGrpc => "uni_grpc",
    }
}

labels! {
    /// What a client's command asks for. `Unknown` is a command without a known request.
    Method {
        Connect => "connect",
        Subscribe => "subscribe",
        Unsubscribe => "unsubscribe",
        Publish => "publish",
        Presence => "presence",
        PresenceStats => "presence_stats",
        History => "history",
        Send => "send",
        Rpc => "rpc",
        Refresh => "refresh",
        SubRefresh => "sub_refresh",
        Unknown => "unknown",
    }
}

labels! {
    /// What a message of the client protocol is. A reply has the type of its command.
    FrameType {
        Connect => "connect",
        Subscribe => "subscribe",
        Unsubscribe => "unsubscribe",
        Publish => "publish",
        Presence => "presence",
        PresenceStats => "presence_stats",
        History => "history",
        Send => "send",
        Rpc => "rpc",
        Refresh => "refresh",
        SubRefresh => "sub_refresh",
        Unknown => "unknown",
        PushPublication => "push_publication",
        PushJoin => "push_join",
        PushLeave => "push_leave",
        PushSubscribe => "push_subscribe",
        PushUnsubscribe => "push_unsubscribe",
        PushMessage => "push_message",
        PushConnect => "push_connect",
        PushRefresh => "push_refresh",
        PushDisconnect => "push_disconnect",
        ServerPing => "server_ping",
        ClientPong => "client_pong",
    }
}

impl From<Method> for FrameType {
    fn from(method: Method) -> Self {
        match method {
            Method::Connect => Self::Connect,
            Method::Subscribe => Self::Subscribe,
            Method::Unsubscribe => Self::Unsubscribe,
            Method::Publish => Self::Publish,
            Method::Presence => Self::Presence,
            Method::PresenceStats => Self::PresenceStats,
            Method::History => Self::History,
            Method::Send => Self::Send,
            Method::Rpc => Self::Rpc,
            Method::Refresh => Self::Refresh,
            Method::SubRefresh => Self::SubRefresh,
            Method::Unknown => Self::Unknown,
        }
    }
}

labels! {
    /// What nodes and brokers exchange.
    MessageType {
        Publication => "publication",
        Join => "join",
        Leave => "leave",
        Control => "control",
        MapPublication => "map_publication",
    }
}

labels! {
    /// What a node did for its clients and callers.
    Action {
        AddClient => "add_client",
        RemoveClient => "remove_client",
        AddSubscription => "add_subscription",
        RemoveSubscription => "remove_subscription",
        BrokerSubscribe => "broker_subscribe",
        BrokerUnsubscribe => "broker_unsubscribe",
        History => "history",
        HistoryRecover => "history_recover",
        HistoryRemove => "history_remove",
        HistoryStreamTop => "history_stream_top",
        Presence => "presence",
        PresenceStats => "presence_stats",
        AddPresence => "add_presence",
        RemovePresence => "remove_presence",
        Survey => "survey",
    }
}

labels! {
    /// Why a publication was taken for a repetition.
    SuppressReason {
        Version => "version",
        Idempotency => "idempotency",
    }
}

labels! {
    /// How a call of the server API came in.
    ApiProtocol {
        Http => "http",
        Grpc => "grpc",
        Consuming => "consuming",
    }
}

labels! {
    /// A method of the server API. `BroadcastPublish` is one publication of a broadcast and has errors only; `Batch`
    /// has errors of the request as a whole only; `Unknown` is a call of no known method.
    ApiMethod {
        Publish => "publish",
        Broadcast => "broadcast",
        BroadcastPublish => "broadcast_publish",
        Subscribe => "subscribe",
        Unsubscribe => "unsubscribe",
        Disconnect => "disconnect",
        Refresh => "refresh",
        Presence => "presence",
        PresenceStats => "presence_stats",
        History => "history",
        HistoryRemove => "history_remove",
        Channels => "channels",
        Info => "info",
        Rpc => "rpc",
        Batch => "batch",
        Drain => "drain",
        Unknown => "unknown",
    }
}

labels! {
    /// How a backend is called.
    ProxyProtocol {
        Http => "http",
        Grpc => "grpc",
    }
}

labels! {
    /// What a backend is asked about.
    ProxyEvent {
        Connect => "connect",
        Refresh => "refresh",
        Subscribe => "subscribe",
        Publish => "publish",
        Rpc => "rpc",
        SubRefresh => "sub_refresh",
    }
}

labels! {
    /// What became of a request to read the configuration again.
    ReloadOutcome {
        Applied => "applied",
        Refused => "refused",
    }
}

/// The value of `channel_namespace` and `accept_protocol`, which the open-source edition of the reference leaves empty.
pub(crate) const EMPTY: &str = "";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_finds_its_value() {
        for (index, frame_type) in FrameType::ALL.iter().enumerate() {
            assert_eq!(*frame_type as usize, index);
        }
    }

    #[test]
    fn a_reply_is_labelled_as_its_command() {
        for method in Method::ALL {
            assert_eq!(FrameType::from(*method).as_str(), method.as_str());
        }
    }
}
