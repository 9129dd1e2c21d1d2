use flywheel_testkit::Signer;
use serde_json::{Value, json};

use super::*;

fn set(keys: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn with(mut jwk: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn request(kid: &str, algorithm: &str) -> KeyRequest {
    KeyRequest::new("", kid, Algorithm::of_name(algorithm).unwrap())
}

fn is_used(jwk: &Value) -> bool {
    set(&json!([jwk])).len() == 1
}

#[test]
fn keys_of_every_kind_are_found_by_name() {
    let signers = [Signer::Rsa, Signer::P256(1), Signer::P384(1), Signer::P521(1), Signer::Ed25519(1)];
    let keys: Vec<_> = signers.iter().enumerate().map(|(at, signer)| signer.jwk(&format!("k{at}"))).collect();
    let set = set(&json!(keys));
    for (kid, algorithm) in
        [("k0", "RS384"), ("k1", "ES256"), ("k2", "ES384"), ("k3", "ES512"), ("k4", "EdDSA")]
    {
        assert!(matches!(set.find(&request(kid, algorithm)), Found::Key(_)), "{kid}");
        assert!(matches!(set.find(&request(kid, "HS256")), Found::Unfit), "{kid}");
    }
    assert!(matches!(set.find(&request("k1", "ES384")), Found::Unfit));
    assert!(matches!(set.find(&request("k5", "ES384")), Found::Absent));
    assert!(matches!(set.find(&request("", "ES384")), Found::Absent));
}

#[test]
fn one_name_may_stand_for_keys_of_different_kinds() {
    let set = set(&json!([Signer::P256(1).jwk("k"), Signer::Ed25519(1).jwk("k")]));
    assert!(matches!(set.find(&request("k", "ES256")), Found::Key(_)));
    assert!(matches!(set.find(&request("k", "EdDSA")), Found::Key(_)));
    assert!(matches!(set.find(&request("k", "RS256")), Found::Unfit));
}

#[test]
fn a_stated_algorithm_binds_the_key_to_it() {
    let bound = set(&json!([with(Signer::Rsa.jwk("k"), &json!({"alg": "RS256"}))]));
    assert!(matches!(bound.find(&request("k", "RS256")), Found::Key(_)));
    assert!(matches!(bound.find(&request("k", "RS512")), Found::Unfit));
    for algorithm in ["PS256", "RSA-OAEP", "ES256", "HS256", "none", ""] {
        assert!(!is_used(&with(Signer::Rsa.jwk("k"), &json!({"alg": algorithm}))), "{algorithm}");
    }
    assert!(!is_used(&with(Signer::P256(1).jwk("k"), &json!({"alg": "ES384"}))));
}

#[test]
fn keys_for_other_uses_are_left_out() {
    let uses = |changes: Value| is_used(&with(Signer::Ed25519(1).jwk("k"), &changes));
    assert!(uses(json!({"use": "sig"})));
    assert!(uses(json!({"key_ops": ["sign", "verify"]})));
    assert!(uses(json!({"x5c": ["text"], "whatever": {}})));
    assert!(!uses(json!({"use": "enc"})));
    assert!(!uses(json!({"key_ops": ["encrypt"]})));
    assert!(!uses(json!({"kid": ""})));
    assert!(!uses(json!({"kid": null})));
}

#[test]
fn what_is_no_key_is_left_out_and_the_rest_stays() {
    let p256 = Signer::P256(1).jwk("bad");
    let p384 = Signer::P384(1).jwk("bad");
    let bad = [
        json!(null),
        json!(5),
        json!({}),
        json!({"kty": "oct", "kid": "bad", "k": "c2VjcmV0"}),
        json!({"kty": "OKP", "kid": "bad", "crv": "X25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        with(p256.clone(), &json!({"crv": "P-384"})),
        with(p384, &json!({"crv": "P-256"})),
        with(p256.clone(), &json!({"crv": "secp256k1"})),
        with(p256.clone(), &json!({"y": p256["x"]})),
        with(p256.clone(), &json!({"y": null})),
        with(p256.clone(), &json!({"x": "*"})),
        with(p256, &json!({"kty": "RSA"})),
        with(Signer::Rsa.jwk("bad"), &json!({"n": "AQAB"})),
        with(Signer::Rsa.jwk("bad"), &json!({"e": "AA"})),
        with(Signer::Rsa.jwk("bad"), &json!({"e": "Ag"})),
        with(Signer::Rsa.jwk("bad"), &json!({"e": Signer::Rsa.jwk("bad")["n"]})),
        with(Signer::Rsa.jwk("bad"), &json!({"n": "_".repeat(20_000)})),
        with(Signer::Ed25519(1).jwk("bad"), &json!({"x": "AAAA"})),
        // The neutral element: any signature would do for it.
        with(Signer::Ed25519(1).jwk("bad"), &json!({"x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})),
    ];
    for bad in bad {
        let set = set(&json!([bad, Signer::Ed25519(1).jwk("good")]));
        assert_eq!(set.len(), 1, "{bad}");
        assert!(matches!(set.find(&request("good", "EdDSA")), Found::Key(_)));
    }
}

#[test]
fn odd_spellings_of_publishers_are_read() {
    let jwk = Signer::Ed25519(1).jwk("k");
    let padded = format!("{}=", jwk["x"].as_str().unwrap());
    assert!(is_used(&with(jwk, &json!({"x": padded}))));
    let leading_zero = {
        let n = BASE64URL.decode(Signer::Rsa.jwk("k")["n"].as_str().unwrap()).unwrap();
        BASE64URL.encode([&[0][..], &n].concat())
    };
    assert!(is_used(&with(Signer::Rsa.jwk("k"), &json!({"n": leading_zero}))));
    // Some of these keys have a coordinate that begins with a zero.
    let short = (1..=254).find_map(|seed| {
        let jwk = Signer::P256(seed).jwk("k");
        let x = BASE64URL.decode(jwk["x"].as_str().unwrap()).unwrap();
        (x[0] == 0).then(|| with(jwk, &json!({"x": BASE64URL.encode(&x[1..])})))
    });
    assert!(short.is_none_or(|jwk| is_used(&jwk)));
}

#[test]
fn a_document_is_bounded_and_must_be_a_key_set() {
    let parse = |text: &str| KeySet::parse(text.as_bytes()).map(|set| set.len());
    assert_eq!(parse(r#"{"keys":[]}"#), Ok(0));
    for text in ["", "[]", "{}", "null", "<html>", r#"{"keys":{}}"#, r#"{"keys":5}"#, r#"{"keys":[]"#] {
        assert_eq!(parse(text), Err(KeySetProblem::Malformed), "{text}");
    }
    let many = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; count].join(","));
    assert_eq!(parse(&many(KeySet::KEYS_MAX)), Ok(0));
    assert_eq!(parse(&many(KeySet::KEYS_MAX + 1)), Err(KeySetProblem::TooMany));
    let long = format!(r#"{{"keys":[]{}}}"#, " ".repeat(KeySet::BYTES_MAX));
    assert_eq!(parse(&long), Err(KeySetProblem::TooLong));
    assert_eq!(parse(&"[".repeat(KeySet::BYTES_MAX)), Err(KeySetProblem::Malformed));
}
