//! What the backend answered, from JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flywheel_engine::{BackendError, PublishGrant};
use flywheel_model::{
    Channel, ConnectClaims, Payload, Renewal, Renewed, SubscribeGrant, UnixSeconds, UserId,
};
use flywheel_protocol::json;
use flywheel_protocol::proxy as wire;
use flywheel_stream::Version;

/// Reads an answer with status 200. `None` when it has no result.
///
/// Source: server API, section 6.3: a disconnect counts before an error, an error before a result.
pub(crate) fn read<R: wire::Response>(body: &[u8]) -> Result<Option<R::Result>, BackendError> {
    let response: R = json::from_slice(body)
        .map_err(|error| BackendError::Failed(format!("the answer cannot be read: {error}")))?;
    match response.into_parts() {
        (Some(wire::Disconnect { code, reason }), ..) => Err(BackendError::Disconnect { code, reason }),
        (_, Some(wire::Error { code, message, temporary }), _) => {
            Err(BackendError::Error { code, message, temporary })
        }
        (None, None, result) => Ok(result),
    }
}

pub(crate) fn connect(result: wire::ConnectResult) -> Result<Box<ConnectClaims>, BackendError> {
    let mut subs: BTreeMap<Channel, SubscribeGrant> = result
        .channels
        .into_iter()
        .map(|channel| (Channel::from(channel), SubscribeGrant::default()))
        .collect();
    for (channel, options) in result.subs {
        let grant = SubscribeGrant {
            // The protocol ignores an expiry here.
            expire_at: None,
            info: payload("b64info", options.info, &options.b64info)?,
            data: payload("b64data", options.data, &options.b64data)?,
            overrides: options.override_.map(Into::into).unwrap_or_default(),
        };
        subs.insert(Channel::from(channel), grant);
    }
    Ok(Box::new(ConnectClaims {
        user: UserId::from(result.user.as_str()),
        expire_at: moment(result.expire_at),
        info: payload("b64info", result.info, &result.b64info)?,
        meta: meta(result.meta),
        subs,
        data: payload("b64data", result.data, &result.b64data)?,
    }))
}

pub(crate) fn refresh(result: wire::RefreshResult) -> Result<Renewal, BackendError> {
    if result.expired {
        return Ok(Renewal::Expired);
    }
    Ok(Renewal::Renewed(Box::new(Renewed {
        expire_at: moment(result.expire_at),
        info: payload("b64info", result.info, &result.b64info)?,
        meta: meta(result.meta),
    })))
}

pub(crate) fn subscribe(result: wire::SubscribeResult) -> Result<Box<SubscribeGrant>, BackendError> {
    Ok(Box::new(SubscribeGrant {
        expire_at: moment(result.expire_at),
        info: payload("b64info", result.info, &result.b64info)?,
        data: payload("b64data", result.data, &result.b64data)?,
        overrides: result.override_.map(Into::into).unwrap_or_default(),
    }))
}

pub(crate) fn publish(result: wire::PublishResult) -> Result<Box<PublishGrant>, BackendError> {
    // Here, unlike everywhere else, the raw member wins.
    let encoded = if result.data.is_empty() { result.b64data.as_str() } else { "" };
    let version = Version { number: result.version, epoch: result.version_epoch };
    Ok(Box::new(PublishGrant {
        data: payload("b64data", result.data, encoded)?,
        skip_history: result.skip_history,
        tags: result.tags,
        idempotency_key: Some(result.idempotency_key).filter(|key| !key.is_empty()),
        delta: result.delta,
        version: Some(version).filter(|version| version.number > 0),
    }))
}

pub(crate) fn rpc(result: wire::RpcResult) -> Result<Payload, BackendError> {
    Ok(payload("b64data", result.data, &result.b64data)?.unwrap_or_else(|| Payload::from("")))
}

pub(crate) fn sub_refresh(result: wire::SubRefreshResult) -> Result<Renewal, BackendError> {
    if result.expired {
        return Ok(Renewal::Expired);
    }
    Ok(Renewal::Renewed(Box::new(Renewed {
        expire_at: moment(result.expire_at),
        info: payload("b64info", result.info, &result.b64info)?,
        meta: None,
    })))
}

fn moment(seconds: i64) -> Option<UnixSeconds> {
    (seconds != 0).then_some(UnixSeconds(seconds))
}

fn meta(raw: Bytes) -> Option<Bytes> {
    Some(raw).filter(|raw| !raw.is_empty())
}

/// Base64 wins over raw JSON; nothing in either is no payload.
fn payload(name: &str, raw: Bytes, encoded: &str) -> Result<Option<Payload>, BackendError> {
    let payload = if encoded.is_empty() {
        Payload::from_json(raw)
    } else {
        let decoded = STANDARD.decode(encoded);
        let bytes =
            decoded.map_err(|error| BackendError::Failed(format!("{name} cannot be read: {error}")))?;
        Payload::new(bytes.into())
    };
    Ok(Some(payload).filter(|payload| !payload.is_empty()))
}
