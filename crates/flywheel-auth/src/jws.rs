use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;

use crate::algorithm::Algorithm;
use crate::error::{Part, Reason};

/// What the first part says of the signature.
pub(crate) struct Header {
    /// `alg`; `None` for one that is not known here. Never `none`.
    pub(crate) algorithm: Option<Algorithm>,
    /// `kid`; not empty.
    pub(crate) kid: Option<String>,
}

/// A token taken apart, of unknown origin.
pub(crate) struct Jws {
    pub(crate) header: Header,
    /// Text of the second part.
    pub(crate) claims: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Jws {
    /// Takes `token` apart; the second result is what its signature is about.
    pub(crate) fn decode(token: &str) -> Result<(Self, &[u8]), Reason> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Reason::Structure)?;
        let (header, claims) = signed.split_once('.').ok_or(Reason::Structure)?;
        let header = part(header, Part::Header)?;
        let jws = Self {
            header: read_header(&header)?,
            claims: part(claims, Part::Claims)?,
            signature: part(signature, Part::Signature)?,
        };
        Ok((jws, signed.as_bytes()))
    }
}

fn part(text: &str, part: Part) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Reason::Encoding(part))
}

fn read_header(header: &[u8]) -> Result<Header, Reason> {
    let malformed = |_| Reason::Json(Part::Header);
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(header).map_err(malformed)?;
    // Extensions that must be understood (RFC 7515, section 4.1.11): none is.
    if members.contains_key("crit") {
        return Err(Reason::Json(Part::Header));
    }
    let algorithm = members.get("alg").ok_or(Reason::Algorithm)?;
    let algorithm: String = serde_json::from_str(algorithm.get()).map_err(malformed)?;
    if algorithm.eq_ignore_ascii_case("none") {
        return Err(Reason::Algorithm);
    }
    // A key name of a wrong type matters only where it is asked for.
    let kid = members.get("kid").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    Ok(Header { algorithm: Algorithm::of_name(&algorithm), kid: kid.filter(|kid| !kid.is_empty()) })
}
