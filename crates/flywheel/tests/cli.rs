//! The command line.

#![expect(clippy::unwrap_used, reason = "helpers fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flywheel_testkit::{
    Finished, Http, JsonClient, Server, fixture, free_port, listening_addresses, run, set, sign, wait_until,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_flywheel");
const PATIENCE: Duration = Duration::from_secs(20);

fn flywheel(folder: &TempDir, arguments: &[&str]) -> Finished {
    run(Path::new(BINARY), arguments, folder.path(), PATIENCE)
}

/// An empty folder, or one with this configuration in `config.json`.
fn folder(config: Option<Value>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if let Some(config) = config {
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    }
    folder
}

/// The last line of an output.
fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}

#[test]
fn the_version_and_the_help_are_printed() {
    let here = folder(None);
    let version = flywheel(&here, &["version"]);
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", version.stdout);
    let help = flywheel(&here, &["--help"]);
    assert_eq!(help.code, Some(0));
    for word in [
        "serve",
        "genconfig",
        "checkconfig",
        "defaultconfig",
        "doctor",
        "gentoken",
        "gensubtoken",
        "checktoken",
        "checksubtoken",
        "version",
        "--config",
    ] {
        assert!(help.stdout.contains(word), "{word} is not in:\n{}", help.stdout);
    }
    let serve = flywheel(&here, &["serve", "--help"]);
    assert!(serve.stdout.contains("--dev") && serve.stdout.contains("--lenient"), "{}", serve.stdout);
}

