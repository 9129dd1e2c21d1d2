//! Tokens for trying things out, as the commands `gentoken` and `gensubtoken` print them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flywheel_model::UnixSeconds;
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::keys::prepared;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The token that says `claims_json`, signed with HS256. The claims are taken as they are.
pub fn sign_hs256(secret: &[u8], claims_json: &str) -> String {
    let mut token = URL_SAFE_NO_PAD.encode(HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims_json, &mut token);
    let signature = prepared::<Hmac<Sha256>>(secret).chain_update(&token).finalize().into_bytes();
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// A connection token. Without `user` it is an anonymous one, without `expires_at` it has no end.
pub fn connection_token(
    secret: &[u8],
    user: Option<&str>,
    expires_at: Option<UnixSeconds>,
    issued_at: UnixSeconds,
) -> String {
    Claims::new(user, None, expires_at, issued_at).sign(secret)
}

/// A token for one subscription of `user`, who has to be the connection's.
pub fn subscription_token(
    secret: &[u8],
    user: Option<&str>,
    channel: &str,
    expires_at: Option<UnixSeconds>,
    issued_at: UnixSeconds,
) -> String {
    Claims::new(user, Some(channel), expires_at, issued_at).sign(secret)
}

#[derive(Serialize)]
struct Claims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
}

impl<'a> Claims<'a> {
    fn new(
        sub: Option<&'a str>,
        channel: Option<&'a str>,
        expires_at: Option<UnixSeconds>,
        issued_at: UnixSeconds,
    ) -> Self {
        Self { sub, exp: expires_at.map(|moment| moment.0), iat: issued_at.0, channel }
    }

    #[expect(clippy::expect_used, reason = "texts and integers have a JSON form")]
    fn sign(&self, secret: &[u8]) -> String {
        let claims = serde_json::to_string(self).expect("texts and integers have a JSON form");
        sign_hs256(secret, &claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims_of(token: &str) -> String {
        let part = token.split('.').nth(1).unwrap();
        String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn claims_stand_in_a_fixed_order_and_absent_ones_are_left_out() {
        let (end, now) = (Some(UnixSeconds(9)), UnixSeconds(5));
        let token = subscription_token(b"s", Some("4\"2"), "news:1", end, now);
        assert_eq!(claims_of(&token), r#"{"sub":"4\"2","exp":9,"iat":5,"channel":"news:1"}"#);
        assert_eq!(
            claims_of(&connection_token(b"s", Some("42"), end, now)),
            r#"{"sub":"42","exp":9,"iat":5}"#
        );
        assert_eq!(claims_of(&connection_token(b"s", None, None, now)), r#"{"iat":5}"#);
    }
}
