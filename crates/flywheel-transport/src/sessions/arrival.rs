//! Lets clients in.

use flywheel_hub::ClientKey;
use flywheel_model::{ClientId, SessionId};
use flywheel_session::{Greeting, Session, Turn};

use super::Sessions;
use super::commands::connect;
use crate::Io;
use crate::welcome::{First, Welcome};

impl Sessions {
    /// Makes a session for a connection that is open now, and hears what came with its first request.
    pub(super) fn let_in(&mut self, io: &mut Io, key: ClientKey, context: Welcome) {
        let random = &self.parts.random;
        let shard = u8::try_from(self.parts.shard).unwrap_or(u8::MAX);
        let greeting = Greeting {
            client: ClientId::from_random(random.next_u128()),
            session: SessionId::from_random_in(random.next_u128(), shard),
            encoding: context.encoding,
            transport: context.transport,
            headers: context.headers,
            app_pings: context.app_pings,
            random: random.next_u64(),
            trusted_user: context.trusted_user,
        };
        let turn = Turn { now: io.now(), settings: &self.settings, queued: 0, effects: &mut self.scratch };
        let session = Session::new(greeting, &turn);
        if context.transport.is_emulated() {
            self.emulation.opened(session.session_id(), key.slot);
        }
        let chunked = context.response.as_ref().is_some_and(|response| response.chunked);
        self.hub.insert(key, session, chunked);
        if let Some(deflate) = context.deflate {
            self.hub.compress(key.slot, deflate);
        }
        self.take_seat(io, key.slot, context.pass, context.farewell, context.response);
        let departing = self.departure.as_ref().filter(|_| self.parts.node.refuses_clients());
        let departing = departing.map(|departure| departure.disconnect.clone());
        let stopping = self.stopping.as_ref().map(|stopping| stopping.disconnect.clone());
        if let Some(disconnect) = stopping.or(departing) {
            self.with_session(io, key.slot, |session, turn| session.close(turn, disconnect));
            self.carry_out(io);
        }
        match context.first {
            First::Nothing => self.hub.schedule(key.slot, io.now(), &self.settings),
            First::Frame(frame) => self.heard(io, key.slot, &frame),
            First::Connect(request) => {
                self.command(io, key.slot, connect(request));
                self.rest(io, key.slot);
            }
        }
    }
}
