//! Reads what a channel's subscribers lack, and hands it to them.

use flywheel_engine::Answer;
use flywheel_hub::{HealId, HealRead};
use flywheel_metrics::{FrameType, Transport};
use flywheel_model::Channel;
use flywheel_node::Mail;
use flywheel_session::{Ask, Outcome};
use flywheel_stream::History;

use super::Sessions;
use crate::Io;

/// Streams that are read in one turn, so that sockets and timers have theirs.
const READS_PER_TURN: usize = 1024;

impl Sessions {
    /// Asks what the healings under way want to know, and gives up those that take too long.
    pub(super) fn heal(&mut self, io: &mut Io) {
        let mut effects = Vec::new();
        self.hub.expire_heals(io.now(), &self.settings, &mut effects);
        for channel in self.parts.post.take_gapped() {
            self.hub.heal(io.now(), &self.settings, &channel);
        }
        self.pending.extend(effects);
        self.carry_out(io);
        for _ in 0..READS_PER_TURN {
            let Some(HealRead { heal, channel, query }) = self.hub.poll_heal(io.now()) else {
                return;
            };
            match self.parts.node.ask(Ask::History(channel.clone(), query)) {
                Answer::Now(outcome) => self.healed(io, &channel, heal, history(outcome).as_ref()),
                Answer::Later(future) => match self.parts.post.reserve() {
                    Some(place) => self.parts.node.tasks().spawn(async move {
                        place.send(Mail::Healed(channel, heal, history(future.await)));
                    }),
                    None => self.healed(io, &channel, heal, None),
                },
            }
        }
    }

    pub(super) fn healed(&mut self, io: &mut Io, channel: &Channel, heal: HealId, history: Option<&History>) {
        let mut effects = Vec::new();
        let healed = self.hub.healed(io.now(), &self.settings, channel, heal, history, &mut effects);
        self.counters.sent(
            Transport::WebSocket,
            FrameType::PushPublication,
            healed.delivered.messages,
            healed.delivered.bytes,
        );
        self.counters.filtered(healed.delivered.filtered);
        for _ in 0..healed.subscriptions {
            self.counters.gap_found();
            self.counters.gap_healed();
        }
        if healed.subscriptions > 0 {
            tracing::debug!(%channel, subscriptions = healed.subscriptions, "a gap was closed");
        }
        self.pending.extend(effects);
        self.carry_out(io);
        io.make_room(&mut self.hub.outbox);
    }
}

fn history(outcome: Outcome) -> Option<History> {
    match outcome {
        Outcome::History(history) => history.ok(),
        _ => None,
    }
}
