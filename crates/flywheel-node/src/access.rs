use flywheel_auth::{TokenError, Verifier};
use flywheel_model::{ConnectClaims, SubscriptionClaims, UnixSeconds, UserId};
use flywheel_protocol::Disconnect;
use flywheel_session::Failure;

/// Who may connect, and whose tokens are believed. Replaced as a whole by a reload.
#[derive(Debug)]
pub struct Access {
    /// Checks connection tokens.
    pub connection: Verifier,
    /// Checks subscription tokens, if they have keys of their own.
    pub subscription: Option<Verifier>,
    /// Clients without a token are anonymous. Config key `client.allow_anonymous_connect_without_token`.
    pub anonymous_without_token: bool,
    /// Tokens without a user are refused. Config key `client.disallow_anonymous_connection_tokens`.
    pub refuse_anonymous_tokens: bool,
    /// Everybody may connect. Config key `client.insecure`.
    pub insecure: bool,
    /// Connections per user; `None` means no limit. Config key `client.user_connection_limit`.
    pub user_connection_limit: Option<usize>,
}

impl Access {
    /// Who brings `token`, which may be empty, or is named by a trusted header.
    pub(crate) fn authenticate(
        &self,
        token: &str,
        trusted_user: Option<UserId>,
        now: UnixSeconds,
    ) -> Result<ConnectClaims, Failure> {
        if token.is_empty() {
            if let Some(user) = trusted_user {
                return Ok(ConnectClaims { user, ..ConnectClaims::default() });
            }
            return if self.anonymous_without_token || self.insecure {
                Ok(ConnectClaims::default())
            } else {
                Err(Disconnect::BAD_REQUEST.into())
            };
        }
        let claims = self.connection.verify_connect(token, now).map_err(failure)?;
        if self.refuse_anonymous_tokens && claims.user.is_anonymous() {
            return Err(Disconnect::PERMISSION_DENIED.into());
        }
        Ok(claims)
    }

    pub(crate) fn verify_subscription(
        &self,
        token: &str,
        now: UnixSeconds,
    ) -> Result<SubscriptionClaims, Failure> {
        self.subscription
            .as_ref()
            .unwrap_or(&self.connection)
            .verify_subscription(token, now)
            .map_err(failure)
    }
}

fn failure(error: TokenError) -> Failure {
    // Why a token is refused is for the log: the client is told only that it is.
    tracing::info!(%error, "token refused");
    match error {
        TokenError::Expired => Failure::ExpiredToken,
        TokenError::Invalid(_) => Failure::InvalidToken,
    }
}
