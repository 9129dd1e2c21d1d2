use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha384, Sha512};

use super::*;
use crate::error::Part;

const T42: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImluZm8iOnsibmFtZSI6IkFubiJ9fQ.\
                   cHhtMq7Txtsy4c1pSVlJw3WVRU7AO-YWIYjNEAB_N1E";

#[test]
fn the_published_token_verifies_and_signs_again_byte_for_byte() {
    let claims = verifier(settings()).verify_connect(T42, NOW).unwrap();
    let expected = ConnectClaims {
        user: "42".into(),
        info: Some(json(r#"{"name":"Ann"}"#)),
        ..ConnectClaims::default()
    };
    assert_eq!(claims, expected);
    assert_eq!(sign_hs256(SECRET, r#"{"sub":"42","info":{"name":"Ann"}}"#), T42);
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let verifier = verifier(settings());
    for at in 0..T42.len() {
        for other in ["A", "B", "w", "0", "-", "_", ".", "=", " ", "ü"] {
            if T42[at..].starts_with(other) {
                continue;
            }
            let tampered = format!("{}{other}{}", &T42[..at], &T42[at + 1..]);
            let result = verifier.verify_connect(&tampered, NOW);
            assert!(matches!(result, Err(Unverified::Refused(TokenError::Invalid(_)))), "{tampered}");
        }
        assert!(verifier.verify_connect(&T42[..at], NOW).is_err());
    }
    assert!(verifier.verify_connect(&format!("{T42}."), NOW).is_err());
}

#[test]
fn the_last_character_of_a_part_has_one_spelling() {
    // The lowest bits of the last character do not reach the bytes; a lenient decoder would take four spellings.
    let verifier = verifier(settings());
    assert!(T42.ends_with('E'));
    for other in ["F", "G", "H"] {
        let twin = format!("{}{other}", &T42[..T42.len() - 1]);
        assert_eq!(verifier.verify_connect(&twin, NOW), Err(Reason::Encoding(Part::Signature).into()));
    }
}

#[test]
fn every_hmac_algorithm_is_accepted_with_its_own_hash_only() {
    fn token<M: Mac + KeyInit>(algorithm: &str) -> String {
        let header = format!(r#"{{"typ":"JWT","kid":"k","alg":"{algorithm}"}}"#);
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(r#"{"sub":"7"}"#));
        let signature =
            <M as KeyInit>::new_from_slice(SECRET).unwrap().chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
    let verifier = verifier(settings());
    for good in [token::<Hmac<Sha384>>("HS384"), token::<Hmac<Sha512>>("HS512")] {
        assert_eq!(verifier.verify_connect(&good, NOW).unwrap().user, "7".into());
    }
    let mixed = token::<Hmac<Sha512>>("HS256");
    assert_eq!(verifier.verify_connect(&mixed, NOW), Err(Reason::Signature.into()));
    for algorithm in ["none", "None", "hs256", "HS1", "RS256", "ES256", "EdDSA", ""] {
        let result = verifier.verify_connect(&token::<Hmac<Sha512>>(algorithm), NOW);
        assert_eq!(result, Err(Reason::Algorithm.into()), "{algorithm}");
    }
}

#[test]
fn without_a_current_secret_no_token_is_valid() {
    for secret in [None, Some(String::new())] {
        let verifier = verifier(TokenSettings {
            hmac_secret_key: secret,
            hmac_previous_secret_key: Some("appendix-secret".into()),
            ..TokenSettings::default()
        });
        assert_eq!(verifier.verify_connect(T42, NOW), Err(Reason::Algorithm.into()));
        let with_empty_key = sign_hs256(b"", "{}");
        assert_eq!(verifier.verify_connect(&with_empty_key, NOW), Err(Reason::Algorithm.into()));
    }
}

#[test]
fn an_empty_previous_secret_is_no_secret() {
    let verifier = verifier(TokenSettings { hmac_previous_secret_key: Some(String::new()), ..settings() });
    assert_eq!(verifier.verify_connect(&sign_hs256(b"", "{}"), NOW), Err(Reason::Signature.into()));
}

#[test]
fn a_previous_secret_counts_until_its_cut_off() {
    let check = |valid_until: i64, now: i64| {
        verifier(TokenSettings {
            hmac_secret_key: Some("new".into()),
            hmac_previous_secret_key: Some("appendix-secret".into()),
            hmac_previous_secret_key_valid_until: valid_until,
            ..TokenSettings::default()
        })
        .verify_connect(T42, UnixSeconds(now))
        .map(|claims| claims.user)
    };
    assert_eq!(check(0, i64::MAX), Ok("42".into()));
    assert_eq!(check(1_000, 999), Ok("42".into()));
    assert_eq!(check(1_000, 1_000), Ok("42".into()));
    assert_eq!(check(1_000, 1_001), Err(Reason::Signature.into()));
    assert_eq!(connect("{}").map(|claims| claims.user), Ok("".into()));
}

#[test]
fn a_skipped_signature_leaves_every_other_check() {
    let verifier = verifier(TokenSettings { skip_signature: true, ..TokenSettings::default() });
    let foreign = sign_hs256(b"whatever", r#"{"sub":"9"}"#);
    assert_eq!(verifier.verify_connect(&foreign, NOW).unwrap().user, "9".into());
    let unsigned = |header: &str| format!("{}.e30.", URL_SAFE_NO_PAD.encode(header));
    assert!(verifier.verify_connect(&unsigned(r#"{"alg":"RS256"}"#), NOW).is_ok());
    assert_eq!(verifier.verify_connect(&unsigned(r#"{"alg":"none"}"#), NOW), Err(Reason::Algorithm.into()));
    let expired = sign_hs256(b"whatever", r#"{"exp":1}"#);
    assert_eq!(verifier.verify_connect(&expired, NOW), Err(TokenError::Expired.into()));
}

#[test]
fn what_is_no_token_is_invalid() {
    let verifier = verifier(settings());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let odd = |header: &str| format!("{}.e30.", URL_SAFE_NO_PAD.encode(header));
    for (token, reason) in [
        (String::new(), Reason::Structure),
        ("a.b".into(), Reason::Structure),
        ("a.b.c".into(), Reason::Encoding(Part::Header)),
        ("ü.b.c".into(), Reason::Encoding(Part::Header)),
        (format!("{header}.e30.e30.e30"), Reason::Encoding(Part::Claims)),
        (format!("{header}.e30=.e30"), Reason::Encoding(Part::Claims)),
        (format!("{header}.e30.+/"), Reason::Encoding(Part::Signature)),
        (format!("{header}.e30."), Reason::Signature),
        (odd("[]"), Reason::Json(Part::Header)),
        (odd(r#"{"alg":5}"#), Reason::Json(Part::Header)),
        (odd(r#"{"alg":"HS256","crit":["b64"]}"#), Reason::Json(Part::Header)),
        (odd(r#"{"typ":"JWT"}"#), Reason::Algorithm),
        (sign_hs256(SECRET, ""), Reason::Json(Part::Claims)),
        (sign_hs256(SECRET, "null"), Reason::Json(Part::Claims)),
        (sign_hs256(SECRET, "[]"), Reason::Json(Part::Claims)),
        (sign_hs256(SECRET, "{} x"), Reason::Json(Part::Claims)),
    ] {
        assert_eq!(verifier.verify_connect(&token, NOW), Err(reason.into()), "{token}");
        assert_eq!(verifier.verify_subscription(&token, NOW), Err(reason.into()), "{token}");
    }
}
