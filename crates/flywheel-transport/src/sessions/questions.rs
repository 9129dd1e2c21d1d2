//! What sessions ask the node, and the answers that come at once or later.

use flywheel_engine::Answer;
use flywheel_hub::ClientKey;
use flywheel_node::{Mail, Undo};
use flywheel_protocol::ErrorCode;
use flywheel_session::{Ask, Context, Outcome};

use super::Sessions;
use crate::Io;

impl Sessions {
    pub(super) fn ask(&mut self, io: &mut Io, slot: u32, context: Context, ask: Ask) {
        let Some(key) = self.hub.get(slot).map(|client| client.key) else {
            return;
        };
        let publishes = matches!(ask, Ask::Publish { .. });
        let (refused, undo) = (Outcome::failed(&ask, ErrorCode::TOO_MANY_REQUESTS.into()), Undo::of(&ask));
        match self.parts.node.ask(ask) {
            Answer::Now(outcome) => {
                if publishes && self.pending.is_empty() {
                    // A publication that this shard delivers comes before the reply to its publisher. Not while effects
                    // are still to be carried out, though: a reply or a change of routes among them comes first.
                    self.receive(io);
                }
                self.with_session(io, slot, |session, turn| session.handle_outcome(turn, context, outcome));
            }
            Answer::Later(future) => {
                if let Some(place) = self.parts.post.reserve() {
                    self.parts.node.tasks().spawn(async move {
                        let outcome = future.await;
                        place.send(Mail::Outcome(key, context, outcome, undo));
                    });
                } else {
                    tracing::warn!("a question was refused: too many wait for an answer");
                    self.with_session(io, slot, |session, turn| {
                        session.handle_outcome(turn, context, refused);
                    });
                }
            }
        }
    }

    pub(super) fn late_outcome(
        &mut self,
        io: &mut Io,
        key: ClientKey,
        context: Context,
        outcome: Outcome,
        undo: Option<Undo>,
    ) {
        if self.hub.is_current(key) {
            self.with_session(io, key.slot, |session, turn| session.handle_outcome(turn, context, outcome));
            self.carry_out(io);
            self.rest(io, key.slot);
            if let Some(Undo::Subscribed(channel, _)) = undo {
                // The session may have ended while the broker subscribed.
                self.parts.node.unsubscribe_unless_routed(&channel);
            }
        } else if let Some(undo) = undo {
            self.parts.node.undo(undo, &outcome);
        }
    }
}
