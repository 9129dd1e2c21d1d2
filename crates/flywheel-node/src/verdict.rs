//! What becomes of an error: the one place where it is decided what a client or caller is told.

use flywheel_auth::{KeyRequest, TokenError, Unverified};
use flywheel_engine::{EngineError, KeySetError};
use flywheel_protocol::ErrorCode;
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
