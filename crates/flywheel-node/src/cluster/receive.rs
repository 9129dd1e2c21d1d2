//! What other nodes say.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use flywheel_engine::Recipient;
use flywheel_metrics::{Ignored, MessageType};
use flywheel_protocol::control::{
    self, Body, ChannelCount, ChannelCounts, ChannelsQuery, Command, SurveyRequest, SurveyResponse,
};
use prost::Message;
use tokio::sync::oneshot;

use super::relay::{ARRIVING_MAX, EMULATION};
use super::{said, translate};
use crate::node::DEADLINE;
use crate::{Mail, Node};

/// Questions of others that are answered at a time; more are refused.
const ANSWERING_MAX: usize = 64;
/// Codes of Centrifugo's answers.
pub(super) const FAILED: u32 = 1;
pub(super) const BAD_QUESTION: u32 = 2;
pub(super) const UNKNOWN_OP: u32 = 3;

impl Node {
    /// Takes one message.
    pub(super) fn receive(self: &Arc<Self>, message: &[u8]) {
        self.parts.metrics.node.message_received(MessageType::Control);
        let (uid, body) = match Command::read(message) {
            Ok(read) => read,
            Err(error) => {
                self.parts.metrics.cluster.message_ignored(Ignored::Undecodable);
                return tracing::debug!(%error, "a message of another node was ignored");
            }
        };
        let own = uid == self.parts.uid;
        match body {
            Body::Node(_) if own => self.cluster.view.lock().handle_echo(self.clock().now().at),
            _ if own => {}
            Body::Node(node) => self.heard(&uid, node),
            Body::Shutdown(_) => {
                if self.cluster.view.lock().handle_leave(&uid) {
                    tracing::info!(uid, "a node left");
                    self.cluster.surveys.gone(&uid);
                    self.count_nodes();
                }
            }
            Body::SurveyRequest(request) => self.answer_later(uid, request),
            Body::SurveyResponse(response) => self.cluster.surveys.answered(&uid, response),
            Body::Notification(notification) => {
                self.notified(&uid, &notification.op, notification.data);
            }
            body => self.operate_for_others(body),
        }
    }

    fn heard(self: &Arc<Self>, uid: &str, mut node: control::Node) {
        if node.uid != uid {
            self.parts.metrics.cluster.message_ignored(Ignored::Undecodable);
            return;
        }
        let said = node.view.take().map(said);
        let mut info = translate::info(node);
        let (name, now) = (info.name.clone(), self.clock().now().at);
        let first = {
            let mut view = self.cluster.view.lock();
            // Metrics are told only when there are new ones.
            info.metrics = info.metrics.or_else(|| view.peer(uid)?.metrics.clone());
            view.handle_ping(now, uid, info, said)
        };
        if first {
            tracing::info!(uid, name, "a node joined");
            self.count_nodes();
            let (node, uid) = (Arc::clone(self), uid.to_owned());
            self.parts.tasks.spawn(async move {
                let greeting = node.ping(true);
                if let Err(error) = node.tell_nodes(Recipient::Node(&uid), greeting).await {
                    tracing::debug!(%error, uid, "a node could not be greeted");
                }
            });
        }
    }

    pub(crate) fn count_nodes(&self) {
        self.parts.metrics.node.set_nodes(self.cluster.view.lock().nodes());
    }

    /// Nobody waits for the outcome.
    fn operate_for_others(&self, body: Body) {
        if let Some(operation) = translate::operation(body) {
            for post in self.posts() {
                let (answer, _) = oneshot::channel();
                post.send(Mail::Operation(operation.clone(), answer));
            }
        }
    }

    fn answer_later(self: &Arc<Self>, uid: String, request: SurveyRequest) {
        let node = Arc::clone(self);
        let SurveyRequest { id, op, data } = request;
        let is_relay = op == EMULATION;
        let counted = move |node: &Node| {
            let answering = if is_relay { &node.cluster.relays.arriving } else { &node.cluster.answering };
            answering.fetch_sub(1, Ordering::Relaxed);
        };
        let crowded = if is_relay {
            self.cluster.relays.arriving.fetch_add(1, Ordering::Relaxed) >= ARRIVING_MAX
        } else {
            self.cluster.answering.fetch_add(1, Ordering::Relaxed) >= ANSWERING_MAX
        };
        if crowded {
            counted(self);
            // Whoever asked learns by its deadline that this node has no time.
            self.parts.metrics.cluster.message_ignored(Ignored::NoRoom);
            return;
        }
        self.parts.tasks.spawn(async move {
            let answer = tokio::time::timeout(DEADLINE, node.answer(&op, data)).await.unwrap_or(Err(FAILED));
            let (code, data) = match answer {
                Ok(data) => (0, data),
                Err(code) => (code, Bytes::new()),
            };
            let body = Body::SurveyResponse(SurveyResponse { id, code, data });
            if let Err(error) = node.tell_nodes(Recipient::Node(&uid), body).await {
                tracing::warn!(%error, uid, op, "a node's question could not be answered");
            }
            counted(&node);
        });
    }

    async fn answer(&self, op: &str, data: Bytes) -> Result<Bytes, u32> {
        if op == CHANNELS {
            let query = ChannelsQuery::decode(data).map_err(|_| BAD_QUESTION)?;
            let pattern = Some(query.pattern.as_str()).filter(|pattern| !pattern.is_empty());
            let pattern = pattern.map(crate::operations::glob).transpose().map_err(|_| BAD_QUESTION)?;
            let channels = self.own_channels(pattern).await.map_err(|_| FAILED)?;
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let channels = channels.into_iter().map(|(channel, clients)| {
                (channel.as_str().to_owned(), ChannelCount { num_clients: count(clients) })
            });
            return Ok(ChannelCounts { channels: channels.collect() }.encode_to_vec().into());
        }
        if op == EMULATION {
            return self.emulate_for_other(data).await;
        }
        let handler = self.cluster.questions.read().get(op).cloned();
        handler.ok_or(UNKNOWN_OP)?(data).wait().await
    }
}

/// The survey of channels, as Centrifugo names it.
pub(crate) const CHANNELS: &str = "channels";
