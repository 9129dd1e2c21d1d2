use std::fmt;

use flywheel_model::UnixSeconds;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use crate::error::Reason;
use crate::jws::Jws;
use crate::settings::is_before_cut_off;

/// Every key that is accepted, by kind.
#[derive(Debug)]
pub(crate) struct Keys {
    hmac: Option<HmacKeys>,
    skip_signature: bool,
}

impl Keys {
    pub(crate) fn new(
        secret: Option<String>,
        previous: Option<String>,
        previous_valid_until: i64,
        skip_signature: bool,
    ) -> Self {
        let hmac = secret.map(|secret| HmacKeys {
            current: HmacKey::new(secret.as_bytes()),
            previous: previous.map(|secret| HmacKey::new(secret.as_bytes())),
            previous_valid_until,
        });
        Self { hmac, skip_signature }
    }

    /// Whether an accepted key signed `signed`.
    pub(crate) fn check(&self, jws: &Jws, signed: &[u8], now: UnixSeconds) -> Result<(), Reason> {
        if self.skip_signature {
            return Ok(());
        }
        let keys = self.hmac.as_ref().ok_or(Reason::Algorithm)?;
        let hash = Hash::of_algorithm(&jws.algorithm).ok_or(Reason::Algorithm)?;
        if keys.made(hash, signed, &jws.signature, now) { Ok(()) } else { Err(Reason::Signature) }
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

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of_algorithm(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Sha256),
            "HS384" => Some(Self::Sha384),
            "HS512" => Some(Self::Sha512),
            _ => None,
        }
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
