//! What this node sends.

use std::collections::BTreeSet;

use bytes::Bytes;
use flywheel_engine::Recipient;
use flywheel_metrics::MessageType;
use flywheel_protocol::control::{self, Body, Command, Notification, SurveyRequest};

use super::surveys::Answers;
use super::{NotificationHandler, SEND_DEADLINE, SurveyError, SurveyHandler, translate};
use crate::Node;
use crate::node::DEADLINE;

/// A message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message to other nodes could not be sent: {0}")]
pub struct NotSent(pub String);

impl Node {
    /// Sends a message to other nodes. Without others to send to, nothing happens.
    pub(crate) async fn tell_nodes(&self, to: Recipient<'_>, body: Body) -> Result<(), NotSent> {
        let Some(control) = &self.cluster.control else {
            return Ok(());
        };
        let message = Command::of(&self.parts.uid, body).to_bytes();
        self.parts.metrics.node.message_sent(MessageType::Control);
        match tokio::time::timeout(SEND_DEADLINE, control.controller.send(to, message).wait()).await {
            Ok(sent) => sent.map_err(|error| NotSent(error.to_string())),
            Err(_) => Err(NotSent(format!("no answer within {} s", SEND_DEADLINE.as_secs()))),
        }
    }

    /// What this node says of itself. Metrics are told when they are new, or to a node that knows none.
    pub(super) fn ping(&self, with_metrics: bool) -> Body {
        let now = self.clock().now().at;
        let mut info = self.own_info();
        info.metrics = info.metrics.filter(|_| with_metrics);
        let (hears, sound) = {
            let view = self.cluster.view.lock();
            (view.hears(now), view.soundness(now) == flywheel_membership::Soundness::Sound)
        };
        let view = control::View { hears, ready: self.health().readiness.fit, sound };
        Body::Node(translate::node(info, view))
    }

    /// Asks the other nodes, or one of them, and waits for all answers: by UID, without one of this node.
    ///
    /// # Errors
    /// [`SurveyError`]; there are no partial answers. A node that leaves meanwhile is not waited for.
    pub async fn survey(
        &self,
        op: &str,
        data: Bytes,
        only: Option<&str>,
    ) -> Result<std::collections::BTreeMap<String, Bytes>, SurveyError> {
        let nodes: BTreeSet<String> = match only {
            Some(uid) => [uid.to_owned()].into(),
            None => self.cluster.view.lock().peers().map(|(uid, _)| uid.to_owned()).collect(),
        };
        if nodes.is_empty() {
            return Ok(Answers::new());
        }
        if self.cluster.control.is_none() {
            return Err(SurveyError::Unavailable);
        }
        let mut asked = self.cluster.surveys.begin(nodes)?;
        let request = SurveyRequest { id: asked.id, op: op.to_owned(), data };
        let to = only.map_or(Recipient::All, Recipient::Node);
        let sent = self.tell_nodes(to, Body::SurveyRequest(request)).await;
        sent.map_err(|error| SurveyError::NotSent(error.0))?;
        match tokio::time::timeout(DEADLINE, &mut asked.answers).await {
            Ok(Ok(answers)) => answers,
            _ => Err(asked.given_up()),
        }
    }

    /// Asks one node, which may be this one, and waits for its answer.
    ///
    /// # Errors
    /// [`SurveyError`]; code 3 from a node that does not know the question.
    pub async fn ask_node(&self, uid: &str, op: &str, data: Bytes) -> Result<Bytes, SurveyError> {
        let refused = |code| SurveyError::Refused { uid: uid.to_owned(), code };
        if uid == self.parts.uid {
            let handler = self.cluster.questions.read().get(op).cloned();
            let answer = handler.ok_or_else(|| refused(super::receive::UNKNOWN_OP))?(data);
            return match tokio::time::timeout(DEADLINE, answer.wait()).await {
                Ok(answer) => answer.map_err(refused),
                Err(_) => Err(SurveyError::Partial(vec![uid.to_owned()])),
            };
        }
        let mut answers = self.survey(op, data, Some(uid)).await?;
        answers.remove(uid).ok_or_else(|| SurveyError::Partial(vec![uid.to_owned()]))
    }

    /// Sends one node, which may be this one, a message that it does not answer.
    ///
    /// # Errors
    /// [`NotSent`]. That it was sent does not mean that it arrives.
    pub async fn send_to_node(&self, uid: &str, op: &str, data: Bytes) -> Result<(), NotSent> {
        if uid == self.parts.uid {
            self.notified(uid, op, data);
            return Ok(());
        }
        if self.cluster.control.is_none() {
            return Err(NotSent("this node is alone".to_owned()));
        }
        let body = Body::Notification(Notification { op: op.to_owned(), data });
        self.tell_nodes(Recipient::Node(uid), body).await
    }

    /// Answers questions of this name from now on. Names without a prefix are Centrifugo's.
    pub fn answer_surveys(&self, op: &str, handler: SurveyHandler) {
        self.cluster.questions.write().insert(op.to_owned(), handler);
    }

    /// Takes messages of this name from now on, sent with [`send_to_node`](Self::send_to_node).
    pub fn receive_notifications(&self, op: &str, handler: NotificationHandler) {
        self.cluster.notifications.write().insert(op.to_owned(), handler);
    }

    pub(super) fn notified(&self, from: &str, op: &str, data: Bytes) {
        let handler = self.cluster.notifications.read().get(op).cloned();
        if let Some(handler) = handler {
            handler(from, data);
        } else {
            tracing::debug!(from, op, "a notification that nobody waits for");
        }
    }
}
