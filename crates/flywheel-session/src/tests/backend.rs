//! What the application's backend decides: server API, sections 6 and 7.

use std::sync::Arc;

use bytes::Bytes;
use flywheel_model::{
    Caller, CallerHeaders, ConnectClaims, OptionOverrides, Payload, Renewal, Renewed, StreamPosition,
    SubscribeGrant, UnixSeconds,
};
use flywheel_protocol::{Disconnect, ErrorCode};

use super::world::{UNIX_START, World};
use crate::{Ask, Failure, Outcome, RpcSettings, Settings};

fn refusal() -> Failure {
    ErrorCode { code: 403, message: "not a member".into(), temporary: false }.into()
}

fn banned() -> Failure {
    Disconnect { code: 4500, reason: "banned".into() }.into()
}

#[expect(clippy::unnecessary_wraps, reason = "as expiries are written")]
fn in_seconds(seconds: i64) -> Option<UnixSeconds> {
    Some(UnixSeconds(UNIX_START + seconds))
}

/// The caller of a question.
fn caller(ask: &Ask) -> &Caller {
    match ask {
        Ask::Connect(question) => &question.caller,
        Ask::Renew(caller)
        | Ask::RenewSubscription(caller, _)
        | Ask::Authorize { caller, .. }
        | Ask::Rpc { caller, .. }
        | Ask::Publish { caller: Some(caller), .. } => caller,
        other => panic!("nobody calls: {other:?}"),
    }
}

/// A world whose backends answer when the test says so.
fn with(change: impl FnOnce(&mut Settings)) -> World {
    let mut world = World::with(|settings, greeting| {
        settings.ping_interval = None;
        settings.rpc.without_namespace = true;
        change(settings);
        let transport = vec![("cookie".to_owned(), Bytes::from("a=1"))];
        greeting.headers = Some(Arc::new(CallerHeaders { transport, emulated: Vec::new() }));
    });
    for kind in ["connect", "renew", "renew subscription", "authorize", "rpc"] {
        world.slow(kind);
    }
    world
}

fn connected(change: impl FnOnce(&mut Settings)) -> World {
    let mut world = with(change);
    world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
    world.does_anything();
    world
}

