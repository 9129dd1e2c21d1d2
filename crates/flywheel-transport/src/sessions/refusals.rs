//! Why clients were refused, for the log: they are told no more than a code.

use flywheel_model::ClientId;
use flywheel_protocol::client::Malformed;
use flywheel_session::Refusal;

use super::Sessions;

impl Sessions {
    /// A command could be read, and is wrong all the same.
    pub(super) fn explain(&self, slot: u32, Refusal { channel, fault }: &Refusal) {
        tracing::info!(client = ?self.named(slot), channel, error = %fault, "a client's command was refused");
    }

    /// Something came that is no command.
    pub(super) fn explain_malformed(&self, slot: u32, malformed: &Malformed) {
        tracing::info!(client = ?self.named(slot), error = %malformed, "a client sent what cannot be read");
    }

    fn named(&self, slot: u32) -> Option<ClientId> {
        self.hub.get(slot).map(|client| client.session.client())
    }
}
