use std::fmt;

use flywheel_model::UnixSeconds;
use regex::{Captures, Regex};

use crate::public_key::KeyError;

/// What makes a token acceptable. An empty text means the same as `None`: not configured.
///
/// Source: configuration keys below `client.token` and `client.subscription_token`, named as there.
#[derive(Clone, Default)]
pub struct TokenSettings {
    /// Secret for HS256, HS384 and HS512. Without it no token of these is valid, whatever the previous secret is.
    pub hmac_secret_key: Option<String>,
    /// The secret before the last change, still accepted until the cut-off.
    pub hmac_previous_secret_key: Option<String>,
    /// Unix seconds, the last one at which the previous secret counts; 0 for no cut-off.
    pub hmac_previous_secret_key_valid_until: i64,
    /// RSA key in PEM, for RS256, RS384 and RS512.
    pub rsa_public_key: Option<String>,
    /// ECDSA key in PEM, for ES256, ES384 or ES512, whichever has its curve.
    pub ecdsa_public_key: Option<String>,
    /// Where a key set is published, with `{{name}}` for what the group of that name in `issuer_regex` or
    /// `audience_regex` matches. With it, none of the keys above counts.
    pub jwks_public_endpoint: Option<String>,
    /// Fill the address with values that the groups do not list (`insecure_skip_jwks_endpoint_safety_check`).
    pub unlisted_jwks_values: bool,
    /// What `aud` must be or contain.
    pub audience: Option<String>,
    /// Pattern that `aud` or one of its elements must contain; not together with `audience`.
    pub audience_regex: Option<String>,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// Pattern that `iss` must contain; not together with `issuer`.
    pub issuer_regex: Option<String>,
    /// The claim that holds the user id instead of `sub`. ASCII letters and `_` only.
    pub user_id_claim: Option<String>,
    /// Take every signature for good, of whatever algorithm but `none`. For development
    /// (`insecure_skip_token_signature_verify`); all other checks remain.
    pub skip_signature: bool,
}

impl fmt::Debug for TokenSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secrets stay out of logs: only whether they are set.
        f.debug_struct("TokenSettings")
            .field("hmac_secret_key", &self.hmac_secret_key.is_some())
            .field("hmac_previous_secret_key", &self.hmac_previous_secret_key.is_some())
            .field("hmac_previous_secret_key_valid_until", &self.hmac_previous_secret_key_valid_until)
            .field("rsa_public_key", &self.rsa_public_key.is_some())
            .field("ecdsa_public_key", &self.ecdsa_public_key.is_some())
            .field("jwks_public_endpoint", &self.jwks_public_endpoint)
            .field("unlisted_jwks_values", &self.unlisted_jwks_values)
            .field("audience", &self.audience)
            .field("audience_regex", &self.audience_regex)
            .field("issuer", &self.issuer)
            .field("issuer_regex", &self.issuer_regex)
            .field("user_id_claim", &self.user_id_claim)
            .field("skip_signature", &self.skip_signature)
            .finish()
    }
}

/// Why no verifier can be made of the settings. Keys are named relative to their block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Both forms of one requirement are set.
    #[error("{exact} and {pattern} exclude each other")]
    Exclusive {
        /// The key of the exact form.
        exact: &'static str,
        /// The key of the pattern.
        pattern: &'static str,
    },
    /// A pattern is no regular expression.
    #[error("{key}: {problem}")]
    Pattern {
        /// The key that holds it.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A text is no usable key.
    #[error("{key}: {problem}")]
    Key {
        /// The key that holds it.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        problem: KeyError,
    },
    /// No key set can be asked for with this address.
    #[error("jwks_public_endpoint: {problem}")]
    KeySetUrl {
        /// What is wrong with it.
        problem: String,
    },
    /// The name of a claim has characters other than ASCII letters and `_`.
    #[error("user_id_claim: {0:?} has other characters than a-z, A-Z and _")]
    UserIdClaim(String),
}

/// What a claim must be, when anything is required of it.
#[derive(Debug)]
pub(crate) enum Requirement {
    None,
    Exact(String),
    Pattern(Regex),
}

impl Requirement {
    pub(crate) fn new(
        (exact_key, exact): (&'static str, Option<String>),
        (pattern_key, pattern): (&'static str, Option<String>),
    ) -> Result<Self, SettingsError> {
        match (configured(exact), configured(pattern)) {
            (None, None) => Ok(Self::None),
            (Some(exact), None) => Ok(Self::Exact(exact)),
            (None, Some(pattern)) => Regex::new(&pattern)
                .map(Self::Pattern)
                .map_err(|error| SettingsError::Pattern { key: pattern_key, problem: error.to_string() }),
            (Some(_), Some(_)) => Err(SettingsError::Exclusive { exact: exact_key, pattern: pattern_key }),
        }
    }

    /// Whether one of `values` satisfies it.
    pub(crate) fn is_met_by(&self, values: &[String]) -> bool {
        match self {
            Self::None => true,
            Self::Exact(exact) => values.contains(exact),
            Self::Pattern(pattern) => values.iter().any(|value| pattern.is_match(value)),
        }
    }

    /// What the pattern, if it is one, captures in the first of `values` that it matches.
    pub(crate) fn captures<'a>(&self, values: &'a [String]) -> Option<Captures<'a>> {
        match self {
            Self::Pattern(pattern) => values.iter().find_map(|value| pattern.captures(value)),
            _ => None,
        }
    }

    /// The text of the pattern.
    pub(crate) fn pattern(&self) -> Option<&str> {
        match self {
            Self::Pattern(pattern) => Some(pattern.as_str()),
            _ => None,
        }
    }
}

/// `None` for the empty text too.
pub(crate) fn configured(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Whether the previous secret still counts.
pub(crate) fn is_before_cut_off(now: UnixSeconds, valid_until: i64) -> bool {
    valid_until == 0 || now.0 <= valid_until
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verifier;

    fn refusal(change: fn(&mut TokenSettings)) -> String {
        let mut settings = TokenSettings::default();
        change(&mut settings);
        Verifier::new(settings).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_names_the_key() {
        let both = refusal(|settings| {
            settings.audience = Some("a".into());
            settings.audience_regex = Some("a".into());
        });
        assert_eq!(both, "audience and audience_regex exclude each other");
        let both = refusal(|settings| {
            settings.issuer = Some("a".into());
            settings.issuer_regex = Some("a".into());
        });
        assert_eq!(both, "issuer and issuer_regex exclude each other");
        assert!(
            refusal(|settings| settings.audience_regex = Some("(".into())).starts_with("audience_regex: ")
        );
        assert!(refusal(|settings| settings.issuer_regex = Some("(".into())).starts_with("issuer_regex: "));
        assert!(
            refusal(|settings| settings.user_id_claim = Some("user-id".into()))
                .starts_with("user_id_claim: \"user-id\"")
        );
    }

    #[test]
    fn empty_texts_are_unset() {
        let empty = || Some(String::new());
        let settings = TokenSettings {
            audience: empty(),
            audience_regex: Some("a".into()),
            issuer: Some("a".into()),
            issuer_regex: empty(),
            user_id_claim: empty(),
            ..TokenSettings::default()
        };
        assert!(Verifier::new(settings).is_ok());
    }
}
