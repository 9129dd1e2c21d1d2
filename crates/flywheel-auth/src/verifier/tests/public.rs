//! Signatures that a public key checks. Vectors: RFC 7515, appendices A.2 to A.4, and RFC 8037, appendix A.4.

use flywheel_testkit::Signer;

use super::*;
use crate::{Algorithm, Curve, Found, Hash, KeyRequest, KeySet, PublicKey};

const CLAIMS: &str = r#"{"sub":"42"}"#;
const SIGNERS: [(&str, Signer); 7] = [
    ("RS256", Signer::Rsa),
    ("RS384", Signer::Rsa),
    ("RS512", Signer::Rsa),
    ("ES256", Signer::P256(1)),
    ("ES384", Signer::P384(1)),
    ("ES512", Signer::P521(1)),
    ("EdDSA", Signer::Ed25519(1)),
];

fn with_rsa(key: &str) -> Result<Verifier, SettingsError> {
    Verifier::new(TokenSettings { rsa_public_key: Some(key.into()), ..settings() })
}

fn with_ecdsa(key: &str) -> Result<Verifier, SettingsError> {
    Verifier::new(TokenSettings { ecdsa_public_key: Some(key.into()), ..settings() })
}

fn published() -> Verifier {
    let endpoint = Some("https://id.example/keys".into());
    verifier(TokenSettings { jwks_public_endpoint: endpoint, ..settings() })
}

/// The key that a set of one gives out.
fn published_key(jwk: &str, algorithm: Algorithm) -> Option<std::sync::Arc<PublicKey>> {
    let set = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
    match set.find(&KeyRequest::new("", "k", algorithm)) {
        Found::Key(key) => Some(key),
        _ => None,
    }
}

fn key_of(signer: Signer, algorithm: &str) -> std::sync::Arc<PublicKey> {
    published_key(&signer.jwk("k").to_string(), Algorithm::of_name(algorithm).unwrap()).unwrap()
}

#[test]
fn the_published_vectors_verify() {
    const JOE: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let check = |jwk: &str, algorithm: Algorithm, token: &str| {
        let key = published_key(jwk, algorithm).unwrap();
        published()
            .verify_connect_with(token, UnixSeconds(1_300_819_379), &key)
            .map(|claims| claims.expire_at)
    };
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let jwk = Signer::Rsa.jwk("k").to_string();
    assert_eq!(check(&jwk, Algorithm::Rsa(Hash::Sha256), &rs256), Ok(Some(UnixSeconds(1_300_819_380))));

    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let jwk = r#"{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    assert_eq!(check(jwk, Algorithm::Ecdsa(Curve::P256), &es256), Ok(Some(UnixSeconds(1_300_819_380))));

    // What these two sign is no JSON: getting as far as that proves the signature.
    let es512 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let jwk = r#"{"kty":"EC","crv":"P-521","kid":"k","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
    let no_json = Err(Reason::Json(crate::Part::Claims).into());
    assert_eq!(check(jwk, Algorithm::Ecdsa(Curve::P521), es512), no_json);
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(check(jwk, Algorithm::EdDsa, eddsa), no_json);
}

#[test]
fn every_algorithm_is_accepted_with_its_own_key_in_pem() {
    for (algorithm, signer) in SIGNERS {
        let token = signer.sign(algorithm, None, CLAIMS);
        let verifier = match signer {
            Signer::Rsa => with_rsa(&signer.pem()).unwrap(),
            Signer::Ed25519(_) => continue,
            _ => with_ecdsa(&signer.pem()).unwrap(),
        };
        assert!(verifier.uses_public_keys());
        assert_eq!(verifier.verify_connect(&token, NOW).unwrap().user, "42".into(), "{algorithm}");
        // The secret beside it still counts, for its own algorithms.
        assert!(verifier.verify_connect(&sign_hs256(SECRET, CLAIMS), NOW).is_ok());
    }
}

