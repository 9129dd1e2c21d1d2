//! Frames of clients whose connections are at another node than their requests.

use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use flywheel_engine::Recipient;
use flywheel_protocol::client::{EmulatedFrame, EmulationRequest};
use flywheel_protocol::control::{Body, SurveyRequest};
use prost::Message;
use tokio::sync::Semaphore;

use super::SurveyError;
use super::receive::{BAD_QUESTION, FAILED};
use crate::Node;
use crate::node::DEADLINE;

/// The question that carries a frame, as Centrifugo names it.
pub(super) const EMULATION: &str = "centrifuge_emulation";
/// Frames of other nodes that are worked on here; more are not answered. Each is as long as a request may be.
pub(super) const ARRIVING_MAX: usize = 4096;
/// Frames on their way to other nodes; more wait, in the order in which they came. So many that connections which take
/// no commands for now do not keep those of others waiting: of each, 16 frames wait at most.
const LEAVING_MAX: usize = 1024;

/// Frames on their way.
#[derive(Debug)]
pub(super) struct Relays {
    leaving: Semaphore,
    /// How many of other nodes are being worked on.
    pub(super) arriving: AtomicUsize,
}

impl Default for Relays {
    fn default() -> Self {
        Self { leaving: Semaphore::new(LEAVING_MAX), arriving: AtomicUsize::new(0) }
    }
}

impl Node {
    /// Hands a frame to the node that has its connection, and waits until it is dealt with there.
    ///
    /// # Errors
    /// [`SurveyError`]. A frame may have been dealt with although its node did not answer in time.
    pub(crate) async fn relay(&self, uid: &str, data: Bytes) -> Result<(), SurveyError> {
        let late = || SurveyError::Partial(vec![uid.to_owned()]);
        let relayed = async {
            // Never closed.
            let _place = self.cluster.relays.leaving.acquire().await.map_err(|_| SurveyError::Unavailable)?;
            let mut asked = self.cluster.surveys.begin_relay(uid);
            let request = SurveyRequest { id: asked.id, op: EMULATION.to_owned(), data };
            let sent = self.tell_nodes(Recipient::Node(uid), Body::SurveyRequest(request)).await;
            sent.map_err(|error| SurveyError::NotSent(error.0))?;
            let answers = (&mut asked.answers).await.map_err(|_| late())??;
            // A node that left meanwhile is no longer waited for.
            if answers.contains_key(uid) { Ok(()) } else { Err(late()) }
        };
        tokio::time::timeout(DEADLINE, relayed).await.unwrap_or_else(|_| Err(late()))
    }

    /// A frame that another node got.
    pub(super) async fn emulate_for_other(&self, data: Bytes) -> Result<Bytes, u32> {
        let EmulationRequest { session, data, .. } =
            EmulationRequest::decode(data).map_err(|_| BAD_QUESTION)?;
        let done = self.emulate_here(&session, EmulatedFrame::Relayed(data)).await;
        done.map(|()| Bytes::new()).map_err(|_| FAILED)
    }
}
