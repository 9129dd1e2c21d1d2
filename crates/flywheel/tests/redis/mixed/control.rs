//! What nodes tell each other: that they are there, and what to do with clients.

use flywheel_testkit::proto::{Message, bytes_of, fields, number_of};
use flywheel_testkit::{JsonClient, Server, named_token, wait_until};
use serde_json::{Value, json};

use super::shared::{Listener, Shared};
use crate::PATIENCE;

/// Name of the reference's node among nodes.
const UID: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

/// Fields of a command, one of which says what it is.
const NODE: u32 = 4;
const UNSUBSCRIBE: u32 = 5;
const DISCONNECT: u32 = 6;
const SHUTDOWN: u32 = 7;
const SURVEY_REQUEST: u32 = 8;
const SURVEY_RESPONSE: u32 = 9;
const SUBSCRIBE: u32 = 10;
const REFRESH: u32 = 12;

fn tell(shared: &Shared, kind: u32, content: &Message) {
    shared.tell_nodes(None, &Message::new().bytes(1, UID).message(kind, content).into_bytes());
}

/// The next command of that kind that our node gives.
fn hear(listener: &mut Listener, kind: u32) -> Vec<u8> {
    let command = listener.find(|command| {
        let is_of_kind = fields(command).unwrap().iter().any(|(number, _)| *number == u64::from(kind));
        is_of_kind && text(command, 1) != UID
    });
    bytes_of(&command, kind.into())
}

fn text(message: &[u8], number: u64) -> String {
    String::from_utf8(bytes_of(message, number)).unwrap()
}

fn uids(server: &Server) -> Vec<Value> {
    let info = server.api_result("info", &json!({}));
    info["nodes"].as_array().unwrap().iter().map(|node| node["uid"].clone()).collect()
}

fn ping(shared: &Shared) {
    let counts = [(4, 11), (5, 7), (6, 5), (7, 3600), (10, 12)];
    let node = Message::new().bytes(1, UID).bytes(2, "old").bytes(3, "6.9.1 OSS");
    let node = counts.into_iter().fold(node, |node, (number, count)| node.number(number, count));
    tell(shared, NODE, &node);
}

pub(super) fn nodes_know_and_obey_each_other(server: &Server, shared: &Shared) {
    let (mut all, mut own) = (shared.listen_as_node(None), shared.listen_as_node(Some(UID)));
    nodes_greet(server, shared, &mut all, &mut own);
    let mut client = JsonClient::connect(server.address(), named_token("T42").as_deref());
    what_the_reference_asks_is_done(shared, &mut client);
    what_is_asked_here_is_passed_on(server, &mut client, &mut all);
    disconnects_are_passed_on_and_done(server, shared, &mut all);
    questions_are_answered(server, shared, &mut all, &mut own);
    tell(shared, SHUTDOWN, &Message::new());
    assert!(wait_until(PATIENCE, || uids(server).len() == 1), "{:?}", uids(server));
}

fn nodes_greet(server: &Server, shared: &Shared, all: &mut Listener, own: &mut Listener) {
    ping(shared);
    // Whoever is heard for the first time is told who is there.
    let greeting = hear(own, NODE);
    let known = || uids(server).contains(&json!(UID));
    assert!(wait_until(PATIENCE, known), "{:?}", uids(server));
    let info = server.api_result("info", &json!({}));
    let mut nodes = info["nodes"].as_array().unwrap().clone();
    nodes.sort_by_key(|node| node["uid"] != UID);
    let [theirs, ours] = &nodes[..] else { panic!("{info}") };
    for (name, value) in [("name", json!("old")), ("version", json!("6.9.1 OSS")), ("num_clients", json!(11))]
    {
        assert_eq!(theirs[name], value, "{theirs}");
    }
    // Again and again, or the reference counts it as gone.
    for said in [greeting, hear(all, NODE)] {
        assert_eq!(json!(text(&said, 1)), ours["uid"]);
        assert_eq!(json!(text(&said, 2)), ours["name"]);
        assert_eq!(json!(text(&said, 3)), ours["version"]);
    }
    ping(shared);
    assert!(server.is_ready(), "{}", server.readiness().text());
}

