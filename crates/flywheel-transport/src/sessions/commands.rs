//! What clients say.

use flywheel_metrics::Method;
use flywheel_protocol::client::{
    Command, ConnectRequest, Request as CommandRequest, Transport, commands, connect_request,
};
use flywheel_session::Session;

use super::Sessions;
use crate::Io;
use crate::labels::{method, transport_label};

impl Sessions {
    /// Hears a message of a client, which may hold several commands.
    pub(super) fn heard(&mut self, io: &mut Io, slot: u32, payload: &[u8]) {
        let Some(client) = self.hub.get(slot) else {
            return;
        };
        let encoding = client.session.encoding();
        if client.session.transport() == Transport::UniWebSocket {
            if client.session.awaits_connect() {
                self.only_message(io, slot, payload);
            }
            return;
        }
        for command in commands(payload, encoding) {
            match command {
                Ok(command) => {
                    let transport = transport_label(self.transport(slot));
                    self.counters.received(transport, method(&command.request).into(), 0);
                    self.command(io, slot, command);
                }
                Err(malformed) => {
                    self.explain_malformed(slot, &malformed);
                    self.with_session(io, slot, Session::handle_malformed);
                    self.carry_out(io);
                }
            }
        }
        self.rest(io, slot);
    }

    /// The first message of a client that says nothing else.
    fn only_message(&mut self, io: &mut Io, slot: u32, payload: &[u8]) {
        match connect_request(payload) {
            Ok(request) => self.command(io, slot, connect(Box::new(request))),
            Err(malformed) => {
                self.explain_malformed(slot, &malformed);
                if let Some(seat) = self.seats.get_mut(slot as usize).and_then(Option::as_mut) {
                    // Nothing has been said yet: the close frame says it all.
                    seat.farewell.push = false;
                }
                self.with_session(io, slot, Session::handle_malformed);
                self.carry_out(io);
            }
        }
        self.rest(io, slot);
    }

    pub(super) fn count_pong(&mut self, slot: u32) {
        if let Some(took) = self.hub.get_mut(slot).and_then(|client| client.session.take_pong()) {
            self.counters.pong(transport_label(self.transport(slot)), took);
        }
    }

    pub(super) fn command(&mut self, io: &mut Io, slot: u32, command: Command) {
        let method = method(&command.request);
        self.method = method;
        let started = self.parts.node.clock().elapsed();
        self.with_session(io, slot, |session, turn| session.handle_command(turn, command));
        self.carry_out(io);
        self.method = Method::Unknown;
        self.count_pong(slot);
        self.counters.command(method, self.parts.node.clock().elapsed().saturating_sub(started));
    }
}

/// The connect request of a client that says nothing else, as a command.
pub(super) fn connect(request: Box<ConnectRequest>) -> Command {
    Command { id: 1, request: CommandRequest::Connect(request) }
}
