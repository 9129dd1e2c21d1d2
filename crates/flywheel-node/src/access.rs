use std::sync::Arc;

use flywheel_auth::{PublicKey, Unverified, Verifier};
use flywheel_engine::{Answer, KeySets};
use flywheel_model::{ConnectClaims, SubscriptionClaims, UnixSeconds, UserId};
use flywheel_protocol::Disconnect;
use flywheel_session::Failure;

use crate::Backends;
use crate::verdict::{for_key_set, for_token};

/// Who may connect, and whose tokens are believed. Replaced as a whole by a reload.
#[derive(Debug)]
pub struct Access {
    /// Checks connection tokens.
    pub connection: Arc<Verifier>,
    /// Checks subscription tokens, if they have keys of their own.
    pub subscription: Option<Arc<Verifier>>,
    /// Clients without a token are anonymous. Config key `client.allow_anonymous_connect_without_token`.
    pub anonymous_without_token: bool,
    /// Tokens without a user are refused. Config key `client.disallow_anonymous_connection_tokens`.
    pub refuse_anonymous_tokens: bool,
    /// Everybody may connect. Config key `client.insecure`.
    pub insecure: bool,
    /// Connections per user; `None` means no limit. Config key `client.user_connection_limit`.
    pub user_connection_limit: Option<usize>,
    /// Who decides what is left to the application.
    pub backends: Backends,
}

impl Access {
    /// Whoever has a token that `connection` believes may connect, as often as they like, and nobody else.
    pub fn with_tokens(connection: Arc<Verifier>) -> Self {
        Self {
            connection,
            subscription: None,
            anonymous_without_token: false,
            refuse_anonymous_tokens: false,
            insecure: false,
            user_connection_limit: None,
            backends: Backends::default(),
        }
    }

    /// Who brings `token`, which may be empty, or is named by a trusted header.
    pub(crate) fn authenticate(
        &self,
        token: String,
        trusted_user: Option<UserId>,
        now: UnixSeconds,
        key_sets: &Arc<dyn KeySets>,
    ) -> Answer<Result<ConnectClaims, Failure>> {
        if token.is_empty() {
            return Answer::Now(match trusted_user {
                Some(user) => Ok(ConnectClaims { user, ..ConnectClaims::default() }),
                None if self.anonymous_without_token || self.insecure => Ok(ConnectClaims::default()),
                None => Err(Failure::MissingToken),
            });
        }
        let claims = checked(&self.connection, token, key_sets, move |verifier, token, key| match key {
            None => verifier.verify_connect(token, now),
            Some(key) => Ok(verifier.verify_connect_with(token, now, key)?),
        });
        let refuse_anonymous = self.refuse_anonymous_tokens;
        claims.map(move |claims| match claims {
            Ok(claims) if refuse_anonymous && claims.user.is_anonymous() => {
                Err(Disconnect::PERMISSION_DENIED.into())
            }
            claims => claims,
        })
    }

    pub(crate) fn verify_subscription(
        &self,
        token: String,
        now: UnixSeconds,
        key_sets: &Arc<dyn KeySets>,
    ) -> Answer<Result<SubscriptionClaims, Failure>> {
        let verifier = self.subscription.as_ref().unwrap_or(&self.connection);
        checked(verifier, token, key_sets, move |verifier, token, key| match key {
            None => verifier.verify_subscription(token, now),
            Some(key) => Ok(verifier.verify_subscription_with(token, now, key)?),
        })
    }
}

/// What `read` makes of the token, called again with the key if it needs one.
///
/// A check with a public key takes up to a millisecond, and its key may have to be fetched: that is nothing for a
/// shard's thread, so that the answer comes later even if the key is there.
fn checked<T: Send + 'static>(
    verifier: &Arc<Verifier>,
    token: String,
    key_sets: &Arc<dyn KeySets>,
    read: impl Fn(&Verifier, &str, Option<&PublicKey>) -> Result<T, Unverified> + Send + 'static,
) -> Answer<Result<T, Failure>> {
    if !verifier.uses_public_keys() {
        return Answer::Now(read(verifier, &token, None).map_err(for_token));
    }
    let (verifier, key_sets) = (Arc::clone(verifier), Arc::clone(key_sets));
    Answer::later(async move {
        let request = match read(&verifier, &token, None) {
            Err(Unverified::NeedsKey(request)) => request,
            result => return result.map_err(for_token),
        };
        match key_sets.key(&request).wait().await {
            Ok(key) => read(&verifier, &token, Some(&key)).map_err(for_token),
            Err(error) => Err(for_key_set(&request, &error)),
        }
    })
}
