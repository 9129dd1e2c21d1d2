//! Does on a shard what the server API asks for.

use flywheel_node::Operation;
use flywheel_protocol::Unsubscribed;

use super::Sessions;
use crate::Io;

impl Sessions {
    /// Does what the server API wants with every client that is meant.
    pub(super) fn operate(&mut self, io: &mut Io, operation: &Operation) {
        let (Operation::Subscribe(wanted, ..)
        | Operation::Unsubscribe(wanted, _)
        | Operation::Disconnect(wanted, ..)
        | Operation::Refresh(wanted, ..)) = operation;
        for slot in self.hub.find(wanted) {
            self.with_session(io, slot, |session, turn| match operation {
                Operation::Subscribe(_, channel, request) => {
                    session.subscribe_by_server(turn, channel, (**request).clone());
                }
                Operation::Unsubscribe(_, channel) => {
                    session.unsubscribe_by_server(turn, channel.as_str(), Unsubscribed::BY_SERVER);
                }
                Operation::Disconnect(_, disconnect, kept) => {
                    if !kept.contains(&session.client().to_string()) {
                        session.close(turn, disconnect.clone());
                    }
                }
                Operation::Refresh(_, expire_at, info) => {
                    session.refresh_by_server(turn, *expire_at, info.clone());
                }
            });
            self.carry_out(io);
            self.rest(io, slot);
        }
    }
}
