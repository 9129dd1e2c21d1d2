//! Tokens, filters and channel names that are refused: the code for that client, the reason for the operator, and nothing
//! at all for the others.

use std::time::Duration;

use flywheel_testkit::{
    Encoding, JsonClient, KeyServer, RawSocket, Reply, Server, Signer, Stream, fixture, set, sign,
};
use serde_json::{Value, json};

use crate::witness::Witness;
use crate::{BAD_REQUEST, PATIENCE, answer, answer_unconnected, error, next, open, server};

const CLAIMS: &str = r#"{"sub":"42"}"#;
const VAULT: &str = r#"{"sub":"42","channel":"$vault:1"}"#;
const INVALID_TOKEN: &str = "close 3500 invalid token";

fn connect(token: &str) -> String {
    json!({"id": 1, "connect": {"token": token}}).to_string()
}

/// The first answer to a subscribe to `$vault:1` with this token, of user 42.
fn answer_subscription(server: &Server, token: &str) -> String {
    let mut connection = open(server, Encoding::Json);
    connection.send(connect(&sign("appendix-secret", CLAIMS)).as_bytes());
    next(&mut connection);
    let subscribe = json!({"channel": "$vault:1", "token": token});
    connection.send(json!({"id": 2, "subscribe": subscribe}).to_string().as_bytes());
    next(&mut connection)
}

/// A server that knows keys by name.
fn with_keys(keys: &KeyServer) -> Server {
    let mut config = fixture();
    set(&mut config, "client.token.jwks_public_endpoint", json!(keys.url()));
    Server::start(env!("CARGO_BIN_EXE_flywheel"), config)
}

fn named_key() -> String {
    Signer::Ed25519(1).sign("EdDSA", Some("key-1"), CLAIMS)
}

#[test]
fn a_token_with_a_wrong_signature_is_refused_and_explained() {
    let server = server();
    let mut witness = Witness::connect(&server);
    let forged = sign("not-the-secret", CLAIMS);
    assert_eq!(answer_unconnected(&server, &connect(&forged)), INVALID_TOKEN);
    witness.was_told(&["token refused", "signature does not match"], &forged);
    let forged = sign("not-the-secret", VAULT);
    assert_eq!(answer_subscription(&server, &forged), error(103, "permission denied"));
    witness.was_told(&["token refused", "signature does not match"], &forged);
}

