use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer as _;
use rsa::{BoxedUint, Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

// The key pair of RFC 7515, appendix A.2.
const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";

/// A key pair that signs tokens. Pairs with the same seed, which is not 0, are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// For RS256, RS384 and RS512. There is one only: making another takes seconds.
    Rsa,
    /// For ES256.
    P256(u8),
    /// For ES384.
    P384(u8),
    /// For ES512.
    P521(u8),
    /// For `EdDSA`.
    Ed25519(u8),
}

impl Signer {
    /// A token over these claims; the header names the algorithm and, if there is one, the key.
    pub fn sign(self, algorithm: &str, kid: Option<&str>, claims: &str) -> String {
        let mut header = json!({"typ": "JWT", "alg": algorithm});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let body = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
        let signature = encode(&self.signature(algorithm, body.as_bytes()));
        format!("{body}.{signature}")
    }

    /// The signature over these bytes. The algorithm matters for RSA, where it decides the hash.
    pub fn signature(self, algorithm: &str, signed: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa => {
                let key = rsa_pair();
                match algorithm {
                    "RS384" => key.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(signed)),
                    "RS512" => key.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(signed)),
                    _ => key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed)),
                }
                .unwrap()
            }
            Self::P256(seed) => {
                let signature: p256::ecdsa::Signature = p256_pair(seed).sign(signed);
                signature.to_bytes().to_vec()
            }
            Self::P384(seed) => {
                let signature: p384::ecdsa::Signature = p384_pair(seed).sign(signed);
                signature.to_bytes().to_vec()
            }
            Self::P521(seed) => {
                let signature: p521::ecdsa::Signature = p521_pair(seed).sign(signed);
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(seed) => {
                use ed25519_dalek::Signer as _;
                ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).sign(signed).to_bytes().to_vec()
            }
        }
    }

    /// The public key as a member of a key set.
    pub fn jwk(self, kid: &str) -> Value {
        let elliptic = |curve: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({"kty": "EC", "kid": kid, "crv": curve, "x": encode(x), "y": encode(y)})
        };
        match self {
            Self::Rsa => json!({"kty": "RSA", "kid": kid, "n": N, "e": "AQAB"}),
            Self::P256(_) => elliptic("P-256", &self.public_bytes()),
            Self::P384(_) => elliptic("P-384", &self.public_bytes()),
            Self::P521(_) => elliptic("P-521", &self.public_bytes()),
            Self::Ed25519(_) => {
                json!({"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": encode(&self.public_bytes())})
            }
        }
    }

    /// The public key in PEM, as `openssl pkey -pubout` writes it.
    pub fn pem(self) -> String {
        let head = match self {
            Self::Rsa => "30820122300d06092a864886f70d01010105000382010f003082010a0282010100",
            Self::P256(_) => "3059301306072a8648ce3d020106082a8648ce3d030107034200",
            Self::P384(_) => "3076301006072a8648ce3d020106052b81040022036200",
            Self::P521(_) => "30819b301006072a8648ce3d020106052b8104002303818600",
            Self::Ed25519(_) => "302a300506032b6570032100",
        };
        let mut der: Vec<u8> =
            (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap()).collect();
        der.extend(self.public_bytes());
        if self == Self::Rsa {
            // The exponent, 65537.
            der.extend([2, 3, 1, 0, 1]);
        }
        let text = STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The modulus, the uncompressed point, or the 32 bytes of the key.
    fn public_bytes(self) -> Vec<u8> {
        match self {
            Self::Rsa => decode(N),
            Self::P256(seed) => p256_pair(seed).verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(seed) => p384_pair(seed).verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P521(seed) => p521_pair(seed).verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Ed25519(seed) => {
                ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes().to_vec()
            }
        }
    }
}

fn rsa_pair() -> RsaPrivateKey {
    let number = |text: &str| BoxedUint::from_be_slice_vartime(&decode(text));
    let exponent = BoxedUint::from(65_537_u64);
    RsaPrivateKey::from_components(number(N), exponent, number(D), vec![number(P), number(Q)]).unwrap()
}

fn p256_pair(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn p384_pair(seed: u8) -> p384::ecdsa::SigningKey {
    p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap()
}

fn p521_pair(seed: u8) -> p521::ecdsa::SigningKey {
    let mut secret = [seed; 66];
    // The order of the curve has 521 bits.
    secret[0] = 0;
    p521::ecdsa::SigningKey::from_slice(&secret).unwrap()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
