//! What becomes of an engine's error: the one place where it is decided what a client or caller is told.

use flywheel_engine::EngineError;
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
