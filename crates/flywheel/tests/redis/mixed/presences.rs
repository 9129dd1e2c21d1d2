//! Who is there, who comes and who goes.

use flywheel_testkit::proto::bytes_of;
use flywheel_testkit::{JsonClient, Server, named_token, wait_until};
use serde_json::{Value, json};

use super::reference::client_info;
use super::shared::Shared;
use crate::PATIENCE;

/// Clients in the presence of a channel, and their users, as our node tells them.
fn ours(server: &Server, channel: &str) -> Vec<(String, String)> {
    let presence = server.api_result("presence", &json!({"channel": channel}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let present = presence["presence"].as_object().unwrap();
    present
        .iter()
        .map(|(client, info)| {
            assert_eq!(info["client"], client.as_str());
            (client.clone(), text(&info["user"]))
        })
        .collect()
}

pub(super) fn both_see_who_is_present(server: &Server, shared: &Shared) {
    let mut client = JsonClient::connect(server.address(), named_token("T42").as_deref());
    client.subscribe("room:a");
    let name = client.client().to_owned();
    let mut expected = vec![(name.clone(), "42".to_owned())];
    assert_eq!(shared.presence("room:a"), expected);
    let until = shared.now() + 60;
    shared.is_present("room:a", "42", "far", until);
    shared.is_present("room:a", "7", "other", until);
    shared.is_present("room:a", "8", "late", shared.now() - 1);
    expected.extend([("far".into(), "42".into()), ("other".into(), "7".into())]);
    expected.sort();
    assert_eq!(ours(server, "room:a"), expected);
    assert_eq!(shared.presence("room:a"), expected);
    let info = &server.api_result("presence", &json!({"channel": "room:a"}))["presence"]["other"];
    assert_eq!(*info, json!({"user": "7", "client": "other", "conn_info": {"from": "the reference"}}));
    let stats = server.api_result("presence_stats", &json!({"channel": "room:a"}));
    assert_eq!(stats, json!({"num_clients": 3, "num_users": 2}));
    if shared.users {
        assert_eq!(shared.presence_stats("room:a"), (3, 2));
    }
    // Each takes its own away, and what the other had of that user stays.
    shared.is_gone("room:a", "42", "far");
    shared.is_gone("room:a", "7", "other");
    expected = vec![(name, "42".into())];
    assert_eq!(ours(server, "room:a"), expected);
    let stats = server.api_result("presence_stats", &json!({"channel": "room:a"}));
    assert_eq!(stats, json!({"num_clients": 1, "num_users": 1}));
    drop(client);
    assert!(wait_until(PATIENCE, || shared.presence("room:a").is_empty()));
    if shared.users {
        assert_eq!(shared.presence_stats("room:a"), (0, 0));
    }
}

pub(super) fn joins_and_leaves_are_heard_on_both(server: &Server, shared: &Shared) {
    let mut watcher = JsonClient::connect(server.address(), None);
    watcher.subscribe("room:b");
    watcher.push();
    for kind in ["join", "leave"] {
        let header = format!("__{}__", &kind[..1]).into_bytes();
        shared.publish("room:b", &[&header[..], &client_info("7", "far").into_bytes()].concat());
        let info = json!({"user": "7", "client": "far", "conn_info": {"from": "the reference"}});
        assert_eq!(watcher.push(), json!({"channel": "room:b", kind: {"info": info}}));
    }
    let mut heard = shared.listen("room:b");
    let mut guest = JsonClient::connect(server.address(), named_token("T42").as_deref());
    guest.subscribe("room:b");
    let name = guest.client().to_owned();
    drop(guest);
    for header in [b"__j__", b"__l__"] {
        let message = heard.next();
        let info = message.strip_prefix(header).unwrap_or_else(|| panic!("{message:?}"));
        assert_eq!(bytes_of(info, 1), b"42");
        assert_eq!(bytes_of(info, 2), name.as_bytes());
        assert_eq!(bytes_of(info, 3), br#"{"name":"Ann"}"#);
    }
}
