//! What becomes of an error: the one place where it is decided what a client or caller is told.

use flywheel_auth::{KeyRequest, TokenError, Unverified};
use flywheel_engine::{BackendError, EngineError, KeySetError};
use flywheel_model::Renewal;
use flywheel_protocol::{Disconnect, ErrorCode};
use flywheel_session::Failure;

use crate::ApiError;

/// For a client's command.
pub(crate) fn for_client(error: EngineError) -> Failure {
    match error {
        EngineError::Unrecoverable => ErrorCode::UNRECOVERABLE_POSITION.into(),
        error @ (EngineError::Unavailable(_) | EngineError::NoRoom { .. }) => {
            tracing::error!(%error, "a client's command failed");
            ErrorCode::INTERNAL.into()
        }
    }
}

/// For a call of the server API.
pub(crate) fn for_api(error: EngineError) -> ApiError {
    match error {
        EngineError::Unrecoverable => ApiError::UnrecoverablePosition,
        error @ (EngineError::Unavailable(_) | EngineError::NoRoom { .. }) => {
            tracing::error!(%error, "a server API call failed");
            ApiError::Internal
        }
    }
}

/// For a client's command that the application's backend was asked about.
pub(crate) fn for_client_of_backend(event: &'static str, error: BackendError) -> Failure {
    match error {
        BackendError::Error { code, message, temporary } if code != 0 => {
            ErrorCode { code, message: message.into(), temporary }.into()
        }
        BackendError::Disconnect { code, reason } if code != 0 => {
            // SDKs take a close without a reason for one that the server did not mean.
            let reason = if reason.is_empty() { "disconnect".into() } else { reason.into() };
            Disconnect { code, reason }.into()
        }
        error => backend_failed(event, &error),
    }
}

/// For what a backend was to renew. One that refuses to say that it goes on says that it does not, and the client is told no
/// more than that; the refusal itself is for the log.
pub(crate) fn for_renewal(
    event: &'static str,
    renewal: Result<Renewal, BackendError>,
) -> Result<Renewal, Failure> {
    match renewal {
        Ok(renewal) => Ok(renewal),
        Err(error @ (BackendError::Error { .. } | BackendError::Disconnect { .. })) => {
            tracing::info!(%error, event, "a backend refused to renew: the client is told that it expired");
            Ok(Renewal::Expired)
        }
        Err(error @ BackendError::Failed(_)) => Err(backend_failed(event, &error)),
    }
}

/// For whoever asked a backend that gave no usable answer.
fn backend_failed(event: &'static str, error: &BackendError) -> Failure {
    tracing::error!(%error, event, "a call to a backend failed");
    ErrorCode::INTERNAL.into()
}

/// Characters of a key's name that go into a log line: it may be anything.
const NAME_MAX: usize = 64;

/// For a token that was refused. Why is for the log: the client is told only that it is.
#[expect(clippy::needless_pass_by_value, reason = "it is what becomes of the error")]
pub(crate) fn for_token(error: Unverified) -> Failure {
    match error {
        Unverified::Refused(error @ TokenError::Expired) => {
            tracing::info!(%error, "token refused");
            Failure::ExpiredToken
        }
        Unverified::Refused(TokenError::Invalid(reason)) => {
            tracing::info!(error = %reason, "token refused");
            Failure::InvalidToken
        }
        // Nobody asks for a key twice.
        Unverified::NeedsKey(_) => ErrorCode::INTERNAL.into(),
    }
}

/// For a token whose key could not be had. Where that is not the token's fault, the client may come back.
pub(crate) fn for_key_set(request: &KeyRequest, error: &KeySetError) -> Failure {
    let kid: String = request.kid().chars().take(NAME_MAX).collect();
    tracing::info!(%error, ?kid, url = request.url(), "token refused");
    match error {
        KeySetError::UnknownKey | KeySetError::UnfitKey => Failure::InvalidToken,
        KeySetError::TooSoon | KeySetError::Unavailable(_) => ErrorCode::INTERNAL.into(),
    }
}
