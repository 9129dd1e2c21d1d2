//! `flywheel doctor`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers fail the test, against the real clock"
)]

mod redis;

use std::path::Path;
use std::time::Duration;

use flywheel_testkit::{Finished, run};
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_flywheel");
const PATIENCE: Duration = Duration::from_secs(30);

fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    folder
}

fn doctor(folder: &TempDir, arguments: &[&str]) -> Finished {
    let arguments = [&["doctor", "-c", "config.yaml"], arguments].concat();
    run(Path::new(BINARY), &arguments, folder.path(), PATIENCE)
}

#[test]
fn a_node_that_needs_nothing_is_fine_and_exits_with_0() {
    let here = folder("client: {insecure: true}\nport: 9000\n");
    let done = doctor(&here, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let expected = "configuration\n  fine     config.yaml can be used\n  warning  config.yaml: port is an old name, write \
                    http_server.port\n\nengine.type\n  fine     memory: one node, which needs no other service\n\n\
                    everything works, 1 warning\n";
    assert_eq!(done.stdout, expected);
    let json: Value = serde_json::from_str(&doctor(&here, &["--json"]).stdout).unwrap();
    assert_eq!((&json["ok"], &json["warnings"]), (&Value::Bool(true), &Value::from(1)));
}

#[test]
fn a_configuration_that_cannot_be_used_exits_with_2_and_every_error_is_a_finding() {
    let here =
        folder("client: {chanel_limit: 5, ping_interval: 25}\nengine: {type: redis, redis: {address: a}}\n");
    let done = doctor(&here, &[]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stdout.contains("did you mean client.channel_limit?"), "{}", done.stdout);
    assert!(done.stdout.contains("engine.redis.address: \"a\" has no port"), "{}", done.stdout);
    assert_eq!(done.stderr, "");
    let done = doctor(&here, &["--json"]);
    assert_eq!(done.code, Some(2));
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&json["ok"], &json["findings"][0]["level"]), (&Value::Bool(false), &Value::from("broken")));
    assert_eq!(json["findings"][0]["check"], "load");
}

#[test]
fn a_file_that_is_not_there_exits_with_2() {
    let done = run(Path::new(BINARY), &["doctor", "-c", "nothing.yaml"], Path::new("/tmp"), PATIENCE);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stdout.contains("nothing.yaml"), "{}", done.stdout);
}

#[test]
fn what_only_a_start_would_find_is_broken() {
    let done = doctor(&folder("client: {token: {rsa_public_key: /no/such/key.pem}}"), &[]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stdout.contains("client.token.rsa_public_key: cannot read /no/such/key.pem"),
        "{}",
        done.stdout
    );
}
