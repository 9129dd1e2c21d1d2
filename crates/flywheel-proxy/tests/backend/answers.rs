use flywheel_engine::{Backend, BackendError, ConnectCall, PublishGrant, SubRefreshCall, SubscribeCall};
use flywheel_model::{OptionOverrides, Payload, Renewal, Renewed, SubscribeGrant, UnixSeconds};
use flywheel_proxy::{HttpBackend, StatusTransform};
use flywheel_stream::Version;

use crate::{backend, caller, failure, publish_call, rpc, run, settings};
use flywheel_testkit::{Backing, with_status};

fn answering(body: &'static str) -> HttpBackend {
    backend(settings(&Backing::saying(body)))
}

#[expect(clippy::unnecessary_wraps, reason = "as grants hold payloads")]
fn json(text: &'static str) -> Option<Payload> {
    Some(Payload::from(text))
}

#[test]
fn a_connect_result_becomes_claims() {
    let backend = answering(
        r#"{"result":{"user":"42","expire_at":1893456000,"info":{"n":1},"b64info":"eyJuIjoyfQ==","data":{"d":1},
            "channels":["a","b"],"subs":{"b":{"info":1,"expire_at":5,"override":{"presence":{"value":true}}}},
            "meta":{"tenant":3},"caps":[]}}"#,
    );
    let call = ConnectCall {
        caller: caller(),
        data: Payload::from(""),
        name: String::new(),
        version: String::new(),
        channels: Vec::new(),
    };
    let claims = run(backend.connect(Box::new(call.clone())).wait()).unwrap().unwrap();
    assert_eq!(claims.user.as_str(), "42");
    assert_eq!(claims.expire_at, Some(UnixSeconds(1_893_456_000)));
    assert_eq!((claims.info, claims.data), (json("{\"n\":2}"), json("{\"d\":1}")));
    assert_eq!(claims.meta.as_deref(), Some(&b"{\"tenant\":3}"[..]));
    assert_eq!(claims.subs["a"], SubscribeGrant::default());
    let overrides = OptionOverrides { presence: Some(true), ..OptionOverrides::default() };
    assert_eq!(claims.subs["b"], SubscribeGrant { info: json("1"), overrides, ..SubscribeGrant::default() });
    assert_eq!(run(answering("{}").connect(Box::new(call)).wait()).unwrap(), None);
}

