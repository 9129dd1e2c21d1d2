//! What concerns all nodes reaches all nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use flywheel_engine::{Answer, Recipient};
use flywheel_model::{Channel, OptionOverrides, Payload, SessionId, SubscribeGrant, UnixSeconds};
use flywheel_node::{ApiError, NotEmulated, SurveyError, Whom};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::{Emulation, Encoding};
use flywheel_session::ServerSubscribe;
use parking_lot::Mutex;

use crate::world::{World, health, wait_for};

fn whom(user: &str) -> Whom {
    let client = "1b4e28ba-2fa1-4d3b-883f-0016d3cca427";
    Whom { user: user.into(), client: client.into(), session: String::new() }
}

#[test]
fn an_operation_is_done_alike_on_every_node() {
    let world = World::new(3, health());
    let node = &world.nodes[0].node;
    let grant = SubscribeGrant {
        expire_at: Some(UnixSeconds(99)),
        info: Some(Payload::new("[1]".into())),
        data: Some(Payload::new(Bytes::from_static(b"\xff"))),
        overrides: OptionOverrides {
            presence: Some(true),
            force_push_join_leave: Some(false),
            ..Default::default()
        },
    };
    let subscribe = ServerSubscribe {
        grant,
        recover_since: Some(flywheel_model::StreamPosition { offset: 5, epoch: "e".into() }),
    };
    world.runtime.block_on(async {
        node.subscribe_clients(&whom("7"), "c", subscribe).await.unwrap();
        node.unsubscribe_clients(&whom("7"), "c").await.unwrap();
        let gone = Disconnect { code: 4500, reason: "banned".into() };
        node.disconnect_clients(&whom(""), gone, &["kept".to_owned()]).await.unwrap();
        node.refresh_clients(&whom("7"), None, Some(Payload::new("{}".into()))).await.unwrap();
        node.refresh_clients(&whom("7"), Some(UnixSeconds(5)), None).await.unwrap();
    });
    let told = world.nodes[0].told.lock().clone();
    assert_eq!(told.len(), 5);
    for other in &world.nodes[1..] {
        wait_for("the others are told", || other.told.lock().len() == told.len());
        assert_eq!(*other.told.lock(), told);
    }
}

#[test]
fn channels_are_counted_over_all_nodes() {
    let world = World::new(3, health());
    let channel = |name: &str, count| (Channel::from(name), count);
    for (node, channels) in
        [vec![channel("a", 1), channel("b", 2)], vec![channel("a", 5)], vec![channel("c", 1)]]
            .into_iter()
            .enumerate()
    {
        *world.nodes[node].channels.lock() = channels;
    }
    let ask = |pattern| world.runtime.block_on(world.nodes[0].node.channels(pattern));
    assert_eq!(ask(None), Ok([channel("a", 6), channel("b", 2), channel("c", 1)].into()));
    assert_eq!(ask(Some("[bc]")), Ok([channel("b", 2), channel("c", 1)].into()));
    assert_eq!(ask(Some("[")), Err(ApiError::BadRequest));
    // Stuck, but still there: half an answer would be a wrong one.
    world.nodes[2].stuck.store(true, Ordering::SeqCst);
    assert_eq!(ask(None), Err(ApiError::Internal));
}

#[test]
fn info_tells_of_all_nodes() {
    let world = World::new(2, health());
    wait_for("what it says of itself has arrived", || {
        let nodes = world.nodes[0].node.info();
        let told: Vec<_> =
            nodes.iter().map(|info| (info.uid.as_str(), info.name.as_str(), info.clients)).collect();
        told == [("n0", "name of n0", 7), ("n1", "name of n1", 7)]
    });
    assert!(world.nodes[0].node.metrics().render().contains("centrifugo_node_num_nodes 2"));
}

