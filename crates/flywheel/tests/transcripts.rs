//! Every transcript over a real socket, byte for byte.

use std::time::Duration;

use flywheel_testkit::{Replay, Server, Transcript, fixture};

/// Transcripts that need what the server does not have yet, and what that is. Each must still fail.
const PENDING: &[(&str, &str)] = &[("A.08", "the RPC proxy"), ("A.29", "the RPC proxy")];

#[test]
fn the_server_keeps_to_every_transcript() {
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), fixture());
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
    for transcript in &transcripts {
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