#[test]
fn a_publish_result_says_what_to_publish_and_raw_data_wins() {
    let grant = |body| run(answering(body).publish(publish_call()).wait()).unwrap();
    assert_eq!(*grant(r#"{"result":{}}"#), PublishGrant::default());
    assert_eq!(*grant("null"), PublishGrant::default());
    assert_eq!(grant(r#"{"result":{"data":1,"b64data":"Mg=="}}"#).data, json("1"));
    assert_eq!(grant(r#"{"result":{"b64data":"Mg=="}}"#).data, json("2"));
    let all = grant(
        r#"{"result":{"skip_history":true,"tags":{"a":"b"},"idempotency_key":"k","delta":true,"version":7,"version_epoch":"e"}}"#,
    );
    let expected = PublishGrant {
        data: None,
        skip_history: true,
        tags: [("a".to_owned(), "b".to_owned())].into(),
        idempotency_key: Some("k".into()),
        delta: true,
        version: Some(Version { number: 7, epoch: "e".into() }),
    };
    assert_eq!(*all, expected);
}

#[test]
fn a_subscribe_result_becomes_a_grant() {
    let subscribe = |body| {
        let call = SubscribeCall { caller: caller(), channel: "chat:1".into(), data: Payload::from("") };
        run(answering(body).subscribe(Box::new(call)).wait())
    };
    assert_eq!(*subscribe("{}").unwrap(), SubscribeGrant::default());
    let grant =
        subscribe(r#"{"result":{"expire_at":9,"info":1,"data":2,"override":{"join_leave":{}}}}"#).unwrap();
    let overrides = OptionOverrides { join_leave: Some(false), ..OptionOverrides::default() };
    assert_eq!(
        *grant,
        SubscribeGrant { expire_at: Some(UnixSeconds(9)), info: json("1"), data: json("2"), overrides }
    );
}

#[test]
fn a_renewal_needs_a_result() {
    let refresh = |body| run(answering(body).refresh(caller()).wait());
    let renewed = |renewed| Ok(Renewal::Renewed(Box::new(renewed)));
    assert_eq!(refresh("{}"), Ok(Renewal::Expired));
    assert_eq!(refresh(r#"{"result":{"expired":true,"expire_at":5}}"#), Ok(Renewal::Expired));
    let expected = Renewed { expire_at: Some(UnixSeconds(5)), info: json("1"), meta: Some("{}".into()) };
    assert_eq!(
        refresh(r#"{"result":{"expire_at":5,"b64info":"MQ==","info":2,"meta":{}}}"#),
        renewed(expected)
    );
    let sub_refresh = |body| {
        let call = SubRefreshCall { caller: caller(), channel: "chat:1".into() };
        run(answering(body).sub_refresh(Box::new(call)).wait())
    };
    assert_eq!(sub_refresh("{}"), Ok(Renewal::Expired));
    assert_eq!(sub_refresh(r#"{"result":{}}"#), renewed(Renewed::default()));
}

#[test]
fn a_disconnect_counts_before_an_error_and_an_error_before_a_result() {
    let error = |temporary| BackendError::Error { code: 1001, message: "no luck".into(), temporary };
    let body = r#"{"result":{"data":1},"error":{"code":1001,"message":"no luck"},"disconnect":{"code":4500,"reason":"banned"}}"#;
    assert_eq!(rpc(&answering(body)), Err(BackendError::Disconnect { code: 4500, reason: "banned".into() }));
    let body = r#"{"result":{"data":1},"error":{"code":1001,"message":"no luck"},"disconnect":null}"#;
    assert_eq!(rpc(&answering(body)), Err(error(false)));
    let body = r#"{"error":{"code":1001,"message":"no luck","temporary":true}}"#;
    assert_eq!(rpc(&answering(body)), Err(error(true)));
    assert_eq!(rpc(&answering(r#"{"result":{"b64data":"Mg=="}}"#)), Ok("2".into()));
    assert_eq!(rpc(&answering(" null \n")), Ok(String::new()));
}

#[test]
fn what_cannot_be_read_is_a_failure() {
    for body in ["", "{", "[]", "<html>", "{}{}", r#"{"result":5}"#, r#"{"result":{"b64data":5}}"#] {
        assert!(failure(&answering(body)).contains("cannot be read"), "{body}");
    }
    assert!(failure(&answering(r#"{"result":{"b64data":"*"}}"#)).contains("b64data"));
}

#[test]
fn a_status_means_what_its_first_transform_says_and_200_is_never_transformed() {
    let error = BackendError::Error { code: 404, message: "gone".into(), temporary: true };
    let disconnect = BackendError::Disconnect { code: 4501, reason: "banned".into() };
    let transforms =
        [(403, disconnect.clone()), (404, error.clone()), (404, disconnect.clone()), (200, error.clone())];
    let with = |status| {
        let backing = Backing::start(move |_| Some(with_status(status, r#"{"result":{"data":1}}"#)));
        let mut settings = settings(&backing);
        let transform = |(status, becomes): &(u16, BackendError)| StatusTransform {
            status: *status,
            becomes: becomes.clone(),
        };
        settings.transforms = transforms.iter().map(transform).collect();
        rpc(&backend(settings))
    };
    assert_eq!(with(404), Err(error));
    assert_eq!(with(403), Err(disconnect));
    assert_eq!(with(200), Ok("1".into()));
    for status in [201, 204, 400, 500, 503] {
        assert_eq!(with(status), Err(BackendError::Failed(format!("the answer has status {status}"))));
    }
}