#[test]
fn nodes_ask_and_tell_each_other() {
    let world = World::new(2, health());
    let [asking, asked] = [&world.nodes[0].node, &world.nodes[1].node];
    let double = |data: Bytes| match std::str::from_utf8(&data).ok().and_then(|text| text.parse::<u32>().ok())
    {
        Some(number) => Answer::Now(Ok((number * 2).to_string().into())),
        None => Answer::Now(Err(9)),
    };
    asked.answer_surveys("double", Arc::new(double));
    let ask = |uid: &str, op: &str, data: &'static str| {
        world.runtime.block_on(asking.ask_node(uid, op, data.into()))
    };
    assert_eq!(ask("n1", "double", "21"), Ok("42".into()));
    assert_eq!(ask("n1", "double", "x"), Err(SurveyError::Refused { uid: "n1".into(), code: 9 }));
    assert_eq!(ask("n1", "triple", "1"), Err(SurveyError::Refused { uid: "n1".into(), code: 3 }));
    assert_eq!(ask("n0", "double", "1"), Err(SurveyError::Refused { uid: "n0".into(), code: 3 }), "itself");
    let noted: Arc<Mutex<Vec<String>>> = Arc::default();
    for node in [asking, asked] {
        let noted = Arc::clone(&noted);
        let note = move |from: &str, data: Bytes| noted.lock().push(format!("{from} says {data:?}"));
        node.receive_notifications("note", Arc::new(note));
    }
    for uid in ["n0", "n1"] {
        world.runtime.block_on(asking.send_to_node(uid, "note", "hello".into())).unwrap();
        world.runtime.block_on(asking.send_to_node(uid, "unknown", "hello".into())).unwrap();
    }
    wait_for("both were told", || *noted.lock() == ["n0 says b\"hello\"", "n0 says b\"hello\""]);
}

#[test]
fn a_frame_finds_the_node_of_its_connection() {
    let world = World::new(2, health());
    let node = &world.nodes[0].node;
    let session = SessionId::from_random_in(7, 0).to_string();
    let emulate = |uid: &str| {
        let (node_of, session, frame) = (uid.to_owned(), session.clone(), Some("{\"id\":1}".into()));
        let emulation = Emulation { node: node_of, session, encoding: Encoding::Json, frame };
        world.runtime.block_on(node.emulate(emulation))
    };
    for _ in 0..3 {
        assert_eq!(emulate("n1"), Ok(()));
    }
    assert_eq!(world.nodes[1].was_told(&session), 3, "each is dealt with before its request is answered");
    assert_eq!(world.nodes[0].was_told(&session), 0);
    assert_eq!(emulate("n2"), Err(NotEmulated::UnknownNode));
    assert_eq!(emulate(""), Err(NotEmulated::UnknownNode));
    world.nodes[0].faults.cut_off.store(true, Ordering::SeqCst);
    assert_eq!(emulate("n1"), Err(NotEmulated::Failed));
    assert_eq!(world.nodes[1].was_told(&session), 3);
}

#[test]
fn garbage_is_counted_and_a_node_of_another_make_is_welcome() {
    let world = World::new(2, health());
    let node = &world.nodes[0];
    for garbage in [&b""[..], b"\xff", b"\x0a\x01x", b"\x0a\x01x\x22\x03\x0a\x01y", &[0x22; 4000]] {
        world.bus.send("stranger", Recipient::Node("n0"), garbage).unwrap();
    }
    let counted = "flywheel_control_messages_ignored_total{reason=\"undecodable\"} 5";
    wait_for("all of it is counted", || node.node.metrics().render().contains(counted));
    // uid "x", node { uid "x", name "other", num_clients 3 }, and a field that we do not know.
    let ping = b"\x0a\x01x\x22\x0c\x0a\x01x\x12\x05other\x20\x03\xf8\x07\x01";
    world.bus.send("x", Recipient::All, ping).unwrap();
    wait_for("it is seen", || node.sees() == ["n0", "n1", "x"]);
    assert_eq!(node.node.info()[2].clients, 3);
    wait_for("it is dropped when it is silent", || node.sees() == ["n0", "n1"]);
    assert!(node.is_ready());
}
