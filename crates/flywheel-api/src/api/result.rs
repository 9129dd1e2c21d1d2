//! Results as they are told.

use bytes::Bytes;
use flywheel_model::{ClientInfo, Payload, StreamPosition};
use flywheel_node::{ApiError, Info, Numbers};
use flywheel_protocol::api as wire;
use flywheel_protocol::{client, json};
use flywheel_stream::History;

/// A payload that is not JSON cannot be told in JSON.
fn raw(payload: &Payload) -> Result<Bytes, ApiError> {
    let json = payload.json().ok_or(ApiError::Internal)?;
    let mut compact = Vec::with_capacity(json.len());
    json::compact(json, &mut compact);
    Ok(compact.into())
}

fn optional(payload: Option<&Payload>) -> Result<Bytes, ApiError> {
    payload.map_or_else(|| Ok(Bytes::new()), raw)
}

pub(super) fn client_info(info: &ClientInfo) -> Result<client::ClientInfo, ApiError> {
    Ok(client::ClientInfo {
        user: info.user.as_str().to_owned(),
        client: info.client.clone(),
        conn_info: optional(info.conn_info.as_ref())?,
        chan_info: optional(info.chan_info.as_ref())?,
    })
}

pub(super) fn position(position: Option<StreamPosition>) -> wire::PublishResult {
    let position = position.unwrap_or_default();
    wire::PublishResult { offset: position.offset, epoch: position.epoch.as_str().to_owned() }
}

pub(super) fn history(history: &History) -> Result<wire::HistoryResult, ApiError> {
    let publications = history.publications.iter().map(|publication| {
        Ok(wire::Publication {
            data: raw(&publication.data)?,
            info: publication.info.as_deref().map(client_info).transpose()?,
            offset: publication.offset,
            tags: publication.tags.clone(),
        })
    });
    Ok(wire::HistoryResult {
        publications: publications.collect::<Result<_, ApiError>>()?,
        epoch: history.top.epoch.as_str().to_owned(),
        offset: history.top.offset,
    })
}

pub(super) fn info(nodes: Vec<Info>) -> wire::InfoResult {
    let node = |info: Info| wire::NodeResult {
        uid: info.uid,
        name: info.name,
        version: info.version,
        num_clients: count(info.clients),
        num_users: count(info.users),
        num_channels: count(info.channels),
        uptime: u32::try_from(info.uptime.as_secs()).unwrap_or(u32::MAX),
        metrics: info.metrics.map(|Numbers { interval, items }| wire::NodeMetrics { interval, items }),
        num_subs: count(info.subscriptions),
    };
    wire::InfoResult { nodes: nodes.into_iter().map(node).collect() }
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn error(error: ApiError) -> wire::Error {
    wire::Error { code: error.code(), message: error.to_string() }
}
