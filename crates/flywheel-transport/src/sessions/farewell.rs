//! How a connection is told that it ends.

use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{DisconnectPush, PushBody, ServerMessage, Transport};

use super::Sessions;
use crate::Io;
use crate::labels::transport_label;
use crate::response::write_closing;

impl Sessions {
    /// Ends a connection; `rejected` is the code of the error because of which, if its connect request failed.
    pub(super) fn close(&mut self, io: &mut Io, slot: u32, disconnect: &Disconnect, rejected: Option<u32>) {
        self.parts.node.metrics().client.server_disconnect(disconnect.code);
        if disconnect.code == Disconnect::CONNECTION_CLOSED.code {
            return io.drop_connection(slot);
        }
        if *disconnect == Disconnect::INSUFFICIENT_STATE {
            self.counters.gap_found();
            self.counters.gap_given_up();
        }
        if *disconnect == Disconnect::SLOW {
            self.counters.slow_consumer();
            tracing::debug!(slot, "a client reads too slowly");
            // Anything in the middle of a message that is half written would be garbage.
            if self.hub.outbox.is_blocked(slot) {
                return io.drop_connection(slot);
            }
            self.hub.outbox.discard(slot);
        }
        let transport = self.transport(slot);
        self.parts.node.metrics().transport.closed(transport_label(transport), disconnect.code);
        let seat = self.seats.get_mut(slot as usize).and_then(Option::as_mut);
        let (farewell, late) = match seat {
            Some(seat) => (seat.farewell, seat.late.take()),
            None => Default::default(),
        };
        if let Some(late) = late {
            let code = rejected.unwrap_or(disconnect.code);
            let (status, body) = late.statuses.of(code);
            let span = self.hub.outbox.append(|arena| write_closing(arena, status, &late.cors, body));
            if self.hub.outbox.push(slot, span).is_err() {
                return io.drop_connection(slot);
            }
            return io.close_response(&mut self.hub.outbox, slot, false);
        }
        let pushes = match transport {
            Transport::WebSocket => false,
            Transport::UniWebSocket => farewell.push,
            _ => true,
        };
        if pushes && !self.push_disconnect(slot, disconnect) {
            return io.drop_connection(slot);
        }
        if transport.is_websocket() {
            if farewell.close_frame {
                io.close(&mut self.hub.outbox, slot, disconnect.code, &disconnect.reason);
            } else {
                io.close_response(&mut self.hub.outbox, slot, false);
            }
        } else {
            let form = self.hub.get(slot).map(flywheel_hub::Client::form);
            let span = self.hub.outbox.append(|arena| {
                if let Some(form) = form {
                    form.write_end(arena);
                }
            });
            if self.hub.outbox.push(slot, span).is_err() {
                return io.drop_connection(slot);
            }
            io.close_response(&mut self.hub.outbox, slot, true);
        }
    }

    /// Queues the push that tells the client why; answers whether there was room.
    fn push_disconnect(&mut self, slot: u32, disconnect: &Disconnect) -> bool {
        let push = DisconnectPush { code: disconnect.code, reason: disconnect.reason.clone().into_owned() };
        let message = ServerMessage::push("", PushBody::Disconnect(push));
        let sent = self.hub.send(slot, &message);
        if let Ok(length) = sent {
            self.count_sent(slot, &message, length);
        }
        sent.is_ok()
    }
}