#[test]
fn every_algorithm_is_accepted_with_its_own_published_key() {
    let verifier = published();
    for (algorithm, signer) in SIGNERS {
        let token = signer.sign(algorithm, Some("k"), CLAIMS);
        let Err(Unverified::NeedsKey(request)) = verifier.verify_connect(&token, NOW) else {
            panic!("{algorithm} needs a key");
        };
        assert_eq!((request.url(), request.kid()), ("https://id.example/keys", "k"));
        assert_eq!(request.algorithm().to_string(), algorithm);
        let key = key_of(signer, algorithm);
        assert_eq!(verifier.verify_connect_with(&token, NOW, &key).unwrap().user, "42".into());
        let subscription = signer.sign(algorithm, Some("k"), r#"{"sub":"42","channel":"a"}"#);
        assert!(matches!(verifier.verify_subscription(&subscription, NOW), Err(Unverified::NeedsKey(_))));
        assert_eq!(verifier.verify_subscription_with(&subscription, NOW, &key).unwrap().user, "42".into());
        let expired = signer.sign(algorithm, Some("k"), r#"{"exp":1}"#);
        assert_eq!(verifier.verify_connect_with(&expired, NOW, &key), Err(TokenError::Expired));
    }
}

#[test]
fn a_changed_token_or_a_foreign_key_is_refused() {
    let verifier = published();
    for (algorithm, signer) in SIGNERS {
        let token = signer.sign(algorithm, Some("k"), CLAIMS);
        let (body, signature) = token.rsplit_once('.').unwrap();
        let key = key_of(signer, algorithm);
        let other = signer.sign(algorithm, Some("k"), r#"{"sub":"43"}"#);
        let (other_body, other_signature) = other.rsplit_once('.').unwrap();
        let half = &signature[..signature.len() / 2 / 4 * 4];
        for tampered in [
            format!("{other_body}.{signature}"),
            format!("{body}.{other_signature}"),
            format!("{body}.{half}"),
            format!("{body}.{half}{half}{half}"),
            format!("{body}.{}", "A".repeat(signature.len())),
            format!("{body}."),
        ] {
            let result = verifier.verify_connect_with(&tampered, NOW, &key);
            assert_eq!(result, Err(Reason::Signature.into()), "{algorithm} {tampered}");
        }
        let foreign = match signer {
            // One more than the modulus it should be, and so another key.
            Signer::Rsa => {
                let mut jwk = signer.jwk("k");
                let modulus = jwk["n"].as_str().unwrap().replace("ofgW", "ofgX");
                jwk["n"] = modulus.into();
                published_key(&jwk.to_string(), Algorithm::of_name(algorithm).unwrap()).unwrap()
            }
            Signer::P256(_) => key_of(Signer::P256(2), algorithm),
            Signer::P384(_) => key_of(Signer::P384(2), algorithm),
            Signer::P521(_) => key_of(Signer::P521(2), algorithm),
            Signer::Ed25519(_) => key_of(Signer::Ed25519(2), algorithm),
        };
        assert_eq!(verifier.verify_connect_with(&token, NOW, &foreign), Err(Reason::Signature.into()));
    }
}

#[test]
fn a_key_checks_no_algorithm_but_its_own() {
    let verifier = published();
    for (own, signer) in SIGNERS {
        let key = key_of(signer, own);
        for (algorithm, _) in SIGNERS {
            let is_rsa = own.starts_with("RS") && algorithm.starts_with("RS");
            if own == algorithm || is_rsa {
                continue;
            }
            let token = signer.sign(algorithm, Some("k"), CLAIMS);
            let result = verifier.verify_connect_with(&token, NOW, &key);
            assert_eq!(result, Err(Reason::UnfitKey.into()), "{own} key, {algorithm} token");
        }
    }
    // The hash is part of the algorithm: a signature with another is no signature.
    let token = Signer::Rsa.sign("RS256", Some("k"), CLAIMS);
    let (_, rest) = token.split_once('.').unwrap();
    let renamed = format!("eyJhbGciOiJSUzUxMiIsImtpZCI6ImsifQ.{rest}");
    let key = key_of(Signer::Rsa, "RS512");
    assert_eq!(verifier.verify_connect_with(&renamed, NOW, &key), Err(Reason::Signature.into()));
}

#[test]
fn a_public_key_is_never_the_secret_of_an_hmac() {
    let pem = Signer::Rsa.pem();
    let rsa = verifier(TokenSettings { rsa_public_key: Some(pem.clone()), ..TokenSettings::default() });
    let forged = sign_hs256(pem.as_bytes(), CLAIMS);
    assert_eq!(rsa.verify_connect(&forged, NOW), Err(Reason::Algorithm.into()));
    let token = Signer::Rsa.sign("RS256", Some("k"), CLAIMS);
    assert!(rsa.verify_connect(&token, NOW).is_ok());
    // With published keys, neither the secret nor a single key beside them counts.
    let all = verifier(TokenSettings {
        rsa_public_key: Some(pem),
        jwks_public_endpoint: Some("https://id.example/keys".into()),
        ..settings()
    });
    assert_eq!(all.verify_connect(&sign_hs256(SECRET, CLAIMS), NOW), Err(Reason::Algorithm.into()));
    assert!(matches!(all.verify_connect(&token, NOW), Err(Unverified::NeedsKey(_))));
    for (algorithm, signer) in SIGNERS {
        let result = all.verify_connect_with(&forged, NOW, &key_of(signer, algorithm));
        assert_eq!(result, Err(Reason::UnfitKey.into()));
    }
    // A key handed to a verifier that never asked for one opens nothing.
    assert_eq!(
        rsa.verify_connect_with(&token, NOW, &key_of(Signer::Rsa, "RS256")),
        Err(Reason::Algorithm.into())
    );
}

#[test]
fn only_algorithms_with_a_key_are_accepted() {
    let rsa = with_rsa(&Signer::Rsa.pem()).unwrap();
    let p256 = with_ecdsa(&Signer::P256(1).pem()).unwrap();
    for (algorithm, signer) in SIGNERS {
        let token = signer.sign(algorithm, None, CLAIMS);
        assert_eq!(rsa.verify_connect(&token, NOW).is_ok(), algorithm.starts_with("RS"), "{algorithm}");
        assert_eq!(p256.verify_connect(&token, NOW).is_ok(), algorithm == "ES256", "{algorithm}");
        let neither = verifier(settings());
        assert_eq!(neither.verify_connect(&token, NOW), Err(Reason::Algorithm.into()));
        assert!(!neither.uses_public_keys());
    }
    for unknown in ["PS256", "ES256K", "none", "Ed25519", "rs256"] {
        let token = Signer::Rsa.sign(unknown, Some("k"), CLAIMS);
        assert_eq!(rsa.verify_connect(&token, NOW), Err(Reason::Algorithm.into()), "{unknown}");
        assert_eq!(published().verify_connect(&token, NOW), Err(Reason::Algorithm.into()), "{unknown}");
    }
}

#[test]
fn a_token_without_a_key_name_belongs_to_no_key_set() {
    for kid in [None, Some("")] {
        let token = Signer::Ed25519(1).sign("EdDSA", kid, CLAIMS);
        assert_eq!(published().verify_connect(&token, NOW), Err(Reason::NoKeyName.into()));
    }
}

#[test]
fn a_key_that_cannot_be_used_is_named() {
    let problem = |result: Result<Verifier, SettingsError>| result.unwrap_err().to_string();
    let refused = |text: &str| (problem(with_rsa(text)), problem(with_ecdsa(text)));
    let (rsa, ecdsa) = refused("what");
    assert_eq!(rsa, "rsa_public_key: not a public key in PEM");
    assert_eq!(ecdsa, "ecdsa_public_key: not a public key in PEM");
    assert_eq!(problem(with_rsa(&Signer::P256(1).pem())), "rsa_public_key: a key of another kind");
    assert_eq!(problem(with_ecdsa(&Signer::Rsa.pem())), "ecdsa_public_key: a key of another kind");
    assert_eq!(problem(with_ecdsa(&Signer::Ed25519(1).pem())), "ecdsa_public_key: a key of another kind");
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(problem(with_rsa(private)).contains("a private key"));
    let pem = Signer::P256(1).pem();
    for (from, to) in
        [("MFkw", "MFkx"), ("BEGIN", "BIGIN"), ("END", "AND"), ("MFkw", "MFk*"), ("MFkwEwYH", "")]
    {
        assert!(with_ecdsa(&pem.replace(from, to)).is_err(), "{from} {to}");
    }
    // Another last byte, and the point is beside the curve.
    let at = pem.find("==").unwrap() - 3;
    let beside = format!("{}{}{}", &pem[..at], if &pem[at..=at] == "A" { "B" } else { "A" }, &pem[at + 1..]);
    assert_eq!(problem(with_ecdsa(&beside)), "ecdsa_public_key: not a valid key");
}

#[test]
fn pem_may_be_indented_stand_behind_text_or_have_other_line_ends() {
    let pem = Signer::Rsa.pem();
    for text in [
        format!("subject=x\n{pem}"),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\n    "),
        pem.replace('\n', ""),
        format!("{pem}{}", Signer::P256(1).pem()),
    ] {
        assert!(with_rsa(&text).is_ok(), "{text}");
    }
}

#[test]
fn keys_as_openssl_writes_them_are_read() {
    // `openssl rsa -RSAPublicKey_out` and `openssl req -x509` of one throw-away key.
    assert!(with_rsa(include_str!("keys/rsa_pkcs1.pem")).is_ok());
    assert!(with_rsa(include_str!("keys/rsa_certificate.pem")).is_ok());
    assert!(with_ecdsa(include_str!("keys/p384_certificate.pem")).is_ok());
    let short = with_rsa(include_str!("keys/rsa_1024.pem")).unwrap_err().to_string();
    assert_eq!(short, "rsa_public_key: an RSA key of 1024 bits; 2048 to 8192 are accepted");
    let curve = with_ecdsa(include_str!("keys/secp256k1.pem")).unwrap_err().to_string();
    assert_eq!(curve, "ecdsa_public_key: an unknown curve");
}

#[test]
fn only_what_the_settings_list_reaches_an_address() {
    let tenants = |issuer: &str, url: &str, unlisted: bool| {
        verifier(TokenSettings {
            jwks_public_endpoint: Some(url.into()),
            issuer_regex: Some(issuer.into()),
            unlisted_jwks_values: unlisted,
            ..TokenSettings::default()
        })
    };
    let asked = |verifier: &Verifier, claims: &str| match verifier
        .verify_connect(&Signer::Ed25519(1).sign("EdDSA", Some("k"), claims), NOW)
    {
        Err(Unverified::NeedsKey(request)) => Ok(request.url().to_owned()),
        Err(Unverified::Refused(TokenError::Invalid(reason))) => Err(reason),
        other => panic!("{other:?}"),
    };
    let listed = tenants("(?P<tenant>one|two)", "https://{{tenant}}.id.example/{{ tenant }}/keys", false);
    assert_eq!(asked(&listed, r#"{"iss":"one"}"#).unwrap(), "https://one.id.example/one/keys");
    // The pattern is no whole match, and still nothing but the listed value goes in.
    assert_eq!(asked(&listed, r#"{"iss":"evil.example/#two"}"#).unwrap(), "https://two.id.example/two/keys");
    for other in [r#"{"iss":"three"}"#, r#"{"iss":""}"#, "{}"] {
        assert_eq!(asked(&listed, other), Err(Reason::Issuer), "{other}");
    }
    let optional = tenants("^x(?P<tenant>one)?", "https://{{tenant}}.id.example/keys", false);
    assert_eq!(asked(&optional, r#"{"iss":"x"}"#), Err(Reason::KeySetUrl));
    // Without the check, what would change the address is refused all the same.
    let unlisted = tenants("^(?P<tenant>.*)$", "https://id.example/{{tenant}}/keys", true);
    assert_eq!(asked(&unlisted, r#"{"iss":"any.one"}"#).unwrap(), "https://id.example/any.one/keys");
    for evil in ["", ".", "..", "a/b", "@evil.example", "a?b", "a#b", "a b", "a%2fb", "a:80", "ä", "a\\\\b"]
    {
        let claims = format!(r#"{{"iss":"{evil}"}}"#);
        assert_eq!(asked(&unlisted, &claims), Err(Reason::KeySetUrl), "{evil}");
    }
}
