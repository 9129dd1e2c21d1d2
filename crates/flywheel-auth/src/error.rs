use std::fmt;

use crate::request::KeyRequest;

/// Why a token gives nobody access. What the client sees depends on where the token stood; see client protocol,
/// sections 10.3 and 3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once, or will be: the time is outside `nbf` and `exp`. The client may fetch another: error 109.
    #[error("token expired")]
    Expired,
    /// It is not one of ours, or not of this kind.
    #[error("invalid token")]
    Invalid(#[from] Reason),
}

/// Why a token was not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It gives nobody access.
    #[error(transparent)]
    Refused(#[from] TokenError),
    /// Whether it does is not known without this key.
    #[error("key {:?} of {} is needed", .0.kid(), .0.url())]
    NeedsKey(KeyRequest),
}

impl From<Reason> for Unverified {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}

/// What is wrong with an invalid token. Safe to log: it holds no text of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not three parts with dots between them.
    #[error("not three parts")]
    Structure,
    /// A part is not base64 of the URL alphabet without padding.
    #[error("{0} is not base64url")]
    Encoding(Part),
    /// The part is not a JSON object, or its members are not what a header's have to be.
    #[error("{0} is not the JSON object it has to be")]
    Json(Part),
    /// The algorithm is unknown, refused, or no key is configured for it.
    #[error("algorithm not accepted")]
    Algorithm,
    /// No accepted key made this signature.
    #[error("signature does not match")]
    Signature,
    /// It does not name the key that it is signed with, where keys are known by name.
    #[error("it names no key")]
    NoKeyName,
    /// The key set has no key of the name.
    #[error("the key set has no such key")]
    UnknownKey,
    /// The key is for another algorithm than the token's.
    #[error("the key is for another algorithm")]
    UnfitKey,
    /// Issuer and audience do not tell where its key set is.
    #[error("issuer and audience do not tell which key set it belongs to")]
    KeySetUrl,
    /// The claim `iss` is not the configured one.
    #[error("issuer not accepted")]
    Issuer,
    /// The claim `aud` does not hold the configured one.
    #[error("audience not accepted")]
    Audience,
    /// It names a channel, so it is good for a subscription only.
    #[error("subscription token where a connection token is due")]
    NotForConnection,
    /// It names no channel.
    #[error("token names no channel")]
    NotForSubscription,
    /// The value of the named claim is of the wrong type.
    #[error("claim {0} is of the wrong type")]
    Claim(&'static str),
    /// The value of the claim configured as `user_id_claim` is not a string.
    #[error("the configured user id claim is not a string")]
    UserIdClaim,
    /// The value of the named claim is not base64 of the standard alphabet with padding.
    #[error("claim {0} is not base64")]
    Base64(&'static str),
}

/// A part of a token in compact serialization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first: how it is signed.
    Header,
    /// The second: what it says.
    Claims,
    /// The third.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Signature => "signature",
        })
    }
}
