//! Streams and lists: written in turn, recovered from, patched.

use flywheel_testkit::proto::bytes_of;
use flywheel_testkit::{JsonClient, Server, apply_delta};
use serde_json::{Value, json};

use super::reference::{EPOCH, History, How, client_info, positioned, with_the_one_before};
use super::shared::Shared;
use crate::publish;

/// Top, epoch, and offset and data of each publication, as our node tells them.
fn ours(server: &Server, channel: &str) -> History {
    let history = server.api_result("history", &json!({"channel": channel, "limit": 100}));
    let publications = history["publications"].as_array().unwrap().iter();
    History {
        top: history["offset"].as_u64().unwrap_or_default(),
        epoch: history["epoch"].as_str().unwrap().to_owned(),
        publications: publications
            .map(|publication| (publication["offset"].as_u64().unwrap(), publication["data"].to_string()))
            .collect(),
    }
}

#[track_caller]
pub(super) fn both_read(server: &Server, shared: &Shared, channel: &str, top: u64, data: &[(u64, &str)]) {
    let theirs = shared.history(channel);
    let publications = data.iter().map(|(offset, data)| (*offset, (*data).to_owned())).collect();
    assert_eq!(ours(server, channel), History { top, epoch: theirs.epoch.clone(), publications });
    assert_eq!(ours(server, channel), theirs);
}

pub(super) fn both_write_one_history(server: &Server, shared: &Shared) {
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("log:a");
    let mut heard = shared.listen("log:a");
    let first = publish(server, "log:a", &json!({"n": 1}));
    let message = heard.next();
    let (offset, epoch, body) = positioned(&message);
    assert_eq!((offset, json!(epoch)), (1, first["epoch"].clone()));
    assert_eq!(bytes_of(body, 4), br#"{"n":1}"#);
    client.publication();
    let info = Some(client_info("7", "far"));
    let how = How { tag: Some(("kind", "second")), info, ..How::default() };
    let second = shared.publishes("log:a", r#"{"n":2}"#, &how);
    assert_eq!((second.offset, json!(second.epoch)), (2, first["epoch"].clone()));
    let info = json!({"user": "7", "client": "far", "conn_info": {"from": "the reference"}});
    let pushed = json!({"data": {"n": 2}, "offset": 2, "info": info, "tags": {"kind": "second"}});
    assert_eq!(client.publication(), pushed);
    assert_eq!(publish(server, "log:a", &json!({"n": 3}))["offset"], 3);
    assert_eq!(client.publication()["offset"], 3);
    let all = [(1, r#"{"n":1}"#), (2, r#"{"n":2}"#), (3, r#"{"n":3}"#)];
    both_read(server, shared, "log:a", 3, &all);
    // More than are kept: the oldest go, whoever wrote them.
    for number in 4..=13 {
        if number % 2 == 0 {
            publish(server, "log:a", &json!(number));
        } else {
            shared.publishes("log:a", &number.to_string(), &How::default());
        }
        assert_eq!(client.publication(), json!({"data": number, "offset": number}));
    }
    let kept: Vec<_> = (4..=13).map(|number: u64| (number, number.to_string())).collect();
    let kept: Vec<_> = kept.iter().map(|(offset, data)| (*offset, data.as_str())).collect();
    both_read(server, shared, "log:a", 13, &kept);
    server.api_result("history_remove", &json!({"channel": "log:a"}));
    both_read(server, shared, "log:a", 13, &[]);
    publish(server, "log:a", &json!(14));
    shared.removes_history("log:a");
    both_read(server, shared, "log:a", 14, &[]);
}

pub(super) fn a_client_recovers_what_the_reference_published(server: &Server, shared: &Shared) {
    let position = shared.publishes("log:b", "1", &How::default());
    for number in 2..=4 {
        shared.publishes("log:b", &number.to_string(), &How::default());
    }
    let mut client = JsonClient::connect(server.address(), None);
    let since = json!({"channel": "log:b", "recover": true, "offset": 1, "epoch": position.epoch});
    let reply = client.command("subscribe", since);
    let result = &reply["subscribe"];
    assert_eq!(result["recovered"], true, "{reply}");
    let missed = result["publications"].as_array().unwrap().iter().map(|missed| missed["data"].clone());
    assert_eq!(missed.collect::<Vec<_>>(), [2, 3, 4].map(Value::from));
    shared.publishes("log:b", "5", &How::default());
    assert_eq!(client.publication(), json!({"data": 5, "offset": 5}));
}

pub(super) fn a_stream_begins_with_whoever_reads_it_first(server: &Server, shared: &Shared) {
    assert_eq!(shared.history("log:c"), History { top: 0, epoch: EPOCH.into(), publications: Vec::new() });
    let first = publish(server, "log:c", &json!(1));
    assert_eq!((&first["offset"], &first["epoch"]), (&json!(1), &json!(EPOCH)));
    let begun = ours(server, "log:d");
    assert_eq!((begun.top, begun.publications.len()), (0, 0));
    let first = shared.publishes("log:d", "1", &How::default());
    assert_eq!((first.offset, first.epoch), (1, begun.epoch));
    both_read(server, shared, "log:d", 1, &[(1, "1")]);
}

/// What stands in the data of a publication to a client that speaks JSON and takes patches.
fn text(publication: &Value) -> &str {
    publication["data"].as_str().unwrap_or_else(|| panic!("{publication}"))
}

pub(super) fn patches_are_made_from_what_the_other_published(server: &Server, shared: &Shared) {
    let document = |number: u32| json!({"number": number, "rest": "of a document ".repeat(20)});
    let mut client = JsonClient::connect(server.address(), None);
    let reply = client.command("subscribe", json!({"channel": "diff:a", "delta": "fossil"}));
    assert_eq!(reply["subscribe"]["delta"], true, "{reply}");
    let mut heard = shared.listen("diff:a");
    let mut base = Vec::new();
    for number in 1..=6 {
        if number % 2 == 0 {
            publish(server, "diff:a", &document(number));
        } else {
            let how = How { delta: true, ..How::default() };
            shared.publishes("diff:a", &document(number).to_string(), &how);
        }
        let publication = client.publication();
        assert_eq!(publication["delta"].as_bool(), (number > 1).then_some(true), "{publication}");
        let payload = text(&publication).as_bytes();
        base = if number == 1 {
            payload.to_vec()
        } else {
            apply_delta(&base, payload).expect("a patch that fits")
        };
        assert_eq!(base, document(number).to_string().as_bytes());
        let message = heard.next();
        if number % 2 == 0 {
            let [before, own] = [number - 1, number].map(|number| document(number).to_string());
            assert_eq!(with_the_one_before(&message), (u64::from(number), before, own));
        }
    }
}
