use std::fmt;

use flywheel_model::UnixSeconds;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use crate::algorithm::{Algorithm, Hash};
use crate::error::Reason;
use crate::jws::Jws;
use crate::public_key::{KeyError, PublicKey};
use crate::request::KeySetUrl;
use crate::settings::{SettingsError, TokenSettings, configured, is_before_cut_off};

/// The keys that signatures are checked with.
#[derive(Debug)]
pub(crate) enum Keys {
    /// None: every signature counts as good. For development.
    Unchecked,
    /// Those in the settings.
    Own(Box<OwnKeys>),
    /// Those of a key set, and no other.
    Published(KeySetUrl),
}

/// Keys in the settings, by kind. A token gets at those of its algorithm only.
#[derive(Debug)]
pub(crate) struct OwnKeys {
    hmac: Option<HmacKeys>,
    rsa: Option<PublicKey>,
    ecdsa: Option<PublicKey>,
}

impl Keys {
    /// `patterns` are the regular expressions for `iss` and `aud`.
    pub(crate) fn new(settings: TokenSettings, patterns: [Option<&str>; 2]) -> Result<Self, SettingsError> {
        if settings.skip_signature {
            return Ok(Self::Unchecked);
        }
        if let Some(url) = configured(settings.jwks_public_endpoint) {
            return KeySetUrl::new(&url, patterns, settings.unlisted_jwks_values).map(Self::Published);
        }
        let key = |key, text: Option<String>, read: fn(&str) -> Result<PublicKey, KeyError>| {
            let read = configured(text).map(|text| read(&text)).transpose();
            read.map_err(|problem| SettingsError::Key { key, problem })
        };
        Ok(Self::Own(Box::new(OwnKeys {
            rsa: key("rsa_public_key", settings.rsa_public_key, PublicKey::rsa_from_pem)?,
            ecdsa: key("ecdsa_public_key", settings.ecdsa_public_key, PublicKey::ecdsa_from_pem)?,
            hmac: configured(settings.hmac_secret_key).map(|secret| HmacKeys {
                current: HmacKey::new(secret.as_bytes()),
                previous: configured(settings.hmac_previous_secret_key)
                    .map(|secret| HmacKey::new(secret.as_bytes())),
                previous_valid_until: settings.hmac_previous_secret_key_valid_until,
            }),
        })))
    }

    /// Whether some signature takes longer to check than an HMAC.
    pub(crate) fn are_public(&self) -> bool {
        match self {
            Self::Unchecked => false,
            Self::Own(keys) => keys.rsa.is_some() || keys.ecdsa.is_some(),
            Self::Published(_) => true,
        }
    }
}

impl OwnKeys {
    /// Whether an accepted key signed `signed`.
    pub(crate) fn check(&self, jws: &Jws, signed: &[u8], now: UnixSeconds) -> Result<(), Reason> {
        let algorithm = jws.header.algorithm.ok_or(Reason::Algorithm)?;
        let public = match algorithm {
            Algorithm::Hmac(hash) => {
                let keys = self.hmac.as_ref().ok_or(Reason::Algorithm)?;
                let made = keys.made(hash, signed, &jws.signature, now);
                return if made { Ok(()) } else { Err(Reason::Signature) };
            }
            Algorithm::Rsa(_) => self.rsa.as_ref(),
            Algorithm::Ecdsa(_) => self.ecdsa.as_ref(),
            // There is no setting for a single key of this kind.
            Algorithm::EdDsa => None,
        };
        let key = public.filter(|key| key.is_for(algorithm)).ok_or(Reason::Algorithm)?;
        key.check(algorithm, signed, &jws.signature)
    }
}

#[derive(Debug)]
struct HmacKeys {
    current: HmacKey,
    previous: Option<HmacKey>,
    previous_valid_until: i64,
}

impl HmacKeys {
    fn made(&self, hash: Hash, signed: &[u8], signature: &[u8], now: UnixSeconds) -> bool {
        let previous = self.previous.as_ref().filter(|_| is_before_cut_off(now, self.previous_valid_until));
        self.current.made(hash, signed, signature)
            || previous.is_some_and(|key| key.made(hash, signed, signature))
    }
}

/// A secret, prepared once for each hash, because preparing costs as much as signing a short token.
struct HmacKey {
    sha256: Hmac<Sha256>,
    sha384: Hmac<Sha384>,
    sha512: Hmac<Sha512>,
}

impl HmacKey {
    fn new(secret: &[u8]) -> Self {
        Self { sha256: prepared(secret), sha384: prepared(secret), sha512: prepared(secret) }
    }

    /// Compares in constant time.
    fn made(&self, hash: Hash, signed: &[u8], signature: &[u8]) -> bool {
        match hash {
            Hash::Sha256 => self.sha256.clone().chain_update(signed).verify_slice(signature),
            Hash::Sha384 => self.sha384.clone().chain_update(signed).verify_slice(signature),
            Hash::Sha512 => self.sha512.clone().chain_update(signed).verify_slice(signature),
        }
        .is_ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 3)")]
pub(crate) fn prepared<M: KeyInit>(secret: &[u8]) -> M {
    M::new_from_slice(secret).expect("HMAC takes keys of any length")
}