#[test]
fn a_wrong_token_in_an_address_or_a_body_is_not_in_the_log_either() {
    let mut config = fixture();
    for transport in ["sse", "http_stream", "uni_sse", "uni_http_stream", "uni_websocket"] {
        set(&mut config, &format!("{transport}.enabled"), json!(true));
    }
    // Whatever is written at all.
    set(&mut config, "log.level", json!("trace"));
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let mut witness = Witness::connect(&server);
    let forged = sign("not-the-secret", CLAIMS);
    let command = connect(&forged);
    let bare = json!({ "token": forged }).to_string();
    let get = |path: &str, request: &str| {
        let request = request.replace('{', "%7B").replace('"', "%22").replace('}', "%7D");
        format!("GET {path}?cf_connect={request} HTTP/1.1\r\nHost: x\r\n\r\n")
    };
    let post = |path: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for request in [
        get("/connection/sse", &command),
        post("/connection/sse", &command),
        post("/connection/http_stream", &command),
        get("/connection/uni_sse", &bare),
        post("/connection/uni_http_stream", &bare),
    ] {
        let mut stream = Stream::open(server.address(), request.as_bytes()).unwrap();
        let told = stream.rest();
        assert!(told.contains(r#""disconnect":{"code":3500,"reason":"invalid token"}"#), "{request}: {told}");
        witness.was_told(&["token refused", "signature does not match"], &forged);
    }
    let mut socket = RawSocket::open(server.address()).unwrap();
    let target = get("/connection/uni_websocket", &bare);
    let target = target.split(' ').nth(1).unwrap();
    assert_eq!(socket.handshake(target, &[]).status, 101);
    assert_eq!(socket.closed(PATIENCE), Some((3500, "invalid token".to_owned())));
    witness.was_told(&["token refused", "signature does not match"], &forged);
}

#[test]
fn what_is_no_token_is_refused_and_explained() {
    let server = server();
    let mut witness = Witness::connect(&server);
    let good = sign("appendix-secret", CLAIMS);
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    for (token, why) in [
        (signature.to_owned(), "not three parts"),
        (format!("{header}.{claims}"), "not three parts"),
        (format!("{header}.{claims}.{signature}=="), "signature is not base64url"),
        (format!("W10.{claims}.{signature}"), "header is not the JSON object it has to be"),
    ] {
        assert_eq!(answer_unconnected(&server, &connect(&token)), INVALID_TOKEN, "{token}");
        witness.was_told(&["token refused", why], &token);
    }
    // Not even where a token cannot stand.
    let misplaced = json!({"id": 1, "connect": good}).to_string();
    assert_eq!(answer_unconnected(&server, &misplaced), BAD_REQUEST);
    witness.was_told(&["a client sent what cannot be read", "another type than expected"], &good);
}

#[test]
fn a_token_for_another_user_or_channel_is_refused_and_explained() {
    let server = server();
    let mut witness = Witness::connect(&server);
    for claims in [r#"{"sub":"43","channel":"$vault:1"}"#, r#"{"sub":"42","channel":"$vault:2"}"#] {
        let token = sign("appendix-secret", claims);
        assert_eq!(answer_subscription(&server, &token), INVALID_TOKEN, "{claims}");
        witness.was_told(&["refused", "another user, client or channel"], &token);
    }
}

#[test]
fn an_expired_token_is_refused_and_explained() {
    let server = server();
    let mut witness = Witness::connect(&server);
    let old = sign("appendix-secret", r#"{"sub":"42","exp":1600000000}"#);
    let expired = error(109, "token expired");
    assert_eq!(answer_unconnected(&server, &connect(&old)), expired.replace(r#""id":2"#, r#""id":1"#));
    witness.was_told(&["token refused", "token expired"], &old);
    let old = sign("appendix-secret", r#"{"sub":"42","channel":"$vault:1","exp":1600000000}"#);
    assert_eq!(answer_subscription(&server, &old), expired);
    witness.was_told(&["token refused", "token expired"], &old);
}

#[test]
fn an_unknown_key_id_is_refused_and_explained() {
    let published = json!({"keys": [Signer::Ed25519(1).jwk("key-1")]});
    let keys = KeyServer::start(Reply::ok(&published.to_string()));
    let server = with_keys(&keys);
    let mut witness = Witness::connect(&server);
    let unknown = Signer::Ed25519(1).sign("EdDSA", Some("key-2"), CLAIMS);
    assert_eq!(answer_unconnected(&server, &connect(&unknown)), INVALID_TOKEN);
    witness.was_told(&["token refused", "no such key", "key-2"], &unknown);
    // The key of that name made another signature.
    let forged = Signer::Ed25519(2).sign("EdDSA", Some("key-1"), CLAIMS);
    assert_eq!(answer_unconnected(&server, &connect(&forged)), INVALID_TOKEN);
    witness.was_told(&["token refused", "signature does not match"], &forged);
    let good = answer_unconnected(&server, &connect(&named_key()));
    assert!(good.starts_with(r#"{"id":1,"connect":{"client":""#), "{good}");
}

/// Whoever has a good token may come back: the key set is at fault.
fn check_key_set(reply: Reply, why: &str) {
    let keys = KeyServer::start(reply);
    let server = with_keys(&keys);
    let mut witness = Witness::connect(&server);
    let before = server.resident_bytes();
    let token = named_key();
    let mut waiting = open(&server, Encoding::Json);
    waiting.send(connect(&token).as_bytes());
    witness.receives();
    let internal = r#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#;
    assert_eq!(next(&mut waiting), internal);
    witness.was_told(&["cannot read a key set", why, &keys.url()], &token);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "a key set took {grown} bytes");
    assert_eq!(keys.requests(), 1);
}

#[test]
fn a_slow_key_set_is_given_up_and_explained() {
    let published = json!({"keys": [Signer::Ed25519(1).jwk("key-1")]}).to_string();
    check_key_set(Reply::ok(&published).after(Duration::from_mins(1)), "did not answer in time");
}

#[test]
fn a_key_set_that_never_ends_is_given_up_and_explained() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{\"keys\":[";
    check_key_set(Reply::raw(head).held_open(), "did not answer in time");
}

#[test]
fn a_huge_key_set_is_given_up_and_explained() {
    let mut keys = vec![Signer::Ed25519(1).jwk("key-1")];
    keys[0]["x5c"] = Value::from("A".repeat(32 << 20));
    check_key_set(Reply::ok(&json!({ "keys": keys }).to_string()), "longer than 262144 bytes");
}

#[test]
fn a_garbled_key_set_is_given_up_and_explained() {
    for garbage in ["<html>Welcome</html>", "", "[]", r#"{"keys":5}"#, "{\"keys\":["] {
        check_key_set(Reply::ok(garbage), "not a JSON object with a list of keys");
    }
    check_key_set(Reply::raw("\0\x01\x02 no HTTP at all\r\n\r\n"), "invalid HTTP");
    check_key_set(Reply::status(500), "status 500");
}

/// The answer to a subscribe with these members, and what the log says about it. The client stays if it is an error.
fn check_command(command: &str, expected: &str, told: &[&str]) {
    let server = server();
    let mut witness = Witness::connect(&server);
    assert_eq!(answer(&server, &format!(r#"{{"id":2,{command}}}"#)), expected, "{command}");
    witness.was_told(told, "");
}

#[test]
fn a_malformed_tags_filter_is_refused_and_explained() {
    let bad_request = error(107, "bad request");
    let deep = format!(
        "{}{}{}",
        r#"{"op":"not","nodes":["#.repeat(40),
        r#"{"key":"a","cmp":"ex"}"#,
        "]}".repeat(40)
    );
    for (filter, why) in [
        (r#"{"op":"xor"}"#, "unknown operation"),
        (r#"{"op":"and"}"#, "wrong number of children"),
        (r#"{"key":"a","cmp":"like","val":"b"}"#, "unknown comparison"),
        (r#"{"cmp":"eq","val":"b"}"#, "missing key"),
        (r#"{"key":"a","cmp":"in"}"#, "missing or superfluous value"),
        (deep.as_str(), "too large"),
    ] {
        let command = format!(r#""subscribe":{{"channel":"pick:a","tf":{filter}}}"#);
        check_command(&command, &bad_request, &["pick:a", "malformed tags filter", why]);
    }
    let command = r#""subscribe":{"channel":"lobby","tf":{"key":"a","cmp":"ex"}}"#;
    check_command(command, &bad_request, &["lobby", "allows no tags filter"]);
    for filter in ["5", r#""a""#, r#"{"nodes":[{"nodes":{}}]}"#, r#"{"vals":"a"}"#] {
        let command = format!(r#""subscribe":{{"channel":"pick:a","tf":{filter}}}"#);
        check_command(&command, BAD_REQUEST, &["cannot be read", "another type than expected at column"]);
    }
}

#[test]
fn an_illegal_channel_name_is_refused_and_explained() {
    let bad_request = error(107, "bad request");
    let long = "c".repeat(256);
    for method in ["subscribe", "presence", "history"] {
        let command = format!(r#""{method}":{{"channel":"log:caf\u00e9"}}"#);
        check_command(&command, &bad_request, &["refused", "illegal channel name", "log:caf"]);
    }
    let command = format!(r#""subscribe":{{"channel":"{long}"}}"#);
    check_command(&command, &bad_request, &["refused", "longer than 255 bytes", &long[..64]]);
    check_command(r#""subscribe":{"channel":""}"#, BAD_REQUEST, &["refused", "missing channel"]);
    // What it is made of must not make lines of its own.
    let command = r#""subscribe":{"channel":"log:\u000aerror: all is lost\u001b[2J\u00e9"}"#;
    check_command(command, &bad_request, &["refused", "illegal channel name", "all is lost"]);
}

#[test]
fn a_command_out_of_turn_is_refused_and_explained() {
    let server = server();
    let mut witness = Witness::connect(&server);
    let token = sign("appendix-secret", CLAIMS);
    let misplaced = json!({"id": 1, "subscribe": {"channel": "$vault:1", "token": token}}).to_string();
    assert_eq!(answer_unconnected(&server, &misplaced), BAD_REQUEST);
    witness.was_told(&["a client's command was refused", "not connected yet"], &token);
    assert_eq!(answer(&server, &connect(&token)), BAD_REQUEST);
    witness.was_told(&["a client's command was refused", "connected already"], &token);
    check_command(r#""future":{}"#, BAD_REQUEST, &["a client's command was refused", "unknown method"]);
}

#[test]
fn a_connect_without_a_token_is_refused_and_explained_where_one_is_needed() {
    let mut config = fixture();
    set(&mut config, "client.allow_anonymous_connect_without_token", json!(false));
    set(&mut config, "uni_sse.enabled", json!(true));
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let mut witness = Witness::connect_with(&server, Some(&sign("appendix-secret", CLAIMS)));
    assert_eq!(answer_unconnected(&server, r#"{"id":1,"connect":{}}"#), BAD_REQUEST);
    witness.was_told(&["a client's command was refused", "missing token"], "");
    let request = b"GET /connection/uni_sse HTTP/1.1\r\nHost: x\r\n\r\n";
    let told = Stream::open(server.address(), request).unwrap().rest();
    assert!(told.contains(r#""disconnect":{"code":3501,"reason":"bad request"}"#), "{told}");
    witness.was_told(&["a client's command was refused", "missing token"], "");
}

#[test]
fn a_refused_command_leaves_its_client_connected() {
    let server = server();
    let mut client = JsonClient::connect(server.address(), None);
    let filter = json!({"channel": "pick:a", "tf": {"op": "xor"}});
    assert_eq!(client.command("subscribe", filter)["error"]["code"], 107);
    assert_eq!(client.command("subscribe", json!({"channel": "café"}))["error"]["code"], 107);
    assert_eq!(client.subscribe("pick:a")["recoverable"], true);
}