/// A world in which the backend has been asked who connects.
fn connecting() -> World {
    let mut world = with(|settings| settings.backend.connect = true);
    world.send(r#"{"id":1,"connect":{"name":"js","data":{"room":5},"subs":{"lobby":{}}}}"#);
    world.does(&["ask connect"]);
    world
}

fn answer(world: &mut World, kind: &str, outcome: Outcome) {
    let (context, _) = world.take(kind);
    world.give((context, outcome));
}

mod connect {
    use super::*;

    fn claims() -> ConnectClaims {
        ConnectClaims { user: "42".into(), data: Some(Payload::from("1")), ..ConnectClaims::default() }
    }

    #[test]
    fn a_client_without_token_is_whoever_the_backend_says() {
        let mut world = connecting();
        let (context, ask) = world.take("connect");
        let Ask::Connect(question) = &ask else { unreachable!() };
        assert_eq!((question.name.as_str(), question.data.bytes().as_ref()), ("js", &b"{\"room\":5}"[..]));
        assert_eq!(question.channels, ["lobby"]);
        assert_eq!((question.caller.transport, question.caller.protocol), ("websocket", "json"));
        let subs = [("room:x".into(), SubscribeGrant::default())].into();
        world.give((context, Outcome::Vouched(Ok(Some(Box::new(ConnectClaims { subs, ..claims() }))))));
        // The channels that the client asked for are the backend's to give.
        world.sees(&[
            r#"{"id":1,"connect":{"client":"c1","version":"v","data":1,"subs":{"room:x":{}}}}"#,
            r#"{"push":{"channel":"room:x","join":{"info":{"user":"42","client":"c1"}}}}"#,
        ]);
    }

    #[test]
    fn with_a_token_the_backend_is_not_asked() {
        let mut world = with(|settings| settings.backend.connect = true);
        world.send(r#"{"id":1,"connect":{"token":"t42"}}"#);
        world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v"}}"#]);
    }

    #[test]
    fn a_backend_that_names_nobody_leaves_it_to_the_server() {
        let mut world = connecting();
        answer(&mut world, "connect", Outcome::Vouched(Ok(None)));
        world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v","subs":{"lobby":{}}}}"#]);
        let mut world = connecting();
        world.engine.tokens.insert(String::new(), Err(Disconnect::BAD_REQUEST.into()));
        answer(&mut world, "connect", Outcome::Vouched(Ok(None)));
        world.sees(&["close 3501 bad request"]);
    }

    #[test]
    fn refusals_reach_the_client() {
        for (failure, expected) in [
            (refusal(), r#"{"id":1,"error":{"code":403,"message":"not a member"}}"#),
            (banned(), "close 4500 banned"),
            (
                ErrorCode::INTERNAL.into(),
                r#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
            ),
        ] {
            let mut world = connecting();
            answer(&mut world, "connect", Outcome::Vouched(Err(failure)));
            world.sees(&[expected]);
        }
    }

    #[test]
    fn expiry_in_the_past_and_unknown_namespaces_are_errors() {
        let mut world = connecting();
        let expired = ConnectClaims { expire_at: in_seconds(-1), ..claims() };
        answer(&mut world, "connect", Outcome::Vouched(Ok(Some(Box::new(expired)))));
        world.sees(&[r#"{"id":1,"error":{"code":110,"message":"expired"}}"#]);
        let mut world = connecting();
        let subs = [("nowhere:x".into(), SubscribeGrant::default())].into();
        let lost = ConnectClaims { subs, ..claims() };
        answer(&mut world, "connect", Outcome::Vouched(Ok(Some(Box::new(lost)))));
        world.sees(&[r#"{"id":1,"error":{"code":102,"message":"unknown channel"}}"#]);
    }

    #[test]
    fn meta_and_the_headers_that_somebody_wants_are_told_from_then_on() {
        let mut world = with(|settings| {
            settings.backend.connect = true;
            settings.backend.emulated_headers = vec!["authorization".into()];
        });
        world.send(r#"{"id":1,"connect":{"headers":{"Authorization":"x","Other":"y"}}}"#);
        let meta = Some(Bytes::from("{\"tenant\":3}"));
        let known = ConnectClaims { meta: meta.clone(), ..claims() };
        answer(&mut world, "connect", Outcome::Vouched(Ok(Some(Box::new(known)))));
        world.send(r#"{"id":2,"rpc":{"method":"echo"}}"#);
        let (context, ask) = world.take("rpc");
        let caller = caller(&ask);
        assert_eq!((caller.user.as_str(), &caller.meta), ("42", &meta));
        let headers = CallerHeaders {
            transport: vec![("cookie".into(), "a=1".into())],
            emulated: vec![("authorization".into(), "x".into())],
        };
        assert_eq!(caller.headers.as_deref(), Some(&headers));
        world.give((context, Outcome::Rpc(Ok(Payload::from("")))));
    }
}

mod rpc {
    use super::*;

    fn settings(without_namespace: bool, ping: Option<&str>, namespaces: &[(&str, bool)]) -> RpcSettings {
        RpcSettings {
            ping_method: ping.map(str::to_owned),
            without_namespace,
            namespaces: namespaces.iter().map(|(name, served)| ((*name).to_owned(), *served)).collect(),
            ..RpcSettings::default()
        }
    }

    #[test]
    fn the_namespace_of_the_method_decides_who_answers() {
        let some = &[("on", true), ("off", false)];
        for (rpc, method, expected) in [
            (settings(false, None, &[("off", false)]), "any", Err(ErrorCode::NOT_AVAILABLE)),
            (settings(false, Some("ping"), &[]), "any", Err(ErrorCode::METHOD_NOT_FOUND)),
            (settings(false, None, some), "any", Err(ErrorCode::NOT_AVAILABLE)),
            (settings(true, None, some), "any", Ok(())),
            (settings(false, None, some), "on:any", Ok(())),
            (settings(true, None, some), "off:any", Err(ErrorCode::NOT_AVAILABLE)),
            (settings(true, None, some), "nowhere:any", Err(ErrorCode::METHOD_NOT_FOUND)),
            (settings(true, None, some), ":any", Err(ErrorCode::METHOD_NOT_FOUND)),
        ] {
            assert_eq!(rpc.check(method), expected, "{method} {rpc:?}");
        }
    }

    #[test]
    fn the_built_in_method_comes_first() {
        let mut world = connected(|settings| settings.rpc.ping_method = Some("ping".into()));
        world.send(r#"{"id":2,"rpc":{"method":"ping","data":1}}"#);
        world.does(&[r#"{"id":2,"rpc":{}}"#]);
    }

    #[test]
    fn answers_reach_the_client() {
        let data = |text: &'static str| Ok(Payload::from(text));
        for (outcome, expected) in [
            (data("{\"n\":1}"), r#"{"id":2,"rpc":{"data":{"n":1}}}"#),
            (data(""), r#"{"id":2,"rpc":{}}"#),
            (Err(refusal()), r#"{"id":2,"error":{"code":403,"message":"not a member"}}"#),
            (Err(banned()), "close 4500 banned"),
            (data("not json"), "close 3506 inappropriate protocol"),
        ] {
            let mut world = connected(|_| {});
            world.send(r#"{"id":2,"rpc":{"method":"echo"}}"#);
            answer(&mut world, "rpc", Outcome::Rpc(outcome));
            world.sees(&[expected]);
        }
    }

    #[test]
    fn later_commands_wait_for_the_answer_but_pongs_and_deliveries_do_not() {
        let mut world =
            connected(|settings| settings.ping_interval = Some(std::time::Duration::from_secs(25)));
        world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
        world.send("{\"id\":3,\"rpc\":{\"method\":\"a\"}}\n{\"id\":4,\"publish\":{\"channel\":\"lobby\",\"data\":1}}\n{\"id\":5,\"rpc\":{\"method\":\"b\"}}\n{\"id\":6,\"unsubscribe\":{\"channel\":\"lobby\"}}");
        world.does_anything();
        world.publish("lobby", "7");
        world.sees(&[r#"{"push":{"channel":"lobby","pub":{"data":7}}}"#]);
        world.at(12_500);
        world.send("{}");
        world.at(24_000);
        world.sees(&["{}"]);
        answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from("1"))));
        world.sees(&[
            r#"{"id":3,"rpc":{"data":1}}"#,
            r#"{"id":4,"publish":{}}"#,
            r#"{"push":{"channel":"lobby","pub":{"data":1,"info":{"user":"42","client":"c1"}}}}"#,
        ]);
        answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from("2"))));
        world.sees(&[r#"{"id":5,"rpc":{"data":2}}"#, r#"{"id":6,"unsubscribe":{}}"#]);
    }

    #[test]
    fn with_concurrency_nobody_waits() {
        let mut world = connected(|settings| settings.one_by_one = false);
        world.send("{\"id\":2,\"rpc\":{\"method\":\"a\"}}\n{\"id\":3,\"rpc\":{\"method\":\"b\"}}");
        let first = world.take("rpc").0;
        answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from("2"))));
        world.give((first, Outcome::Rpc(Ok(Payload::from("1")))));
        world.sees(&[r#"{"id":3,"rpc":{"data":2}}"#, r#"{"id":2,"rpc":{"data":1}}"#]);
    }

    #[test]
    fn commands_that_wait_count_so_that_reading_stops() {
        let mut world = connected(|settings| settings.commands_in_flight_max = 3);
        for id in 2..4 {
            world.send(&format!(r#"{{"id":{id},"rpc":{{"method":"a"}}}}"#));
            assert!(!world.is_saturated(), "{id}");
        }
        world.send(r#"{"id":4,"rpc":{"method":"a"}}"#);
        assert!(world.is_saturated());
        for _ in 0..3 {
            answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from("1"))));
        }
        assert!(!world.is_saturated());
    }

    #[test]
    fn garbage_behind_a_call_does_not_cost_it_its_reply() {
        let mut world = connected(|_| {});
        world.send("{\"id\":2,\"rpc\":{\"method\":\"a\"}}\ngarbage");
        answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from("1"))));
        world.sees(&[r#"{"id":2,"rpc":{"data":1}}"#, "close 3501 bad request"]);
    }

    #[test]
    fn an_answer_after_the_end_is_nobodys() {
        let mut world = connected(|_| {});
        world.send("{\"id\":2,\"rpc\":{\"method\":\"a\"}}\n{\"id\":3,\"rpc\":{\"method\":\"b\"}}");
        world.hang_up();
        world.does_anything();
        answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from("1"))));
        world.does(&[]);
    }
}

mod publish {
    use super::*;

    #[test]
    fn the_backend_alone_decides() {
        let mut world = connected(|_| {});
        world.slow("publish");
        world.send(r#"{"id":2,"publish":{"channel":"asked:1","data":1}}"#);
        let (context, ask) = world.take("publish");
        assert_eq!(caller(&ask).user.as_str(), "42");
        world.give((context, Outcome::Done(Err(refusal()))));
        world.sees(&[r#"{"id":2,"error":{"code":403,"message":"not a member"}}"#]);
        world.send(r#"{"id":3,"publish":{"channel":"asked:1"}}"#);
        world.sees(&[r#"{"id":3,"error":{"code":107,"message":"bad request"}}"#]);
    }

    #[test]
    fn later_commands_wait_for_it() {
        let mut world = connected(|_| {});
        world.slow("publish");
        world.send("{\"id\":2,\"publish\":{\"channel\":\"asked:1\",\"data\":1}}\n{\"id\":3,\"rpc\":{\"method\":\"a\"}}");
        world.does(&["ask publish"]);
        let (context, _) = world.take("publish");
        world.give((context, Outcome::Done(Ok(StreamPosition::default()))));
        world.does(&[r#"{"id":2,"publish":{}}"#, "ask rpc"]);
        answer(&mut world, "rpc", Outcome::Rpc(Ok(Payload::from(""))));
    }
}

mod subscribe {
    use super::*;

    fn subscribing() -> World {
        let mut world = connected(|_| {});
        world.send(
            r#"{"id":2,"subscribe":{"channel":"asked:1","data":{"a":1},"recoverable":true,"positioned":true,"join_leave":true}}"#,
        );
        world.does(&["ask authorize"]);
        world
    }

    fn granted(world: &mut World, grant: SubscribeGrant) {
        answer(world, "authorize", Outcome::Authorized(Ok(Box::new(grant))));
    }

    #[test]
    fn the_clients_own_wishes_do_not_count_and_the_overrides_do() {
        let mut world = subscribing();
        let (context, ask) = world.take("authorize");
        let Ask::Authorize { channel, data, .. } = &ask else { unreachable!() };
        assert_eq!((channel.as_str(), data.bytes().as_ref()), ("asked:1", &b"{\"a\":1}"[..]));
        world.give((context, Outcome::Authorized(Ok(Box::default()))));
        world.sees(&[r#"{"id":2,"subscribe":{}}"#]);
        let mut world = subscribing();
        let overrides = OptionOverrides { force_positioning: Some(true), ..OptionOverrides::default() };
        granted(
            &mut world,
            SubscribeGrant { overrides, data: Some(Payload::from("5")), ..SubscribeGrant::default() },
        );
        world.sees(&[r#"{"id":2,"subscribe":{"epoch":"e","positioned":true,"data":5}}"#]);
    }

    #[test]
    fn refusals_reach_the_client_and_the_channel_is_free_again() {
        let mut world = subscribing();
        answer(&mut world, "authorize", Outcome::Authorized(Err(refusal())));
        world.sees(&[r#"{"id":2,"error":{"code":403,"message":"not a member"}}"#]);
        world.send(r#"{"id":3,"subscribe":{"channel":"asked:1"}}"#);
        world.does(&["ask authorize"]);
        answer(&mut world, "authorize", Outcome::Authorized(Err(banned())));
        world.sees(&["close 4500 banned"]);
    }

    #[test]
    fn the_expiry_is_the_backends_and_not_the_clients_to_put_off() {
        let mut world = subscribing();
        granted(&mut world, SubscribeGrant { expire_at: in_seconds(-1), ..SubscribeGrant::default() });
        world.sees(&[r#"{"id":2,"error":{"code":110,"message":"expired"}}"#]);
        let mut world = subscribing();
        granted(&mut world, SubscribeGrant { expire_at: in_seconds(50), ..SubscribeGrant::default() });
        world.sees(&[r#"{"id":2,"subscribe":{}}"#]);
        world.send(r#"{"id":3,"sub_refresh":{"channel":"asked:1","token":"s"}}"#);
        world.sees(&["close 3501 bad request"]);
    }

    fn due() -> World {
        let mut world = subscribing();
        granted(&mut world, SubscribeGrant { expire_at: in_seconds(50), ..SubscribeGrant::default() });
        world.at(49_999);
        world.does_anything();
        world.at(50_000);
        world.does(&["ask renew subscription"]);
        // It is asked once, however long that takes.
        world.at(55_000);
        world.does(&[]);
        world
    }

    fn renewed(expire_at: Option<UnixSeconds>) -> Outcome {
        Outcome::Renewed(Ok(Renewal::Renewed(Box::new(Renewed { expire_at, ..Renewed::default() }))))
    }

    #[test]
    fn at_the_expiry_the_backend_is_asked() {
        let mut world = due();
        answer(&mut world, "renew subscription", renewed(in_seconds(80)));
        world.at(80_000);
        world.does(&["ask renew subscription"]);
        answer(&mut world, "renew subscription", renewed(None));
        world.at(1_000_000);
        world.does(&[]);
    }

    #[test]
    fn a_subscription_that_is_over_ends() {
        for outcome in [Outcome::Renewed(Ok(Renewal::Expired)), renewed(in_seconds(1))] {
            let mut world = due();
            answer(&mut world, "renew subscription", outcome);
            world.sees(&[
                r#"{"push":{"channel":"asked:1","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#,
            ]);
        }
    }

    #[test]
    fn a_backend_that_cannot_be_asked_is_asked_again_in_a_minute() {
        let mut world = due();
        answer(&mut world, "renew subscription", Outcome::Renewed(Err(ErrorCode::INTERNAL.into())));
        world.at(114_999);
        world.does(&[]);
        world.at(115_000);
        world.does(&["ask renew subscription"]);
    }

    #[test]
    fn a_subscription_that_is_gone_needs_no_renewal() {
        let mut world = due();
        world.send(r#"{"id":3,"unsubscribe":{"channel":"asked:1"}}"#);
        answer(&mut world, "renew subscription", Outcome::Renewed(Ok(Renewal::Expired)));
        world.sees(&[r#"{"id":3,"unsubscribe":{}}"#]);
    }
}

mod refresh {
    use super::*;

    fn due() -> World {
        let mut world = with(|settings| settings.backend.refresh = true);
        let expiring =
            ConnectClaims { user: "42".into(), expire_at: in_seconds(100), ..ConnectClaims::default() };
        world.engine.tokens.insert("t".into(), Ok(expiring));
        world.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        world.sees(&[r#"{"id":1,"connect":{"client":"c1","version":"v"}}"#]);
        world.at(99_999);
        world.does(&[]);
        world.at(100_000);
        world.does(&["ask renew"]);
        world.at(105_000);
        world.does(&[]);
        world
    }

    fn renewed(renewed: Renewed) -> Outcome {
        Outcome::Renewed(Ok(Renewal::Renewed(Box::new(renewed))))
    }

    #[test]
    fn at_the_expiry_the_backend_is_asked_and_may_replace_info_and_meta() {
        let mut world = due();
        let meta = Some(Bytes::from("{}"));
        let info = Some(Payload::from("7"));
        answer(
            &mut world,
            "renew",
            renewed(Renewed { expire_at: in_seconds(200), info, meta: meta.clone() }),
        );
        world.send(r#"{"id":2,"subscribe":{"channel":"lobby"}}"#);
        world.send(r#"{"id":3,"publish":{"channel":"lobby","data":1}}"#);
        world.sees(&[
            r#"{"id":2,"subscribe":{}}"#,
            r#"{"push":{"channel":"lobby","pub":{"data":1,"info":{"user":"42","client":"c1","conn_info":7}}}}"#,
            r#"{"id":3,"publish":{}}"#,
        ]);
        world.at(200_000);
        world.does(&["ask renew"]);
        let (context, ask) = world.take("renew");
        assert_eq!(caller(&ask).meta, meta);
        world.give((context, Outcome::Renewed(Ok(Renewal::Expired))));
        world.sees(&["close 3005 connection expired"]);
    }

    #[test]
    fn without_a_new_expiry_the_connection_ends() {
        for expire_at in [None, in_seconds(1)] {
            let mut world = due();
            answer(&mut world, "renew", renewed(Renewed { expire_at, ..Renewed::default() }));
            world.sees(&["close 3005 connection expired"]);
        }
    }

    #[test]
    fn a_backend_that_cannot_be_asked_is_asked_again_in_a_minute() {
        let mut world = due();
        answer(&mut world, "renew", Outcome::Renewed(Err(ErrorCode::INTERNAL.into())));
        world.at(164_999);
        world.does(&[]);
        world.at(165_000);
        world.does(&["ask renew"]);
    }

    #[test]
    fn the_client_may_not_refresh() {
        let mut world = due();
        world.send(r#"{"id":2,"refresh":{"token":"t"}}"#);
        world.sees(&["close 3501 bad request"]);
    }
}

#[test]
fn without_backends_nothing_changes() {
    let mut world = World::connected();
    world.send(r#"{"id":2,"rpc":{"method":"a"}}"#);
    world.sees(&[r#"{"id":2,"error":{"code":108,"message":"not available"}}"#]);
}
