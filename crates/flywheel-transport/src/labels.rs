//! How messages are labelled in metrics.

use flywheel_metrics::{FrameType, MessageType, Method};
use flywheel_model::ChannelEventKind;
use flywheel_protocol::client::Transport;
use flywheel_protocol::client::{PushBody, ReplyBody, Request, ServerMessage};

/// The kind of a message, as metrics label it.
pub(crate) fn frame_type(message: &ServerMessage) -> FrameType {
    match message {
        ServerMessage::Ping => FrameType::ServerPing,
        ServerMessage::Reply(reply) => match reply.body {
            ReplyBody::Error(_) => FrameType::Unknown,
            ReplyBody::Connect(_) => FrameType::Connect,
            ReplyBody::Subscribe(_) => FrameType::Subscribe,
            ReplyBody::Unsubscribe(_) => FrameType::Unsubscribe,
            ReplyBody::Publish(_) => FrameType::Publish,
            ReplyBody::Presence(_) => FrameType::Presence,
            ReplyBody::PresenceStats(_) => FrameType::PresenceStats,
            ReplyBody::History(_) => FrameType::History,
            ReplyBody::Rpc(_) => FrameType::Rpc,
            ReplyBody::Refresh(_) => FrameType::Refresh,
            ReplyBody::SubRefresh(_) => FrameType::SubRefresh,
        },
        ServerMessage::Push(push) => match push.body {
            PushBody::Publication(_) => FrameType::PushPublication,
            PushBody::Join(_) => FrameType::PushJoin,
            PushBody::Leave(_) => FrameType::PushLeave,
            PushBody::Unsubscribe(_) => FrameType::PushUnsubscribe,
            PushBody::Subscribe(_) => FrameType::PushSubscribe,
            PushBody::Disconnect(_) => FrameType::PushDisconnect,
            PushBody::Refresh(_) => FrameType::PushRefresh,
        },
    }
}

/// The kind of a channel's event, as metrics label it.
pub(crate) fn event_labels(event: &ChannelEventKind) -> (MessageType, FrameType) {
    match event {
        ChannelEventKind::Publication(..) => (MessageType::Publication, FrameType::PushPublication),
        ChannelEventKind::Join(_) => (MessageType::Join, FrameType::PushJoin),
        ChannelEventKind::Leave(_) => (MessageType::Leave, FrameType::PushLeave),
    }
}

/// The kind of a command, as metrics label it.
pub(crate) fn method(request: &Request) -> Method {
    match request {
        Request::Connect(_) => Method::Connect,
        Request::Subscribe(_) => Method::Subscribe,
        Request::Unsubscribe(_) => Method::Unsubscribe,
        Request::Publish(_) => Method::Publish,
        Request::Presence(_) => Method::Presence,
        Request::PresenceStats(_) => Method::PresenceStats,
        Request::History(_) => Method::History,
        Request::Rpc(_) => Method::Rpc,
        Request::Send(_) => Method::Send,
        Request::Refresh(_) => Method::Refresh,
        Request::SubRefresh(_) => Method::SubRefresh,
        Request::Pong | Request::Unknown => Method::Unknown,
    }
}

/// What carries a connection, as metrics label it.
pub(crate) const fn transport_label(transport: Transport) -> flywheel_metrics::Transport {
    use flywheel_metrics::Transport as Label;
    match transport {
        Transport::WebSocket => Label::WebSocket,
        Transport::Sse => Label::Sse,
        Transport::HttpStream => Label::HttpStream,
        Transport::UniWebSocket => Label::UniWebSocket,
        Transport::UniSse => Label::UniSse,
        Transport::UniHttpStream => Label::UniHttpStream,
    }
}
