//! Every transcript over a real socket, byte for byte.
#![expect(clippy::unwrap_used, reason = "test support fails the test by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use flywheel_testkit::{Backing, RedisServer, Replay, Server, Transcript, fixture, set, with_status};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Transcripts that need what the server does not have yet, and what that is. Each must still fail.
const PENDING: &[(&str, &str)] = &[];

/// The procedures that the transcripts call.
fn answer(question: &str) -> String {
    let question: BTreeMap<&str, &RawValue> = serde_json::from_str(question).unwrap();
    let error = |code: u32, message: &str, temporary: bool| {
        json!({"error": {"code": code, "message": message, "temporary": temporary}}).to_string()
    };
    match question["method"].get() {
        // As it came, to the byte.
        r#""echo""# => format!(r#"{{"result":{{"data":{}}}}}"#, question["data"]),
        r#""void""# => json!({"result": {}}).to_string(),
        r#""fail""# => error(1001, "no luck", true),
        _ => error(104, "method not found", false),
    }
}

#[test]
fn the_server_keeps_to_every_transcript() {
    keeps_to_transcripts(|_| true, |_| {});
}

/// Transcripts whose order is that of an engine in the same process. On Redis, what was published comes back on another
/// connection than the reply to its publisher, and of commands sent together those that need no engine are answered first.
const IN_ONE_PROCESS: &[&str] = &["A.06", "A.07", "A.10", "A.12", "F.02"];

#[test]
fn so_it_does_on_redis_where_order_does_not_depend_on_the_engine() {
    let redis = RedisServer::start();
    let others = |name: &str| !IN_ONE_PROCESS.contains(&name.trim_end_matches(".replay"));
    keeps_to_transcripts(others, |config| {
        set(config, "engine.type", json!("redis"));
        set(config, "engine.redis.address", json!(redis.address()));
    });
}

fn keeps_to_transcripts(wanted: impl Fn(&str) -> bool, change: impl FnOnce(&mut Value)) {
    let backing = Backing::start(|asked| Some(with_status(200, &answer(&asked.body))));
    let mut config = fixture();
    set(&mut config, "rpc.without_namespace.proxy_enabled", json!(true));
    set(&mut config, "rpc.proxy.endpoint", json!(format!("http://{}/rpc", backing.address())));
    change(&mut config);
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let api = |method: &str, body: &str| {
        let (status, answer) = server.api(method, body);
        if status == 200 && answer.starts_with(r#"{"result":"#) {
            Ok(())
        } else {
            Err(format!("{status} {answer}"))
        }
    };
    let replay = Replay { address: server.address(), api: &api, patience: Duration::from_secs(5) };
    let transcripts = Transcript::all();
    let mut failures = Vec::new();
    for transcript in transcripts.iter().filter(|transcript| wanted(&transcript.name)) {
        let pending = PENDING.iter().find(|(name, _)| *name == transcript.name);
        match (replay.run(transcript), pending) {
            (Err(mismatch), None) => failures.push(mismatch.to_string()),
            (Ok(()), Some((name, lacking))) => {
                failures.push(format!("{name} passes although it waits for {lacking}: take it off the list"));
            }
            _ => {}
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n\n{}", failures.len(), transcripts.len(), failures.join("\n\n"));
}

#[test]
fn every_pending_transcript_exists() {
    let transcripts = Transcript::all();
    for (name, _) in PENDING {
        assert!(transcripts.iter().any(|transcript| transcript.name == *name), "there is no {name}");
    }
}
