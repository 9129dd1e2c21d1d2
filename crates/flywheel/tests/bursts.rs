//! Much at once is no reason to call a client slow: what counts is what its socket does not take.

use flywheel_testkit::{JsonClient, Server, add_namespace, fixture, set, sign};
use serde_json::{Value, json};

const FLYWHEEL: &str = env!("CARGO_BIN_EXE_flywheel");
/// Bytes of a publication.
const LENGTH: usize = 70_000;
const MANY: usize = 30;

fn serve(queue: usize) -> Server {
    let mut config = fixture();
    let log = json!({
        "name": "burst",
        "history_size": 10,
        "history_ttl": "300s",
        "force_recovery": true,
        "allow_subscribe_for_client": true,
        "allow_history_for_client": true,
    });
    add_namespace(&mut config, log);
    set(&mut config, "client.queue_max_size", json!(queue));
    set(&mut config, "client.channel_limit", json!(MANY));
    Server::start(FLYWHEEL, config)
}

fn publish(server: &Server, channel: &str) -> Value {
    server.api_result("publish", &json!({"channel": channel, "data": "x".repeat(LENGTH)}))
}

fn connect(server: &Server, channels: &[String]) -> JsonClient {
    JsonClient::connect(server.address(), Some(&token(channels)))
}

fn token(channels: &[String]) -> String {
    sign("appendix-secret", &json!({"sub": "42", "channels": channels}).to_string())
}

#[test]
fn replies_that_are_too_much_for_the_queue_reach_a_client_that_reads() {
    let server = serve(LENGTH + 10_000);
    publish(&server, "burst:a");
    let mut client = connect(&server, &[]);
    let commands: Vec<_> = (2..2 + MANY)
        .map(|id| json!({"id": id, "history": {"channel": "burst:a", "limit": 1}}).to_string())
        .collect();
    client.send(&commands.join("\n"));
    for id in 2..2 + MANY {
        let reply = client.message();
        assert_eq!(reply["id"], id, "{reply}");
        assert_eq!(reply["history"]["publications"][0]["data"].as_str().map(str::len), Some(LENGTH));
    }
}

#[test]
fn a_burst_of_publications_beyond_the_queue_reaches_a_client_that_reads() {
    let server = serve(LENGTH + 10_000);
    let channels: Vec<_> = (0..MANY).map(|number| format!("burst:{number}")).collect();
    let mut client = connect(&server, &channels);
    server.api_result("broadcast", &json!({"channels": channels, "data": "x".repeat(LENGTH)}));
    let mut seen: Vec<_> =
        (0..MANY).map(|_| client.message()["push"]["channel"].as_str().unwrap().to_owned()).collect();
    seen.sort_by_key(|channel| channels.iter().position(|one| one == channel));
    assert_eq!(seen, channels);
}

#[test]
fn a_client_that_missed_more_than_the_queue_holds_comes_back_once() {
    let server = serve(1 << 20);
    let channels: Vec<_> = (0..MANY).map(|number| format!("burst:{number}")).collect();
    server.api_result("broadcast", &json!({"channels": channels, "data": "x".repeat(LENGTH)}));
    let epochs = channels.iter().map(|channel| {
        let history = server.api_result("history", &json!({"channel": channel, "limit": 0}));
        (channel.clone(), json!({"recover": true, "offset": 0, "epoch": history["epoch"]}))
    });
    let subs: serde_json::Map<_, _> = epochs.collect();
    let token = token(&channels);
    let mut client = JsonClient::open(server.address());
    let reply = client.command("connect", json!({"token": token, "subs": subs}));
    let recovered = |channel: &&String| reply["connect"]["subs"][channel.as_str()]["recovered"] == true;
    let count = channels.iter().filter(recovered).count();
    assert_eq!(count, 14, "of what it missed it got as much as there was room for");
    publish(&server, "burst:0");
    assert_eq!(client.message()["push"]["pub"]["offset"], 2, "and it is still there");
}
