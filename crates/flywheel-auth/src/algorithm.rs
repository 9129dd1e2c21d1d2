use std::fmt;

/// How a token may be signed.
///
/// Source: RFC 7518, section 3.1, and RFC 8037, section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HS256, HS384, HS512: a shared secret.
    Hmac(Hash),
    /// RS256, RS384, RS512: RSA with PKCS #1 v1.5 padding.
    Rsa(Hash),
    /// ES256, ES384, ES512: ECDSA. The curve decides the hash.
    Ecdsa(Curve),
    /// `EdDSA`, with Ed25519.
    EdDsa,
}

/// A hash of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// An elliptic curve, each with a hash of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// With SHA-256.
    P256,
    /// With SHA-384.
    P384,
    /// With SHA-512.
    P521,
}

const NAMES: [(&str, Algorithm); 10] = [
    ("HS256", Algorithm::Hmac(Hash::Sha256)),
    ("HS384", Algorithm::Hmac(Hash::Sha384)),
    ("HS512", Algorithm::Hmac(Hash::Sha512)),
    ("RS256", Algorithm::Rsa(Hash::Sha256)),
    ("RS384", Algorithm::Rsa(Hash::Sha384)),
    ("RS512", Algorithm::Rsa(Hash::Sha512)),
    ("ES256", Algorithm::Ecdsa(Curve::P256)),
    ("ES384", Algorithm::Ecdsa(Curve::P384)),
    ("ES512", Algorithm::Ecdsa(Curve::P521)),
    ("EdDSA", Algorithm::EdDsa),
];

impl Algorithm {
    /// The algorithm of this name, which is case-sensitive; `None` for every other, `none` included.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, algorithm)| algorithm == self).map_or("", |(name, _)| name))
    }
}
