//! Queues what a session says to its client, and counts it.

use flywheel_metrics::ConnectionKind;
use flywheel_protocol::Unsubscribed;
use flywheel_protocol::client::{PushBody, ReplyBody, ServerMessage, Transport};
use flywheel_session::Session;

use super::Sessions;
use crate::Io;
use crate::labels::{frame_type, transport_label};

const UNINTRODUCED: ConnectionKind =
    ConnectionKind { transport: transport_label(Transport::WebSocket), has_name: false, has_version: false };

impl Sessions {
    pub(super) fn send(&mut self, io: &mut Io, slot: u32, message: &ServerMessage) {
        let client = &self.parts.node.metrics().client;
        match message {
            ServerMessage::Push(push) => {
                if let PushBody::Unsubscribe(push) = &push.body {
                    client.server_unsubscribe(push.code);
                    if push.code == Unsubscribed::INSUFFICIENT_STATE.code {
                        self.counters.gap_found();
                        self.counters.gap_given_up();
                    }
                }
            }
            ServerMessage::Reply(reply) => {
                if let ReplyBody::Error(error) = &reply.body {
                    self.counters.reply_error(self.method, error.code);
                }
                if let ReplyBody::Subscribe(result) = &reply.body
                    && result.was_recovering
                {
                    self.counters.recovery(result.recovered, !result.publications.is_empty());
                }
                if let ReplyBody::Connect(_) = &reply.body {
                    self.counters.connection_opened(self.kind(slot));
                }
            }
            ServerMessage::Ping => {}
        }
        self.begin_late(io, slot);
        io.make_room(&mut self.hub.outbox);
        match self.hub.send(slot, message) {
            Ok(length) => self.count_sent(slot, message, length),
            Err(disconnect) => self.with_session(io, slot, |session, turn| session.close(turn, disconnect)),
        }
    }

    pub(super) fn kind(&self, slot: u32) -> ConnectionKind {
        self.hub.get(slot).map_or(UNINTRODUCED, |client| kind(&client.session))
    }

    pub(super) fn count_sent(&mut self, slot: u32, message: &ServerMessage, length: usize) {
        let transport = transport_label(self.transport(slot));
        self.counters.sent(transport, frame_type(message), 1, length as u64);
    }

    pub(super) fn transport(&self, slot: u32) -> Transport {
        self.hub.get(slot).map_or(Transport::WebSocket, |client| client.session.transport())
    }
}

/// How metrics label a connection.
pub(super) fn kind(session: &Session) -> ConnectionKind {
    let (has_name, has_version) = session.introduced();
    ConnectionKind { transport: transport_label(session.transport()), has_name, has_version }
}
