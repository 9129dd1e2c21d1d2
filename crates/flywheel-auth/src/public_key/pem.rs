use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::pkcs8::der::asn1::ObjectIdentifier;
use rsa::pkcs8::der::{Decode, Reader, SliceReader, Tag};
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;
use rsa::traits::PublicKeyParts;

use super::{KeyError, PublicKey};
use crate::algorithm::Curve;

// RFC 3279, section 2.3, and RFC 5480, section 2.1.1.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The key in the first block of `text`. Lines may be of any length and indented, as YAML likes to have them.
pub(super) fn read(text: &str) -> Result<PublicKey, KeyError> {
    let (label, der) = block(text).ok_or(KeyError::Malformed)?;
    match label {
        "PUBLIC KEY" => of_info(&der),
        "RSA PUBLIC KEY" => {
            RsaPublicKey::from_pkcs1_der(&der).map_err(|_| KeyError::Malformed).and_then(|key| of_rsa(&key))
        }
        "CERTIFICATE" => of_info(info_of_certificate(&der).ok_or(KeyError::Malformed)?),
        label if label.ends_with("PRIVATE KEY") => Err(KeyError::Private),
        _ => Err(KeyError::Malformed),
    }
}

/// Label and contents of the first block (RFC 7468).
fn block(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, begun) = text.split_once("-----BEGIN ")?;
    let (label, rest) = begun.split_once("-----")?;
    let (inside, _) = rest.split_once("-----END ")?;
    let digits: String = inside.split_ascii_whitespace().collect();
    Some((label, STANDARD.decode(digits).ok()?))
}

/// The key in a `SubjectPublicKeyInfo`, which says of what kind it is.
fn of_info(der: &[u8]) -> Result<PublicKey, KeyError> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?;
    match info.algorithm.oid {
        RSA => {
            RsaPublicKey::from_public_key_der(der).map_err(|_| KeyError::Invalid).and_then(|key| of_rsa(&key))
        }
        ELLIPTIC => match info.algorithm.parameters_oid() {
            Ok(P256) => PublicKey::ecdsa(Curve::P256, bits),
            Ok(P384) => PublicKey::ecdsa(Curve::P384, bits),
            Ok(P521) => PublicKey::ecdsa(Curve::P521, bits),
            _ => Err(KeyError::Curve),
        },
        ED25519 => PublicKey::ed25519(bits),
        _ => Err(KeyError::OtherKind),
    }
}

/// The key again, if its size is acceptable.
fn of_rsa(key: &RsaPublicKey) -> Result<PublicKey, KeyError> {
    PublicKey::rsa(&key.n_bytes(), &key.e_bytes())
}

/// The part of an X.509 certificate that holds its key (RFC 5280, section 4.1). Nothing else in it is looked at: the
/// operator put it into the configuration and so vouches for it.
fn info_of_certificate(der: &[u8]) -> Option<&[u8]> {
    let mut certificate = SliceReader::new(contents(der)?).ok()?;
    let mut fields = SliceReader::new(contents(certificate.tlv_bytes().ok()?)?).ok()?;
    if matches!(Tag::peek(&fields).ok()?, Tag::ContextSpecific { .. }) {
        let _version = fields.tlv_bytes().ok()?;
    }
    for _field in ["serialNumber", "signature", "issuer", "validity", "subject"] {
        let _skipped = fields.tlv_bytes().ok()?;
    }
    fields.tlv_bytes().ok()
}

/// What is inside a sequence.
fn contents(der: &[u8]) -> Option<&[u8]> {
    let any = rsa::pkcs8::der::asn1::AnyRef::from_der(der).ok()?;
    (rsa::pkcs8::der::Tagged::tag(&any) == Tag::Sequence).then_some(any.value())
}
