use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret that [`fixture`](crate::fixture) and [`named_token`] share.
const SECRET: &str = "appendix-secret";

/// Claims of the tokens that transcripts name with `@`. Source: client protocol, appendix A, fixture.
const NAMED: [(&str, &str); 8] = [
    ("T42", r#"{"sub":"42","info":{"name":"Ann"}}"#),
    ("T43", r#"{"sub":"43"}"#),
    ("TLONG", r#"{"sub":"42","exp":4102444800}"#),
    ("TEXP", r#"{"sub":"42","exp":1600000000}"#),
    ("TSUBS", r#"{"sub":"42","channels":["log:feed"]}"#),
    ("STVAULT", r#"{"sub":"42","channel":"$vault:1","exp":4102444800}"#),
    ("STBAD", r#"{"sub":"43","channel":"$vault:1"}"#),
    ("STEXP", r#"{"sub":"42","channel":"$vault:1","exp":1600000000}"#),
];

/// A JSON Web Token over these claims, signed with HS256.
pub fn sign(secret: &str, claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let body = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is fine");
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The token that transcripts call `@name`; `None` when there is none.
pub fn named_token(name: &str) -> Option<String> {
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, claims)| sign(SECRET, claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signer_agrees_with_the_published_example() {
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.\
                        cHhtMq7Txtsy4c1pSVlJw3WVRU7AO-YWIYjNEAB_N1E";
        assert_eq!(named_token("T42").as_deref(), Some(expected));
        assert_eq!(named_token("T44"), None);
    }
}
