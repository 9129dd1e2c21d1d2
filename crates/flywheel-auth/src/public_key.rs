use ed25519_dalek as ed25519;
use p256::ecdsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::algorithm::{Algorithm, Curve, Hash};
use crate::error::Reason;

mod pem;

/// Sizes of an RSA modulus, in bits. Smaller ones are refused (RFC 7518, section 3.3); larger ones would let a
/// key set make every check slow.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key that checks signatures and cannot make any.
#[derive(Debug, Clone)]
pub struct PublicKey {
    kind: Kind,
    /// The one algorithm it is for, if its publisher says so.
    only: Option<Algorithm>,
}

#[derive(Debug, Clone)]
enum Kind {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(ed25519::VerifyingKey),
}

/// Why a text or a member of a key set is no key that could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no block of PEM in it, or what is inside is not base64 of such a key.
    #[error("not a public key in PEM")]
    Malformed,
    /// It is a private key, which has no business here.
    #[error("a private key; give the public one that belongs to it")]
    Private,
    /// A good key of another kind than asked for.
    #[error("a key of another kind")]
    OtherKind,
    /// An RSA modulus must have between 2048 and 8192 bits.
    #[error("an RSA key of {0} bits; 2048 to 8192 are accepted")]
    RsaBits(usize),
    /// The curve is not P-256, P-384 or P-521.
    #[error("an unknown curve")]
    Curve,
    /// The numbers are no key: a point beside its curve, an even modulus, an exponent out of range.
    #[error("not a valid key")]
    Invalid,
}

impl PublicKey {
    /// An RSA key in PEM: `PUBLIC KEY`, `RSA PUBLIC KEY` or `CERTIFICATE`. It is for RS256, RS384 and RS512.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn rsa_from_pem(text: &str) -> Result<Self, KeyError> {
        let key = pem::read(text)?;
        if matches!(key.kind, Kind::Rsa(_)) { Ok(key) } else { Err(KeyError::OtherKind) }
    }

    /// An ECDSA key in PEM: `PUBLIC KEY` or `CERTIFICATE`. Its curve decides which algorithm it is for.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn ecdsa_from_pem(text: &str) -> Result<Self, KeyError> {
        let key = pem::read(text)?;
        let is_ecdsa = matches!(key.kind, Kind::P256(_) | Kind::P384(_) | Kind::P521(_));
        if is_ecdsa { Ok(key) } else { Err(KeyError::OtherKind) }
    }

    /// From modulus and exponent, most significant byte first.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) = (integer(modulus)?, integer(exponent)?);
        let bits = modulus.bits() as usize;
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::RsaBits(bits));
        }
        let key = RsaPublicKey::new_with_size_limits(modulus, exponent, RSA_BITS);
        key.map(|key| Kind::Rsa(key).into()).map_err(|_| KeyError::Invalid)
    }

    /// From a point in the encoding of SEC 1, section 2.3.3.
    pub(crate) fn ecdsa(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        let kind = match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Kind::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Kind::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Kind::P521),
        };
        kind.map(Self::from).map_err(|_| KeyError::Invalid)
    }

    /// From the 32 bytes of RFC 8032, section 5.1.5.
    pub(crate) fn ed25519(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = bytes.try_into().map_err(|_| KeyError::Invalid)?;
        let key = ed25519::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Invalid)?;
        // With such a key, one signature is good for many messages.
        if key.is_weak() { Err(KeyError::Invalid) } else { Ok(Kind::Ed25519(key).into()) }
    }

    /// The same key, for one algorithm alone; `None` if it cannot be for that one.
    pub(crate) fn only_for(self, algorithm: Algorithm) -> Option<Self> {
        self.is_for(algorithm).then_some(Self { only: Some(algorithm), ..self })
    }

    /// Whether it may check signatures of this algorithm. Never true for HMAC.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        let by_kind = matches!(
            (&self.kind, algorithm),
            (Kind::Rsa(_), Algorithm::Rsa(_))
                | (Kind::P256(_), Algorithm::Ecdsa(Curve::P256))
                | (Kind::P384(_), Algorithm::Ecdsa(Curve::P384))
                | (Kind::P521(_), Algorithm::Ecdsa(Curve::P521))
                | (Kind::Ed25519(_), Algorithm::EdDsa)
        );
        by_kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether this key's other half signed `signed`. A key that is not for the algorithm is an error of its own.
    pub(crate) fn check(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), Reason> {
        if !self.is_for(algorithm) {
            return Err(Reason::UnfitKey);
        }
        let made = match &self.kind {
            Kind::Rsa(key) => match algorithm {
                Algorithm::Rsa(hash) => made_by_rsa(key, hash, signed, signature),
                _ => false,
            },
            Kind::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            Kind::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            Kind::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            Kind::Ed25519(key) => ed25519::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
        };
        if made { Ok(()) } else { Err(Reason::Signature) }
    }
}

impl From<Kind> for PublicKey {
    fn from(kind: Kind) -> Self {
        Self { kind, only: None }
    }
}

fn integer(bytes: &[u8]) -> Result<BoxedUint, KeyError> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    // Twice the largest modulus; what is longer is not worth the arithmetic.
    if digits.len() > RSA_BITS.end() / 4 {
        return Err(KeyError::RsaBits(digits.len() * 8));
    }
    Ok(BoxedUint::from_be_slice_vartime(digits))
}

fn made_by_rsa(key: &RsaPublicKey, hash: Hash, signed: &[u8], signature: &[u8]) -> bool {
    // The signature has exactly the length of the modulus (RFC 8017, section 8.2.2).
    if signature.len() != key.size() {
        return false;
    }
    match hash {
        Hash::Sha256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed), signature),
        Hash::Sha384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(signed), signature),
        Hash::Sha512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(signed), signature),
    }
    .is_ok()
}
