use std::sync::Arc;

use bytes::Bytes;
use flywheel_engine::{Backend, ConnectCall, SubRefreshCall, SubscribeCall};
use flywheel_model::{CallerHeaders, Payload, UserId};
use flywheel_proxy::ProxySettings;

use crate::{CLIENT, backend, caller, publish_call, rpc, rpc_call, run, settings};
use flywheel_testkit::{Backing, redirect, with_status};

/// The body of the only request that `ask` makes.
fn asked(change: impl FnOnce(&mut ProxySettings), ask: impl AsyncFnOnce(&dyn Backend)) -> String {
    let backing = Backing::saying("{}");
    let mut settings = settings(&backing);
    change(&mut settings);
    let backend = backend(settings);
    run(ask(&backend));
    let seen = backing.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("POST", "/x/ask"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    seen[0].body.replace(CLIENT, "<c>")
}

const BASE: &str = r#""client":"<c>","transport":"websocket","protocol":"json","encoding":"json""#;

#[test]
fn each_event_is_asked_as_the_protocol_says() {
    let connect = asked(
        |_| {},
        async |backend| {
            let mut caller = caller();
            caller.user = UserId::default();
            let call = ConnectCall {
                caller,
                data: Payload::from("{\"room\":5}"),
                name: "js".into(),
                version: String::new(),
                channels: vec!["news".into()],
            };
            drop(backend.connect(Box::new(call)).wait().await);
        },
    );
    assert_eq!(connect, format!(r#"{{{BASE},"data":{{"room":5}},"name":"js","channels":["news"]}}"#));

    let refresh = asked(|_| {}, async |backend| drop(backend.refresh(caller()).wait().await));
    assert_eq!(refresh, format!(r#"{{{BASE},"user":"42"}}"#));

    let subscribe = asked(
        |settings| settings.include_meta = true,
        async |backend| {
            let call = SubscribeCall { caller: caller(), channel: "chat:1".into(), data: Payload::from("") };
            drop(backend.subscribe(Box::new(call)).wait().await);
        },
    );
    assert_eq!(subscribe, format!(r#"{{{BASE},"user":"42","channel":"chat:1","meta":{{"tenant":3}}}}"#));

    let publish = asked(|_| {}, async |backend| drop(backend.publish(publish_call()).wait().await));
    assert_eq!(publish, format!(r#"{{{BASE},"user":"42","channel":"chat:1","data":{{"a":1}}}}"#));

    let rpc = asked(
        |settings| settings.include_meta = true,
        async |backend| {
            drop(backend.rpc(rpc_call("null")).wait().await);
        },
    );
    assert_eq!(rpc, format!(r#"{{{BASE},"user":"42","method":"echo","data":null,"meta":{{"tenant":3}}}}"#));

    let sub_refresh = asked(
        |_| {},
        async |backend| {
            let call = SubRefreshCall { caller: caller(), channel: "chat:1".into() };
            drop(backend.sub_refresh(Box::new(call)).wait().await);
        },
    );
    assert_eq!(sub_refresh, format!(r#"{{{BASE},"user":"42","channel":"chat:1"}}"#));
}

#[test]
fn binary_encoding_sends_base64() {
    let rpc = asked(
        |settings| settings.binary_encoding = true,
        async |backend| {
            let mut call = rpc_call("");
            call.data = Payload::new(Bytes::from_static(b"\xff\x00"));
            drop(backend.rpc(call).wait().await);
        },
    );
    let base = BASE.replace(r#""encoding":"json""#, r#""encoding":"binary""#);
    assert_eq!(rpc, format!(r#"{{{base},"user":"42","method":"echo","b64data":"/wA="}}"#));
}

#[test]
fn a_payload_that_is_no_json_does_not_go_out_as_if_it_were() {
    let backing = Backing::saying("{}");
    let mut call = rpc_call("");
    call.data = Payload::new(Bytes::from_static(b"\"}, \"user\": \"admin"));
    let answer = run(backend(settings(&backing)).rpc(call).wait());
    assert!(answer.unwrap_err().to_string().contains("not JSON"));
    assert!(backing.seen().is_empty());
}

#[test]
fn the_headers_that_are_named_are_forwarded() {
    let backing = Backing::saying("{}");
    let settings = ProxySettings {
        http_headers: vec!["cookie".into()],
        static_headers: vec![("X-Key".into(), "k".into())],
        ..settings(&backing)
    };
    let mut call = rpc_call("1");
    let transport = vec![("cookie".to_owned(), Bytes::from("a=1")), ("origin".to_owned(), Bytes::from("o"))];
    call.caller.headers = Some(Arc::new(CallerHeaders { transport, emulated: Vec::new() }));
    run(backend(settings).rpc(call).wait()).unwrap();
    let seen = &backing.seen()[0];
    assert_eq!(
        (seen.header("cookie"), seen.header("x-key"), seen.header("origin")),
        (Some("a=1"), Some("k"), None)
    );
}

#[test]
fn connections_are_kept() {
    let backing =
        Backing::start(|seen| Some(with_status(if seen.body.contains("42") { 200 } else { 500 }, "{}")));
    let backend = backend(settings(&backing));
    run(async {
        for _ in 0..3 {
            backend.rpc(rpc_call("1")).wait().await.unwrap();
        }
    });
    assert!(backing.seen().iter().all(|seen| seen.connection == 0));
}

#[test]
fn a_redirect_is_followed_as_a_get_or_as_a_repetition() {
    for (status, method, has_body) in [
        (301, "GET", false),
        (302, "GET", false),
        (303, "GET", false),
        (307, "POST", true),
        (308, "POST", true),
    ] {
        let backing = Backing::start(move |seen| {
            let there = seen.target == "/x/there?a=b";
            Some(if there {
                with_status(200, r#"{"result":{"data":1}}"#)
            } else {
                redirect(status, "there?a=b")
            })
        });
        assert_eq!(rpc(&backend(settings(&backing))).unwrap(), "1", "{status}");
        let seen = backing.seen();
        assert_eq!((seen.len(), seen[1].method.as_str()), (2, method), "{status}");
        assert_eq!(!seen[1].body.is_empty(), has_body, "{status}");
    }
}
