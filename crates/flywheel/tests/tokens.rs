//! Tokens signed with private keys, checked with public ones: from PEM, and from a key set over HTTP.

#![expect(clippy::disallowed_methods, reason = "end-to-end tests run against the real clock")]

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flywheel_testkit::{JsonClient, KeyServer, Reply, Server, Signal, Signer, fixture, set, wait_until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);
const CLAIMS: &str = r#"{"sub":"42"}"#;
const INVALID_TOKEN: u16 = 3500;

fn start(keys: &[(&str, Value)]) -> Server {
    let mut config = fixture();
    for (key, value) in keys {
        set(&mut config, &format!("client.{key}"), value.clone());
    }
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

fn published(keys: &[(&str, Signer)]) -> Reply {
    let keys: Vec<_> = keys.iter().map(|(name, signer)| signer.jwk(name)).collect();
    Reply::ok(&json!({ "keys": keys }).to_string())
}

/// Connects with the token and returns the reply, which may be an error.
fn connect(server: &Server, token: &str) -> Value {
    JsonClient::open(server.address()).command("connect", json!({ "token": token }))
}

#[track_caller]
fn is_accepted(server: &Server, token: &str) {
    let reply = connect(server, token);
    assert!(reply["connect"]["client"].is_string(), "{reply}\n{}", server.log());
}

#[track_caller]
fn is_refused(server: &Server, token: &str) {
    let mut client = JsonClient::open(server.address());
    client.send(&json!({"id": 1, "connect": {"token": token}}).to_string());
    assert_eq!(client.closed().0, INVALID_TOKEN, "{}", server.log());
}

#[test]
fn keys_in_pem_are_read_from_text_base64_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    fs::write(&file, Signer::Rsa.pem()).unwrap();
    let path = json!(file.to_str().unwrap());
    for rsa in [json!(Signer::Rsa.pem()), json!(STANDARD.encode(Signer::Rsa.pem())), path] {
        let server = start(&[
            ("token.rsa_public_key", rsa),
            ("token.ecdsa_public_key", json!(Signer::P384(1).pem())),
            ("subscription_token.enabled", json!(true)),
            ("subscription_token.ecdsa_public_key", json!(Signer::P521(1).pem())),
        ]);
        for algorithm in ["RS256", "RS384", "RS512"] {
            is_accepted(&server, &Signer::Rsa.sign(algorithm, None, CLAIMS));
        }
        is_accepted(&server, &Signer::P384(1).sign("ES384", None, CLAIMS));
        is_refused(&server, &Signer::P384(2).sign("ES384", None, CLAIMS));
        is_refused(&server, &Signer::P256(1).sign("ES256", None, CLAIMS));
        let token = Signer::Rsa.sign("RS256", None, CLAIMS);
        let mut client = JsonClient::connect(server.address(), Some(&token));
        let claims = r#"{"sub":"42","channel":"$vault:1"}"#;
        let good = Signer::P521(1).sign("ES512", None, claims);
        let reply = client.command("subscribe", json!({"channel": "$vault:1", "token": good}));
        assert!(reply["subscribe"].is_object(), "{reply}");
        assert!(server.log().contains("signature does not match"), "{}", server.log());
        assert!(!server.log().contains(&token[..40]), "a token is in the log");
    }
}

#[test]
fn commands_behind_a_connect_wait_for_its_key() {
    let keys = KeyServer::start(published(&[("k", Signer::Ed25519(1))]).after(Duration::from_millis(300)));
    let server = start(&[("token.jwks_public_endpoint", json!(keys.url()))]);
    let token = Signer::Ed25519(1).sign("EdDSA", Some("k"), CLAIMS);
    let mut client = JsonClient::open(server.address());
    client.send(&format!(
        "{}\n{}",
        json!({"id": 101, "connect": {"token": token}}),
        json!({"id": 102, "subscribe": {"channel": "room:all"}})
    ));
    let reply = client.command("presence_stats", json!({"channel": "room:all"}));
    assert_eq!(reply["presence_stats"]["num_clients"], 1, "{reply}");
}

