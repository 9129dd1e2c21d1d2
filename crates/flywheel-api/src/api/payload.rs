//! Payloads of requests: raw JSON in one member, or Base64 in another, which wins.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flywheel_model::Payload;
use flywheel_node::{ApiError, PublishRequest};
use flywheel_stream::Version;

/// # Errors
/// 107: bad Base64.
pub(super) fn payload(raw: Bytes, encoded: &str) -> Result<Payload, ApiError> {
    if encoded.is_empty() {
        return Ok(Payload::from_json(raw));
    }
    STANDARD.decode(encoded).map(|bytes| Payload::new(bytes.into())).map_err(|_| ApiError::BadRequest)
}

/// The same where nothing means that there is none.
pub(super) fn optional_payload(raw: Bytes, encoded: &str) -> Result<Option<Payload>, ApiError> {
    payload(raw, encoded).map(|payload| Some(payload).filter(|payload| !payload.is_empty()))
}

macro_rules! publication {
    ($request:expr) => {{
        let request = $request;
        let version = Version { number: request.version, epoch: request.version_epoch };
        PublishRequest {
            data: payload(request.data, &request.b64data)?,
            tags: request.tags,
            skip_history: request.skip_history,
            idempotency_key: Some(request.idempotency_key).filter(|key| !key.is_empty()),
            version: Some(version).filter(|version| version.number > 0),
            delta: request.delta,
        }
    }};
}

/// What a publish asks for, and where.
pub(super) fn publish(
    request: flywheel_protocol::api::PublishRequest,
) -> Result<(String, PublishRequest), ApiError> {
    let mut request = request;
    let channel = std::mem::take(&mut request.channel);
    Ok((channel, publication!(request)))
}

/// What a broadcast asks for, and where.
pub(super) fn broadcast(
    request: flywheel_protocol::api::BroadcastRequest,
) -> Result<(Vec<String>, PublishRequest), ApiError> {
    let mut request = request;
    let channels = std::mem::take(&mut request.channels);
    if channels.is_empty() {
        return Err(ApiError::BadRequest);
    }
    Ok((channels, publication!(request)))
}