fn what_the_reference_asks_is_done(shared: &Shared, client: &mut JsonClient) {
    let of_user = || Message::new().bytes(1, "42");
    // Options are those that hold: presence 3, joins 4, position 6, recovery 7.
    let subscribe = of_user().bytes(2, "log:g").number(6, 1).number(7, 1).bytes(10, r#"{"hello":"there"}"#);
    tell(shared, SUBSCRIBE, &subscribe);
    let push = client.push();
    assert_eq!(push["channel"], "log:g");
    let subscribed = &push["subscribe"];
    assert_eq!(
        (&subscribed["recoverable"], &subscribed["positioned"]),
        (&json!(true), &json!(true)),
        "{push}"
    );
    assert_eq!(subscribed["data"], json!({"hello": "there"}));
    let expiring = of_user().number(4, 4_102_444_800).bytes(5, r#"{"name":"Bea"}"#);
    tell(shared, REFRESH, &expiring);
    let push = client.push();
    assert_eq!(push["refresh"]["expires"], true, "{push}");
    tell(shared, REFRESH, &of_user());
    assert_eq!(client.push(), json!({"refresh": {}}));
    let unsubscribe =
        Message::new().bytes(1, "log:g").bytes(2, "42").number(5, 2000).bytes(6, "server unsubscribe");
    tell(shared, UNSUBSCRIBE, &unsubscribe);
    let unsubscribed = json!({"code": 2000, "reason": "server unsubscribe"});
    assert_eq!(client.push(), json!({"channel": "log:g", "unsubscribe": unsubscribed}));
}

fn what_is_asked_here_is_passed_on(server: &Server, client: &mut JsonClient, all: &mut Listener) {
    let request = json!({"user": "42", "channel": "log:g", "data": {"a": 1}, "info": {"b": 2}, "expire_at": 4_102_444_800_u64});
    server.api_result("subscribe", &request);
    assert_eq!(client.push()["channel"], "log:g");
    let heard = hear(all, SUBSCRIBE);
    assert_eq!((text(&heard, 1), text(&heard, 2)), ("42".into(), "log:g".into()));
    assert_eq!([3, 4, 6, 7].map(|number| number_of(&heard, number)), [0, 0, 0, 1], "as the namespace has it");
    assert_eq!(number_of(&heard, 5), 4_102_444_800);
    assert_eq!((text(&heard, 8), text(&heard, 10)), (r#"{"b":2}"#.into(), r#"{"a":1}"#.into()));
    server.api_result("refresh", &json!({"user": "42", "expire_at": 4_102_444_800_u64}));
    assert_eq!(client.push()["refresh"]["expires"], true);
    let heard = hear(all, REFRESH);
    assert_eq!((text(&heard, 1), number_of(&heard, 4)), ("42".into(), 4_102_444_800));
    let only = json!({"user": "42", "client": client.client(), "channel": "log:g"});
    server.api_result("unsubscribe", &only);
    assert_eq!(client.push()["unsubscribe"]["code"], 2000);
    let heard = hear(all, UNSUBSCRIBE);
    assert_eq!((text(&heard, 1), text(&heard, 2)), ("log:g".into(), "42".into()));
    assert_eq!((text(&heard, 3), number_of(&heard, 5)), (client.client().to_owned(), 2000));
}

fn disconnects_are_passed_on_and_done(server: &Server, shared: &Shared, all: &mut Listener) {
    let mut clients = [(); 3].map(|()| JsonClient::connect(server.address(), named_token("T43").as_deref()));
    let names = [0, 1, 2].map(|index: usize| clients[index].client().to_owned());
    let disconnect = Message::new().bytes(1, "43").number(3, 3503).bytes(4, "force disconnect");
    tell(shared, DISCONNECT, &disconnect.bytes(6, &names[0]));
    assert_eq!(clients[0].closed(), (3503, "force disconnect".to_owned()));
    tell(
        shared,
        DISCONNECT,
        &Message::new().bytes(1, "43").bytes(2, &names[2]).number(3, 4001).bytes(4, "ours"),
    );
    assert_eq!(clients[1].closed(), (4001, "ours".to_owned()));
    // The one that was to be kept is there.
    clients[2].subscribe("plain");
    let request =
        json!({"user": "43", "whitelist": ["kept"], "disconnect": {"code": 4002, "reason": "enough"}});
    server.api_result("disconnect", &request);
    assert_eq!(clients[2].closed(), (4002, "enough".to_owned()));
    let heard = hear(all, DISCONNECT);
    assert_eq!(number_of(&heard, 3), 4002);
    assert_eq!(
        (text(&heard, 1), text(&heard, 2), text(&heard, 4)),
        ("43".into(), "kept".into(), "enough".into())
    );
}

/// The reference counts channels over all nodes by a survey of this name.
const CHANNELS: &str = "channels";

fn questions_are_answered(server: &Server, shared: &Shared, all: &mut Listener, own: &mut Listener) {
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("log:g");
    let asked = |id: u64, question: &str| {
        let pattern = Message::new().bytes(1, "log:*").into_bytes();
        tell(shared, SURVEY_REQUEST, &Message::new().number(1, id).bytes(2, question).bytes(3, pattern));
    };
    asked(7, CHANNELS);
    let answer = hear(own, SURVEY_RESPONSE);
    assert_eq!((number_of(&answer, 1), number_of(&answer, 2)), (7, 0));
    let entry = bytes_of(&bytes_of(&answer, 3), 1);
    assert_eq!((text(&entry, 1), number_of(&bytes_of(&entry, 2), 1)), ("log:g".into(), 1));
    asked(8, "something else");
    let answer = hear(own, SURVEY_RESPONSE);
    assert_eq!((number_of(&answer, 1), number_of(&answer, 2)), (8, 3), "no such question");
    let channels = std::thread::scope(|scope| {
        let channels = scope.spawn(|| server.api_result("channels", &json!({"pattern": "log:*"})));
        let question = hear(all, SURVEY_REQUEST);
        assert_eq!((text(&question, 2), text(&bytes_of(&question, 3), 1)), (CHANNELS.into(), "log:*".into()));
        let of = |channel, clients| {
            let count = Message::new().number(1, clients);
            Message::new().bytes(1, channel).message(2, &count)
        };
        let found = Message::new().message(1, &of("log:g", 2)).message(1, &of("log:far", 3));
        let answer = Message::new().number(1, number_of(&question, 1)).message(3, &found);
        let asker = uids(server).into_iter().find(|uid| *uid != UID).unwrap();
        let answer = Message::new().bytes(1, UID).message(SURVEY_RESPONSE, &answer).into_bytes();
        shared.tell_nodes(asker.as_str(), &answer);
        channels.join().unwrap()
    });
    let expected = json!({"channels": {"log:g": {"num_clients": 3}, "log:far": {"num_clients": 3}}});
    assert_eq!(channels, expected);
}