#[test]
fn an_unknown_command_or_flag_is_an_error() {
    let here = folder(None);
    for arguments in [&["launch"][..], &["--no-such-flag"], &["serve", "--no-such-flag"]] {
        let done = flywheel(&here, arguments);
        assert!(done.code.is_some_and(|code| code != 0), "{arguments:?}: {done:?}");
        assert!(!done.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_generated_configuration_is_private_random_valid_and_never_overwritten() {
    let here = folder(None);
    let done = flywheel(&here, &["genconfig", "--config", "config.json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let path = here.path().join("config.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&path).unwrap();
    let config: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(config["client"]["token"]["hmac_secret_key"].as_str().map(str::len), Some(86));
    assert_eq!(config["http_api"]["key"].as_str().map(str::len), Some(86));
    assert_eq!(config["client"]["allowed_origins"], json!([]));
    let check = flywheel(&here, &["checkconfig", "--config", "config.json"]);
    assert_eq!((check.code, check.output().as_str()), (Some(0), ""));
    let again = flywheel(&here, &["genconfig", "--config", "config.json"]);
    assert_ne!(again.code, Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    assert_eq!(flywheel(&here, &["genconfig", "--config", "other.json"]).code, Some(0));
    assert_ne!(fs::read_to_string(here.path().join("other.json")).unwrap(), first);
    for name in ["config.toml", "config.yaml"] {
        assert_eq!(flywheel(&here, &["genconfig", "--config", name]).code, Some(0), "{name}");
        assert_eq!(flywheel(&here, &["checkconfig", "--config", name]).code, Some(0), "{name}");
    }
}

#[test]
fn a_started_server_uses_what_was_generated() {
    let here = folder(None);
    assert_eq!(flywheel(&here, &["genconfig", "--config", "config.json"]).code, Some(0));
    let config: Value =
        serde_json::from_str(&fs::read_to_string(here.path().join("config.json")).unwrap()).unwrap();
    let server = Server::start(BINARY, config.clone());
    server.api_result("info", &json!({}));
    let secret = config["client"]["token"]["hmac_secret_key"].as_str().unwrap();
    JsonClient::connect(server.address(), Some(&sign(secret, r#"{"sub":"42"}"#)));
}

#[test]
fn the_defaults_are_a_configuration() {
    let here = folder(None);
    let printed = flywheel(&here, &["defaultconfig", "-d"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let config: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(config["http_server"]["port"].to_string().trim_matches('"'), "8000");
    assert_eq!(config["client"]["channel_limit"], 128);
    assert_eq!(config["client"]["ping_interval"], "25s");
    assert_eq!(flywheel(&here, &["defaultconfig", "--config", "config.json"]).code, Some(0));
    assert_eq!(flywheel(&here, &["checkconfig", "--config", "config.json"]).code, Some(0));
    assert_ne!(flywheel(&here, &["defaultconfig", "--config", "config.json"]).code, Some(0));
}

#[test]
fn tokens_are_made_and_checked_with_the_configured_secret() {
    let here = folder(Some(fixture()));
    let made = flywheel(&here, &["gentoken", "-u", "42", "-q"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(!made.stdout.contains('\n') && made.stdout.split('.').count() == 3, "{}", made.stdout);
    let checked = flywheel(&here, &["checktoken", &made.stdout]);
    assert!(checked.code == Some(0) && checked.stdout.contains("42"), "{checked:?}");
    let verbose = flywheel(&here, &["gentoken", "-u", "42", "-t", "60"]);
    assert_eq!(last_line(&verbose.stdout).split('.').count(), 3, "{verbose:?}");
    let endless = flywheel(&here, &["gentoken", "-u", "42", "-t", "-1", "-q"]);

    let server = Server::start(BINARY, fixture());
    let mut client = JsonClient::open(server.address());
    let reply = client.command("connect", json!({"token": made.stdout}));
    let ttl = reply["connect"]["ttl"].as_u64().unwrap();
    assert!((604_700..=604_800).contains(&ttl), "{reply}");
    let reply = JsonClient::open(server.address()).command("connect", json!({"token": endless.stdout}));
    assert!(reply["connect"]["client"].is_string() && reply["connect"]["expires"].is_null(), "{reply}");

    let made = flywheel(&here, &["gensubtoken", "-u", "42", "-s", "$vault:1", "-q"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let checked = flywheel(&here, &["checksubtoken", &made.stdout]);
    assert!(checked.code == Some(0) && checked.stdout.contains("$vault:1"), "{checked:?}");
    let reply = client.command("subscribe", json!({"channel": "$vault:1", "token": made.stdout}));
    assert_eq!(reply["subscribe"]["expires"], true, "{reply}");
}

#[test]
fn a_bad_token_fails_the_check() {
    let here = folder(Some(fixture()));
    let foreign = sign("another-secret", r#"{"sub":"42"}"#);
    let expired = sign("appendix-secret", r#"{"sub":"42","exp":1600000000}"#);
    for token in [&foreign, &expired, "a.b.c", ""] {
        let done = flywheel(&here, &["checktoken", token]);
        assert!(done.code.is_some_and(|code| code != 0), "{token}: {done:?}");
        assert!(!done.output().trim().is_empty(), "{token}");
    }
    // A connection token is no subscription token, nor the other way round.
    let connection = sign("appendix-secret", r#"{"sub":"42"}"#);
    let subscription = sign("appendix-secret", r#"{"sub":"42","channel":"a"}"#);
    assert_ne!(flywheel(&here, &["checksubtoken", &connection]).code, Some(0));
    assert_ne!(flywheel(&here, &["checktoken", &subscription]).code, Some(0));
}

#[test]
fn a_misspelt_key_stops_the_start_and_names_the_nearest() {
    let mut config = fixture();
    let port = free_port();
    set(&mut config, "http_server.port", json!(port));
    set(&mut config, "client.chanel_limit", json!(5));
    let here = folder(Some(config));
    for arguments in [
        &["--config", "config.json"][..],
        &["serve", "--config", "config.json"],
        &["checkconfig", "--config", "config.json"],
    ] {
        let done = flywheel(&here, arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        let output = done.output();
        for word in ["config.json", "client.chanel_limit", "channel_limit"] {
            assert!(output.contains(word), "{word} is not in the message of {arguments:?}:\n{output}");
        }
    }
    assert!(listening_addresses(port).is_empty(), "something was started");
}

#[test]
fn a_lenient_start_only_warns_of_a_misspelt_key() {
    let mut config = fixture();
    set(&mut config, "client.chanel_limit", json!(5));
    let server = Server::start_with(BINARY, config, &["--lenient"]);
    assert!(server.log().contains("client.chanel_limit"), "{}", server.log());
    server.api_result("info", &json!({}));
}

#[test]
fn a_wrong_value_and_a_broken_file_are_named() {
    for (content, words) in [
        (r#"{"client":{"channel_limit":"many"}}"#, &["config.json", "client.channel_limit"][..]),
        (r#"{"client":{"ping_interval":"5 apples"}}"#, &["config.json", "client.ping_interval"]),
        (r#"{"channel":{"namespaces":[{"name":"log","history_size":5}]}}"#, &["log", "history_size"]),
        (r#"{"client":"#, &["config.json"]),
    ] {
        let here = folder(None);
        fs::write(here.path().join("config.json"), content).unwrap();
        for arguments in [&["checkconfig", "--config", "config.json"][..], &["--config", "config.json"]] {
            let done = flywheel(&here, arguments);
            assert!(done.code.is_some_and(|code| code != 0), "{arguments:?} {content}: {done:?}");
            let output = done.output();
            for word in words {
                assert!(output.contains(word), "{word} is not in the message about {content}:\n{output}");
            }
        }
    }
}

#[test]
fn a_port_in_use_is_a_fatal_error_that_names_it() {
    let server = Server::start(BINARY, fixture());
    let mut config = server.config().clone();
    set(&mut config, "http_server.port", json!(server.address().port()));
    let here = folder(Some(config));
    let done = flywheel(&here, &["--config", "config.json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.output().contains(&server.address().port().to_string()), "{}", done.output());
}

#[test]
fn a_flag_wins_over_the_file() {
    let mut config = fixture();
    set(&mut config, "health.enabled", json!(true));
    set(&mut config, "http_server.port", json!(free_port()));
    set(&mut config, "http_server.address", json!("127.0.0.1"));
    let here = folder(Some(config));
    let port = free_port();
    let server = Dev::spawn(&here, &["--config", "config.json", "--http_server.port", &port.to_string()]);
    assert!(answers(port, "/health"), "{}", server.output());
}

#[test]
fn the_development_mode_prints_a_key_listens_on_the_loopback_and_serves_the_page() {
    let here = folder(None);
    let port = free_port();
    let server = Dev::spawn(&here, &["serve", "--dev", "--http_server.port", &port.to_string()]);
    let http = Http::new(([127, 0, 0, 1], port).into());
    assert!(answers(port, "/"), "{}", server.output());
    let page = http.request("GET", "/", &[], b"").unwrap();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for id in ["id=\"status\"", "id=\"messages\"", "id=\"box\"", "id=\"publish\""] {
        assert!(page.text().contains(id), "{id}");
    }
    assert!(!listening_addresses(port).is_empty());
    for address in listening_addresses(port) {
        assert!(["0100007F", "00000000000000000000000001000000"].contains(&address.as_str()), "{address}");
    }

    let output = server.output();
    let lines: Vec<_> = output.lines().filter(|line| line.contains("FLYWHEEL_API_KEY=")).collect();
    assert_eq!(lines.len(), 1, "the key is printed once:\n{output}");
    let key: String = lines[0]
        .split("FLYWHEEL_API_KEY=")
        .nth(1)
        .unwrap()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    assert!(key.len() >= 20, "{key}");
    assert_eq!(output.matches(&key).count(), 1, "the key is printed once:\n{output}");

    let mut client = JsonClient::connect(([127, 0, 0, 1], port).into(), None);
    let subscribed = client.subscribe("demo:lobby");
    assert_eq!(subscribed["recoverable"], true);
    let body = br#"{"channel":"demo:lobby","data":{"text":"hi"}}"#;
    let published = http.request("POST", "/api/publish", &[("X-API-Key", &key)], body).unwrap();
    assert_eq!(published.status, 200, "{}", published.text());
    while client.push()["pub"]["data"]["text"] != "hi" {}
    assert_eq!(http.request("POST", "/api/publish", &[("X-API-Key", "wrong")], body).unwrap().status, 401);
    let reply = client.command("publish", json!({"channel": "demo:lobby", "data": {"text": "back"}}));
    assert_eq!(reply["publish"], json!({}), "{reply}");
    let reply = client.command("history", json!({"channel": "demo:lobby", "limit": 10}));
    assert_eq!(reply["history"]["offset"], 2, "{reply}");
    let reply = client.command("presence_stats", json!({"channel": "demo:lobby"}));
    assert_eq!(reply["presence_stats"]["num_clients"], 1, "{reply}");
}

/// Whether something comes to answer this request with success.
fn answers(port: u16, target: &str) -> bool {
    let http = Http::new(([127, 0, 0, 1], port).into());
    wait_until(PATIENCE, || {
        http.request("GET", target, &[], b"").is_ok_and(|response| response.status == 200)
    })
}

/// A server started with other arguments than [`Server`] gives; killed when dropped.
struct Dev {
    child: Child,
    log: std::path::PathBuf,
}

impl Dev {
    fn spawn(folder: &TempDir, arguments: &[&str]) -> Self {
        let log = folder.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let child = Command::new(BINARY)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
