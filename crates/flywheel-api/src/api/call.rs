use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use flywheel_metrics::{ApiFailure, ApiMethod, ApiProtocol};
use flywheel_model::{Payload, StreamPosition, SubscribeGrant, UnixSeconds};
use flywheel_node::{ApiError, DrainedBy, Node, Whom};
use flywheel_protocol::Disconnect;
use flywheel_protocol::api as wire;
use flywheel_protocol::json::{self, Members};
use flywheel_session::ServerSubscribe;
use flywheel_stream::HistoryQuery;

use super::method::Method;
use super::payload::{broadcast, optional_payload, publish};
use super::result;

/// The text of a result: a JSON object.
pub type Reply = Result<Vec<u8>, ApiError>;

/// A request that could be read.
#[derive(Debug)]
#[expect(missing_docs, reason = "a variant is the request of the method that it is named after")]
pub enum Call {
    Publish(wire::PublishRequest),
    Broadcast(wire::BroadcastRequest),
    Subscribe(wire::SubscribeRequest),
    Unsubscribe(wire::UnsubscribeRequest),
    Disconnect(wire::DisconnectRequest),
    Refresh(wire::RefreshRequest),
    Presence(wire::ChannelRequest),
    PresenceStats(wire::ChannelRequest),
    History(wire::HistoryRequest),
    HistoryRemove(wire::ChannelRequest),
    Channels(wire::ChannelsRequest),
    Info,
    Rpc(wire::RpcRequest),
    Batch(wire::BatchRequest),
    Drain(wire::DrainRequest),
}

impl Call {
    /// Reads the request of `method`.
    ///
    /// # Errors
    /// The body is no JSON object or `null`, or a member has the wrong type.
    pub fn read(method: Method, body: &[u8]) -> serde_json::Result<Self> {
        Ok(match method {
            Method::Publish => Self::Publish(json::from_slice(body)?),
            Method::Broadcast => Self::Broadcast(json::from_slice(body)?),
            Method::Subscribe => Self::Subscribe(json::from_slice(body)?),
            Method::Unsubscribe => Self::Unsubscribe(json::from_slice(body)?),
            Method::Disconnect => Self::Disconnect(json::from_slice(body)?),
            Method::Refresh => Self::Refresh(json::from_slice(body)?),
            Method::Presence => Self::Presence(json::from_slice(body)?),
            Method::PresenceStats => Self::PresenceStats(json::from_slice(body)?),
            Method::History => Self::History(json::from_slice(body)?),
            Method::HistoryRemove => Self::HistoryRemove(json::from_slice(body)?),
            Method::Channels => Self::Channels(json::from_slice(body)?),
            Method::Info => json::from_slice::<wire::Empty>(body).map(|_| Self::Info)?,
            Method::Rpc => Self::Rpc(json::from_slice(body)?),
            Method::Batch => Self::Batch(json::from_slice(body)?),
            Method::Drain => Self::Drain(json::from_slice(body)?),
        })
    }

    /// How metrics label it.
    pub fn label(&self) -> ApiMethod {
        match self {
            Self::Publish(_) => ApiMethod::Publish,
            Self::Broadcast(_) => ApiMethod::Broadcast,
            Self::Subscribe(_) => ApiMethod::Subscribe,
            Self::Unsubscribe(_) => ApiMethod::Unsubscribe,
            Self::Disconnect(_) => ApiMethod::Disconnect,
            Self::Refresh(_) => ApiMethod::Refresh,
            Self::Presence(_) => ApiMethod::Presence,
            Self::PresenceStats(_) => ApiMethod::PresenceStats,
            Self::History(_) => ApiMethod::History,
            Self::HistoryRemove(_) => ApiMethod::HistoryRemove,
            Self::Channels(_) => ApiMethod::Channels,
            Self::Info => ApiMethod::Info,
            Self::Rpc(_) => ApiMethod::Rpc,
            Self::Batch(_) => ApiMethod::Batch,
            Self::Drain(_) => ApiMethod::Drain,
        }
    }

    /// Makes the call. A batch answers `{"replies":…}`, everything else its result.
    ///
    /// # Errors
    /// As the API's description says.
    pub async fn make(self, node: &Arc<Node>) -> Reply {
        if let Self::Batch(batch) = self {
            return Ok(super::batch::run(node, batch).await);
        }
        self.make_one(node).await
    }

    /// Makes a call that is no batch, and counts it.
    pub(super) async fn make_one(self, node: &Arc<Node>) -> Reply {
        let label = self.label();
        let started = node.clock().elapsed();
        let reply = self.run(node).await;
        let api = &node.metrics().api;
        api.answered(ApiProtocol::Http, label, node.clock().elapsed().saturating_sub(started));
        if let Err(error) = &reply {
            api.failed(ApiProtocol::Http, label, ApiFailure::Code(error.code()));
        }
        reply
    }

