//! Opens what others leave for a shard.

use flywheel_node::Mail;

use super::Sessions;
use super::departure::Departure;
use crate::Io;

impl Sessions {
    pub(super) fn open_mail(&mut self, io: &mut Io) {
        let mut mail = Vec::new();
        self.parts.post.mail.drain(&mut mail);
        self.parts.post.mail.release(mail.len());
        for item in mail {
            match item {
                Mail::Outcome(key, context, outcome, undo) => {
                    self.late_outcome(io, key, context, outcome, undo);
                }
                Mail::Operation(operation, answer) => {
                    self.operate(io, &operation);
                    answer.send(()).unwrap_or_default();
                }
                Mail::Channels(pattern, answer) => {
                    let wanted = |name: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
                    answer.send(self.hub.routing().count(wanted)).unwrap_or_default();
                }
                Mail::Frame(session, frame, answer) => self.emulated(io, session, frame, answer),
                Mail::Flush(answer) => answer.send(()).unwrap_or_default(),
                Mail::Depart(disconnect, spread) => {
                    let hub = &self.hub;
                    let keys = hub.slots().into_iter().filter_map(|slot| Some(hub.get(slot)?.key));
                    self.departure = Some(Departure::new(io.now().at, disconnect, spread, keys));
                }
                Mail::Stay => self.departure = None,
                Mail::Healed(channel, heal, history) => self.healed(io, &channel, heal, history.as_ref()),
                Mail::Gap(channel) => self.hub.heal(io.now(), &self.settings, &channel),
                Mail::Settings(settings) => {
                    self.hub.outbox.set_queue_bytes_max(settings.queue_bytes_max);
                    self.settings = settings;
                }
                Mail::Shutdown(disconnect, patience, answer) => {
                    self.shut_down(io, disconnect, patience, answer);
                }
            }
            self.carry_out(io);
        }
    }
}
