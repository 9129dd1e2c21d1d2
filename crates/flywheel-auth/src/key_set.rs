use std::sync::Arc;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::algorithm::{Algorithm, Curve};
use crate::public_key::{KeyError, PublicKey};
use crate::request::KeyRequest;

/// Base64 with or without padding: the standard wants none, some publishers write it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys that somebody publishes, each under a name.
///
/// Source: RFC 7517, section 5.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<(String, Arc<PublicKey>)>,
}

/// Why a document is no key set. A key that cannot be used is no reason: it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetProblem {
    /// It is longer than [`KeySet::BYTES_MAX`].
    #[error("longer than {} bytes", KeySet::BYTES_MAX)]
    TooLong,
    /// It is not a JSON object with a list `keys`.
    #[error("not a JSON object with a list of keys")]
    Malformed,
    /// It has more than [`KeySet::KEYS_MAX`] keys.
    #[error("more than {} keys", KeySet::KEYS_MAX)]
    TooMany,
}

/// What a key set has for a request.
#[derive(Debug, Clone)]
pub enum Found {
    /// The key.
    Key(Arc<PublicKey>),
    /// The name is there, but its key is for another algorithm.
    Unfit,
    /// The name is not there.
    Absent,
}

impl KeySet {
    /// Bytes of a document: hundreds of large keys.
    pub const BYTES_MAX: usize = 256 * 1024;
    /// Keys of a set, those that are left out included. Publishers have two or three, large ones some dozens.
    pub const KEYS_MAX: usize = 256;

    /// Reads a document. Left out are keys without a name, of an unknown kind, for another use than signatures, for an
    /// unknown algorithm, too small, or malformed.
    ///
    /// # Errors
    /// [`KeySetProblem`].
    pub fn parse(document: &[u8]) -> Result<Self, KeySetProblem> {
        if document.len() > Self::BYTES_MAX {
            return Err(KeySetProblem::TooLong);
        }
        let document: Document<'_> =
            serde_json::from_slice(document).map_err(|_| KeySetProblem::Malformed)?;
        if document.keys.len() > Self::KEYS_MAX {
            return Err(KeySetProblem::TooMany);
        }
        let keys = document.keys.iter().filter_map(|raw| serde_json::from_str::<Jwk>(raw.get()).ok()?.read());
        Ok(Self { keys: keys.map(|(name, key)| (name, Arc::new(key))).collect() })
    }

    /// Number of keys that can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key that `request` asks for. A name may stand for several keys of different kinds.
    pub fn find(&self, request: &KeyRequest) -> Found {
        let mut named = self.keys.iter().filter(|(name, _)| name == request.kid()).peekable();
        if named.peek().is_none() {
            return Found::Absent;
        }
        let fit = named.find(|(_, key)| key.is_for(request.algorithm()));
        fit.map_or(Found::Unfit, |(_, key)| Found::Key(Arc::clone(key)))
    }
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// Members of a key that are looked at (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn read(self) -> Option<(String, PublicKey)> {
        let name = self.kid.as_deref().filter(|name| !name.is_empty())?.to_owned();
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let for_checking =
            self.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|using| using == "verify"));
        if !for_signatures || !for_checking {
            return None;
        }
        let key = self.key().ok()?;
        match &self.alg {
            None => Some((name, key)),
            Some(algorithm) => Some((name, key.only_for(Algorithm::of_name(algorithm)?)?)),
        }
    }

    fn key(&self) -> Result<PublicKey, KeyError> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&bytes(self.n.as_ref())?, &bytes(self.e.as_ref())?),
            ("EC", Some("P-256")) => self.on_curve(Curve::P256, 32),
            ("EC", Some("P-384")) => self.on_curve(Curve::P384, 48),
            ("EC", Some("P-521")) => self.on_curve(Curve::P521, 66),
            ("EC", _) => Err(KeyError::Curve),
            ("OKP", Some("Ed25519")) => PublicKey::ed25519(&bytes(self.x.as_ref())?),
            // Secrets ("oct") have no place in what is published.
            _ => Err(KeyError::OtherKind),
        }
    }

    /// The point of two coordinates of `length` bytes each. Some publishers drop leading zeros.
    fn on_curve(&self, curve: Curve, length: usize) -> Result<PublicKey, KeyError> {
        let mut point = vec![4];
        for coordinate in [&self.x, &self.y] {
            let bytes = bytes(coordinate.as_ref())?;
            let missing = length.checked_sub(bytes.len()).ok_or(KeyError::Invalid)?;
            point.resize(point.len() + missing, 0);
            point.extend_from_slice(&bytes);
        }
        PublicKey::ecdsa(curve, &point)
    }
}

fn bytes(text: Option<&String>) -> Result<Vec<u8>, KeyError> {
    let text = text.filter(|text| !text.is_empty()).ok_or(KeyError::Malformed)?;
    BASE64URL.decode(text).map_err(|_| KeyError::Malformed)
}

#[cfg(test)]
mod tests;
