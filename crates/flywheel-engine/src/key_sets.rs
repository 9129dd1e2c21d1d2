use std::sync::Arc;

use flywheel_auth::{KeyRequest, PublicKey};

use crate::Answer;

/// Gives out the public keys that others publish.
///
/// Do not implement it for keys that are in the configuration: those are the verifier's own.
pub trait KeySets: Send + Sync + 'static {
    /// The key that a token names. The answer is there at once when the set was read not long ago. However many tokens
    /// name keys that do not exist, the number of reads per address and time has a bound.
    fn key(&self, request: &KeyRequest) -> Answer<Result<Arc<PublicKey>, KeySetError>>;
}

/// Nobody publishes keys.
impl KeySets for () {
    fn key(&self, _request: &KeyRequest) -> Answer<Result<Arc<PublicKey>, KeySetError>> {
        Answer::Now(Err(KeySetError::UnknownKey))
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The set was read, and the name is not in it: the token is not one of ours.
    #[error("the key set has no such key")]
    UnknownKey,
    /// The name is there, with a key for another algorithm: the token is not one of ours.
    #[error("the key is for another algorithm")]
    UnfitKey,
    /// The name was not there moments ago, and it is too early to look again; the same question may be answered later.
    #[error("the key set had no such key moments ago")]
    TooSoon,
    /// The set cannot be read; the same question may be answered later.
    #[error("key set unavailable: {0}")]
    Unavailable(String),
}