#[test]
fn a_key_set_is_read_and_a_rotated_key_becomes_known() {
    let keys = KeyServer::start(published(&[("rsa", Signer::Rsa), ("ed", Signer::Ed25519(1))]));
    let server = start(&[("token.jwks_public_endpoint", json!(keys.url()))]);
    is_accepted(&server, &Signer::Rsa.sign("RS256", Some("rsa"), CLAIMS));
    is_accepted(&server, &Signer::Ed25519(1).sign("EdDSA", Some("ed"), CLAIMS));
    assert_eq!(keys.requests(), 1);
    is_refused(&server, &Signer::Ed25519(2).sign("EdDSA", Some("ed"), CLAIMS));
    is_refused(&server, &Signer::Ed25519(1).sign("EdDSA", Some("rsa"), CLAIMS));
    is_refused(&server, &Signer::Ed25519(1).sign("EdDSA", None, CLAIMS));
    is_refused(&server, &flywheel_testkit::named_token("T42").unwrap());
    assert_eq!(keys.requests(), 1);

    keys.now_answers(published(&[("new", Signer::Ed25519(2))]));
    let rotated = Signer::Ed25519(2).sign("EdDSA", Some("new"), CLAIMS);
    // At first it is too early to look again, and clients are told to come back.
    let mut replies = Vec::new();
    let known = wait_until(PATIENCE, || {
        let reply = connect(&server, &rotated);
        let known = reply["connect"].is_object();
        replies.push(reply);
        known
    });
    assert!(known, "{}", server.log());
    assert!(replies[..replies.len() - 1].iter().all(|reply| reply["error"]["code"] == 100), "{replies:?}");
    assert_eq!(keys.requests(), 2);
    // The old key went with the set that it was in.
    let old = connect(&server, &Signer::Rsa.sign("RS256", Some("rsa"), CLAIMS));
    assert_eq!(old["error"]["code"], 100, "{old}");
}

#[test]
fn a_slow_endpoint_delays_nobody_else() {
    let keys = KeyServer::start(published(&[("k", Signer::Rsa)]).after(Duration::from_mins(1)));
    let server = start(&[("token.jwks_public_endpoint", json!(keys.url()))]);
    let mut others: Vec<_> = (0..4).map(|_| JsonClient::connect(server.address(), None)).collect();
    for client in &mut others {
        client.subscribe("room:all");
    }
    let token = Signer::Rsa.sign("RS256", Some("k"), CLAIMS);
    let begun = Instant::now();
    let mut waiting: Vec<_> = (0..20).map(|_| JsonClient::open(server.address())).collect();
    for client in &mut waiting {
        client.send(&json!({"id": 1, "connect": {"token": token}}).to_string());
    }
    assert!(wait_until(PATIENCE, || keys.requests() == 1));
    for round in 0..20 {
        server.api_result("publish", &json!({"channel": "room:all", "data": round}));
        for client in &mut others {
            // Joins come in between.
            while client.push()["pub"]["data"] != round {}
        }
    }
    JsonClient::connect(server.address(), None).subscribe("room:all");
    assert!(begun.elapsed() < Duration::from_millis(1900), "others were delayed: {:?}", begun.elapsed());
    for client in &mut waiting {
        let error = client.push_within(PATIENCE);
        assert!(error.is_some(), "the endpoint's deadline is the client's, too");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(keys.requests(), 1);
    assert!(server.log().contains("did not answer in time"), "{}", server.log());
}

#[test]
fn a_reload_replaces_keys_and_a_broken_key_keeps_the_old_ones() {
    let server = start(&[("token.ecdsa_public_key", json!(Signer::P256(1).pem()))]);
    let token = |seed: u8| Signer::P256(seed).sign("ES256", None, CLAIMS);
    is_accepted(&server, &token(1));
    let reload = |key: &str, told: &str| {
        let mut config = server.config().clone();
        set(&mut config, "client.token.ecdsa_public_key", json!(key));
        fs::write(server.config_file(), config.to_string()).unwrap();
        let before = server.log().len();
        server.signal(Signal::HUP);
        assert!(wait_until(PATIENCE, || server.log()[before..].contains(told)), "{}", server.log());
    };
    reload(&Signer::Rsa.pem(), "client.token: ecdsa_public_key: a key of another kind");
    is_accepted(&server, &token(1));
    reload(&Signer::P256(2).pem(), "configuration reloaded");
    is_accepted(&server, &token(2));
    is_refused(&server, &token(1));
}

#[test]
fn tokens_are_checked_on_the_command_line_with_published_keys() {
    let keys = KeyServer::start(published(&[("k", Signer::Ed25519(1))]));
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"client": {"token": {"jwks_public_endpoint": keys.url()}}});
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let check = |token: &str| {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_flywheel"));
        flywheel_testkit::run(binary, &["checktoken", "-c", "config.json", token], folder.path(), PATIENCE)
    };
    let good = check(&Signer::Ed25519(1).sign("EdDSA", Some("k"), CLAIMS));
    assert!(good.code == Some(0) && good.stdout.contains("user 42"), "{}", good.output());
    let forged = check(&Signer::Ed25519(2).sign("EdDSA", Some("k"), CLAIMS));
    assert!(forged.code == Some(1) && forged.stderr.contains("signature"), "{}", forged.output());
    let unknown = check(&Signer::Ed25519(1).sign("EdDSA", Some("other"), CLAIMS));
    assert!(unknown.code == Some(1) && unknown.stderr.contains("no such key"), "{}", unknown.output());
}
