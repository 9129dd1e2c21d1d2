use flywheel_model::SessionId;
use flywheel_protocol::client::{EmulatedFrame, Emulation};
use tokio::sync::oneshot;

use crate::node::DEADLINE;
use crate::{Mail, Node};

/// Why a frame that came in a request of its own did not reach its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEmulated {
    /// No node has this id.
    #[error("there is no such node")]
    UnknownNode,
    /// The connection has too many frames waiting, or its shard or its node did not answer in time.
    #[error("the connection does not take the frame")]
    Failed,
}

impl Node {
    /// Hands a frame to the connection it is for, wherever that is, and waits until it is dealt with. A session that does
    /// not exist is no error: the client finds out through its stream.
    ///
    /// # Errors
    /// [`NotEmulated`].
    ///
    /// Source: client protocol, section 8.3.
    pub async fn emulate(&self, request: Emulation) -> Result<(), NotEmulated> {
        if request.node != self.parts.uid {
            return self.emulate_elsewhere(request).await;
        }
        match request.frame {
            Some(frame) => self.emulate_here(&request.session, EmulatedFrame::Direct(frame)).await,
            None => Ok(()),
        }
    }

    /// The same for a frame whose connection is at this node, if it is anywhere.
    ///
    /// # Errors
    /// [`NotEmulated::Failed`].
    pub async fn emulate_here(&self, session: &str, frame: EmulatedFrame) -> Result<(), NotEmulated> {
        let Some(session) = SessionId::parse(session) else {
            return Ok(());
        };
        let Some(post) = self.posts().get(usize::from(session.shard())) else {
            return Ok(());
        };
        let (answer, answered) = oneshot::channel();
        post.send(Mail::Frame(session, frame, answer));
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(NotEmulated::Failed),
        }
    }

    /// The connection is at another node.
    async fn emulate_elsewhere(&self, request: Emulation) -> Result<(), NotEmulated> {
        if !self.cluster.knows(&request.node) {
            return Err(NotEmulated::UnknownNode);
        }
        if request.frame.is_none() {
            return Ok(());
        }
        match self.relay(&request.node, request.relayed().into()).await {
            Ok(()) => Ok(()),
            Err(_) if !self.cluster.knows(&request.node) => Err(NotEmulated::UnknownNode),
            Err(error) => {
                tracing::warn!(%error, node = request.node, "a client's frame did not reach its node");
                Err(NotEmulated::Failed)
            }
        }
    }
}