    async fn run(self, node: &Arc<Node>) -> Reply {
        match self {
            Self::Publish(request) => {
                let (channel, request) = publish(request)?;
                let position = node.publish(&channel, request).await?;
                Ok(text(&result::position(position)))
            }
            Self::Broadcast(request) => run_broadcast(node, request).await,
            Self::Subscribe(request) => {
                let whom = Whom { user: request.user, client: request.client, session: request.session };
                let grant = SubscribeGrant {
                    expire_at: Some(UnixSeconds(request.expire_at)).filter(|moment| moment.0 != 0),
                    info: optional_payload(request.info, &request.b64info)?,
                    data: optional_payload(request.data, &request.b64data)?,
                    overrides: request.override_.map(Into::into).unwrap_or_default(),
                };
                let recover_since = request.recover_since.map(StreamPosition::from);
                let subscribe = ServerSubscribe { grant, recover_since };
                node.subscribe_clients(&whom, &request.channel, subscribe).await?;
                Ok(empty())
            }
            Self::Unsubscribe(request) => {
                let whom = Whom { user: request.user, client: request.client, session: request.session };
                node.unsubscribe_clients(&whom, &request.channel).await?;
                Ok(empty())
            }
            Self::Disconnect(request) => {
                let whom = Whom { user: request.user, client: request.client, session: request.session };
                let disconnect = request.disconnect.map_or(Disconnect::FORCE_DISCONNECT, |given| {
                    Disconnect { code: given.code, reason: given.reason.into() }
                });
                node.disconnect_clients(&whom, disconnect, &request.whitelist).await?;
                Ok(empty())
            }
            Self::Refresh(request) => {
                let whom = Whom { user: request.user, client: request.client, session: request.session };
                let info = Some(Payload::from_json(request.info)).filter(|info| !info.is_empty());
                if request.expired {
                    node.disconnect_clients(&whom, Disconnect::EXPIRED, &[]).await?;
                } else {
                    let expire_at = Some(UnixSeconds(request.expire_at)).filter(|moment| moment.0 != 0);
                    node.refresh_clients(&whom, expire_at, info).await?;
                }
                Ok(empty())
            }
            Self::Presence(request) => {
                let clients = node.presence(&request.channel).await?;
                let entries =
                    clients.iter().map(|info| Ok((info.client.clone(), result::client_info(info)?)));
                let presence = entries.collect::<Result<BTreeMap<_, _>, ApiError>>()?;
                Ok(text(&wire::PresenceResult { presence }))
            }
            Self::PresenceStats(request) => {
                let stats = node.presence_stats(&request.channel).await?;
                let (num_clients, num_users) = (result::count(stats.clients), result::count(stats.users));
                Ok(text(&wire::PresenceStatsResult { num_clients, num_users }))
            }
            Self::History(request) => {
                let query = HistoryQuery {
                    limit: usize::try_from(request.limit).ok(),
                    since: request.since.map(StreamPosition::from),
                    reverse: request.reverse,
                };
                let history = node.history(&request.channel, query).await?;
                Ok(text(&result::history(&history)?))
            }
            Self::HistoryRemove(request) => {
                node.remove_history(&request.channel).await?;
                Ok(empty())
            }
            Self::Channels(request) => {
                let pattern = Some(request.pattern.as_str()).filter(|pattern| !pattern.is_empty());
                let channels = node.channels(pattern).await?.into_iter().map(|(channel, clients)| {
                    (channel.as_str().to_owned(), wire::ChannelInfo { num_clients: result::count(clients) })
                });
                Ok(text(&wire::ChannelsResult { channels: channels.collect() }))
            }
            Self::Info => Ok(text(&result::info(node.info()))),
            Self::Drain(request) => {
                if request.undo {
                    node.undo_drain();
                } else {
                    node.drain(DrainedBy::Api);
                }
                Ok(empty())
            }
            // There are no extensions that could serve a method.
            Self::Rpc(request) if request.method.is_empty() => Err(ApiError::BadRequest),
            Self::Rpc(_) | Self::Batch(_) => Err(ApiError::NotFound),
        }
    }
}

async fn run_broadcast(node: &Arc<Node>, request: wire::BroadcastRequest) -> Reply {
    let (channels, request) = broadcast(request)?;
    let results = node.broadcast(&channels, &request).await;
    let responses = results.into_iter().map(|one| match one {
        Ok(position) => wire::PublishResponse { error: None, result: Some(result::position(position)) },
        Err(error) => {
            node.metrics().api.failed(
                ApiProtocol::Http,
                ApiMethod::BroadcastPublish,
                ApiFailure::Code(error.code()),
            );
            wire::PublishResponse { error: Some(result::error(error)), result: None }
        }
    });
    Ok(text(&wire::BroadcastResult { responses: responses.collect() }))
}

/// `{"code":…,"message":…}`.
pub(crate) fn error_text(error: ApiError) -> Vec<u8> {
    text(&result::error(error))
}

fn text<M: Members>(message: &M) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    json::write(message, &mut out);
    out
}

fn empty() -> Vec<u8> {
    b"{}".to_vec()
}

/// Wraps a reply in `{"result":…}` or `{"error":…}`.
pub(crate) fn wrapped(reply: &Reply) -> Bytes {
    let mut out = Vec::with_capacity(64);
    match reply {
        Ok(result) => {
            out.extend_from_slice(b"{\"result\":");
            out.extend_from_slice(result);
        }
        Err(error) => {
            out.extend_from_slice(b"{\"error\":");
            out.extend_from_slice(&error_text(*error));
        }
    }
    out.push(b'}');
    out.into()
}
