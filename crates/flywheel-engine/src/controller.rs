use crate::{Answer, EngineError};

/// Which nodes a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// Every node, the sender among them.
    All,
    /// The node with this UID.
    Node(&'a str),
}

/// Carries messages from node to node, past everything that happens in channels.
///
/// A message may be lost; one that arrives, arrives once. Whoever sends it and needs an answer sets a deadline.
pub trait Controller: Send + Sync + 'static {
    /// Sends. The answer says that the message was accepted for carrying, not that it arrived.
    fn send(&self, to: Recipient<'_>, message: Vec<u8>) -> Answer<Result<(), EngineError>>;

    /// The node finds that its messages do not come through although they are accepted, or that nothing arrives: whatever
    /// carries them is to be built anew. Called once when that begins, and must return at once.
    fn distrust(&self, reason: &str) {
        let _ = reason;
    }
}

/// Where messages from other nodes, and from this one, arrive.
pub trait ControlSink: Send + Sync + 'static {
    /// Takes a message. Returns at once.
    fn receive(&self, message: &[u8]);
}
