use std::time::Duration;

use flywheel_redis::link::{
    CallError, ClosedBecause, ErrorWord, Link, LinkError, LinkSettings, Mode, Role, Tls, TlsSettings,
};
use flywheel_redis::resp::{Command, Value};
use flywheel_testkit::{Certificates, FaultProxy, OnReply, RedisOptions, RedisServer};

use crate::fixture::{Ground, local, until};

const SECOND: Duration = Duration::from_secs(1);

fn call(ground: &Ground, link: &Link, command: Command) -> Result<Value, CallError> {
    ground.runtime.block_on(link.call(command, ground.clock.now().at + 5 * SECOND))
}

/// A script that answers its argument and the word.
fn echo(text: &str) -> Command {
    Command::new("EVAL").arg("return {ARGV[1], ARGV[2]}").arg("0").arg(text).checked()
}

#[test]
fn the_server_says_who_it_is_and_calls_are_answered() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    for resp2 in [false, true] {
        let settings = LinkSettings { resp2, client_name: "flywheel".into(), ..LinkSettings::default() };
        let link = ground.connect(&local(server.port()), &settings).unwrap();
        let facts = link.facts();
        assert_eq!(
            (facts.mode, &facts.role, facts.resp),
            (Mode::Standalone, &Role::Primary, if resp2 { 2 } else { 3 })
        );
        assert_eq!((facts.run_id.len(), facts.replication_id.len()), (40, 40));
        assert!(facts.version.starts_with(char::is_numeric), "{facts:?}");
        assert_eq!(call(&ground, &link, Command::new("GET").arg("nothing")), Ok(Value::Null));
        let name = call(&ground, &link, Command::new("CLIENT GETNAME")).unwrap();
        assert_eq!(name.text(), Some("flywheel"));
        let answer = call(&ground, &link, echo("a")).unwrap();
        assert_eq!(answer.items().len(), 1, "the word is taken off: {answer:?}");
    }
}

#[test]
fn many_tasks_share_a_link_and_each_gets_its_own_answer() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let settings = LinkSettings { calls_max: 64, ..LinkSettings::default() };
    let link = ground.connect(&local(server.port()), &settings).unwrap();
    let deadline = ground.clock.now().at + 20 * SECOND;
    ground.runtime.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..50 {
            let link = link.clone();
            callers.spawn(async move {
                for number in 0..100 {
                    let text = format!("{caller}:{number}");
                    let answer = link.call(echo(&text), deadline).await.unwrap();
                    assert_eq!(answer.items()[0].text(), Some(text.as_str()));
                    let echoed = link.call(Command::new("ECHO").arg(&text), deadline).await.unwrap();
                    assert_eq!(echoed.text(), Some(text.as_str()));
                }
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
    });
    until("the last heartbeat is answered", || link.in_flight() == 0);
}

#[test]
fn callers_that_go_away_leave_the_link_in_order() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    let deadline = ground.clock.now().at + 20 * SECOND;
    ground.runtime.block_on(async {
        for number in 0..200 {
            let dropped = link.call(Command::new("ECHO").arg("dropped"), deadline);
            drop(tokio::time::timeout(Duration::ZERO, dropped).await);
            let text = number.to_string();
            let echoed = link.call(Command::new("ECHO").arg(&text), deadline).await.unwrap();
            assert_eq!(echoed.text(), Some(text.as_str()));
        }
    });
}

#[test]
fn a_swallowed_or_repeated_answer_ends_the_link_and_reaches_nobody() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    for what in [OnReply::Swallow, OnReply::Duplicate] {
        let proxy = FaultProxy::start(server.port());
        let link = ground.connect(&local(proxy.port()), &LinkSettings::default()).unwrap();
        proxy.on_nth("EVAL", 20, what);
        let deadline = ground.clock.now().at + 5 * SECOND;
        ground.runtime.block_on(async {
            let mut callers = tokio::task::JoinSet::new();
            for caller in 0..100 {
                let link = link.clone();
                callers.spawn(async move {
                    let text = caller.to_string();
                    match link.call(echo(&text), deadline).await {
                        Ok(answer) => assert_eq!(answer.items()[0].text(), Some(text.as_str())),
                        Err(CallError::Lost(_) | CallError::NotSent(_)) => {}
                        Err(other) => unreachable!("{other:?}"),
                    }
                });
            }
            while let Some(caller) = callers.join_next().await {
                caller.unwrap();
            }
        });
        until("the link ends", || link.is_closed());
        assert_eq!(ground.runtime.block_on(link.closed()), ClosedBecause::MixedUp, "{what:?}");
    }
}

#[test]
fn a_frozen_server_is_given_up_although_its_kernel_goes_on_to_acknowledge() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    server.freeze();
    let lost = call(&ground, &link, Command::new("INCR").arg("n"));
    assert!(matches!(lost, Err(CallError::Lost(ClosedBecause::Silent(_)))), "{lost:?}");
    server.resume();
    assert!(matches!(call(&ground, &link, Command::new("PING")), Err(CallError::NotSent(_))));
}

#[test]
fn a_link_that_is_idle_notices_too() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    server.freeze();
    until("the link ends", || link.is_closed());
    server.resume();
}

#[test]
fn a_server_that_pauses_for_less_than_it_may_is_waited_for() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let settings = LinkSettings { silence_max: Duration::from_secs(8), ..LinkSettings::default() };
    let link = ground.connect(&local(server.port()), &settings).unwrap();
    let slept = call(&ground, &link, Command::new("DEBUG SLEEP").arg("1.5"));
    assert_eq!(slept, Ok(Value::Text("OK".into())));
    assert!(!link.is_closed());
}

#[test]
fn a_killed_connection_fails_its_calls_at_once() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    let deadline = ground.clock.now().at + 20 * SECOND;
    let waiting = link;
    let waiter = ground
        .runtime
        .spawn(async move { waiting.call(Command::new("BLPOP").arg("l").arg("0"), deadline).await });
    until("the call is under way", || server.info("blocked_clients") == "1");
    server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
    let lost = ground.runtime.block_on(waiter).unwrap();
    assert!(matches!(lost, Err(CallError::Lost(_))), "{lost:?}");
}

#[test]
fn a_call_ends_at_its_deadline_whatever_the_server_does() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    let blocked = Command::new("BLPOP").arg("l").arg("0");
    let deadline = ground.clock.now().at + Duration::from_millis(100);
    let answer = ground.runtime.block_on(link.call(blocked, deadline));
    assert_eq!(answer, Err(CallError::TimedOut));
    let answer = ground.runtime.block_on(link.call(Command::new("PING"), ground.clock.now().at));
    assert_eq!(answer, Err(CallError::NoPlace));
}

#[test]
fn closing_from_outside_fails_every_waiter() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    let deadline = ground.clock.now().at + 20 * SECOND;
    let waiting = link.clone();
    let waiter = ground
        .runtime
        .spawn(async move { waiting.call(Command::new("BLPOP").arg("l").arg("0"), deadline).await });
    until("the call is under way", || server.info("blocked_clients") == "1");
    link.close("enough");
    let lost = ground.runtime.block_on(waiter).unwrap();
    assert_eq!(lost, Err(CallError::Lost(ClosedBecause::ByUs("enough".into()))));
}

#[test]
fn errors_of_the_server_have_their_word() {
    let (server, ground) = (RedisServer::start(), Ground::new());
    let link = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap();
    call(&ground, &link, Command::new("SET").arg("text").arg("x")).unwrap();
    for (command, word) in [
        (Command::new("LPUSH").arg("text").arg("x"), ErrorWord::WrongType),
        (Command::new("EVALSHA").arg("0".repeat(40)).arg("0").checked(), ErrorWord::NoScript),
        (Command::new("NOSUCH"), ErrorWord::Other),
        (
            Command::new("EVAL").arg("return redis.call('LPUSH', 'text', 'x')").arg("0").checked(),
            ErrorWord::WrongType,
        ),
    ] {
        let error = call(&ground, &link, command).unwrap_err();
        assert_eq!(error.server().map(|error| error.word), Some(word), "{error}");
    }
}

#[test]
fn a_wrong_password_is_said_so() {
    let options = RedisOptions { password: Some("secret".into()), ..RedisOptions::default() };
    let (server, ground) = (RedisServer::with(&options), Ground::new());
    for resp2 in [false, true] {
        let settings =
            |password: &str| LinkSettings { password: password.into(), resp2, ..LinkSettings::default() };
        let right = ground.connect(&local(server.port()), &settings("secret")).unwrap();
        assert_eq!(call(&ground, &right, Command::new("PING")), Ok(Value::Text("PONG".into())));
        let wrong = ground.connect(&local(server.port()), &settings("wrong")).unwrap_err();
        assert!(
            matches!(&wrong, LinkError::Refused { error, .. } if error.word == ErrorWord::WrongPass),
            "{wrong}"
        );
    }
    let none = ground.connect(&local(server.port()), &LinkSettings::default()).unwrap_err();
    assert!(matches!(&none, LinkError::Refused { error, .. } if error.word == ErrorWord::NoAuth), "{none}");
}

#[test]
fn whoever_does_not_answer_or_is_no_redis_is_named() {
    let ground = Ground::new();
    let nobody = local(flywheel_testkit::free_port());
    assert!(matches!(ground.connect(&nobody, &LinkSettings::default()), Err(LinkError::Connect { .. })));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = local(silent.local_addr().unwrap().port());
    let settings = LinkSettings { connect_timeout: Duration::from_millis(200), ..LinkSettings::default() };
    let error = ground.connect(&endpoint, &settings).unwrap_err();
    assert!(matches!(error, LinkError::TimedOut { step: "HELLO", .. }), "{error}");
    let nowhere = flywheel_redis::link::Endpoint::tcp("no.such.host.invalid", 1);
    assert!(matches!(ground.connect(&nowhere, &LinkSettings::default()), Err(LinkError::NoAddress { .. })));
}

#[test]
fn tls_is_believed_when_the_authority_is_and_shows_a_certificate_where_one_is_asked_for() {
    let certificates = std::sync::Arc::new(Certificates::new());
    let options =
        RedisOptions { tls: Some(certificates.clone()), tls_client_auth: true, ..RedisOptions::default() };
    let (server, ground) = (RedisServer::with(&options), Ground::new());
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let (certificate, key) = certificates.client();
    let full = TlsSettings {
        server_ca: read(certificates.authority()),
        cert: read(certificate),
        key: read(key),
        ..TlsSettings::default()
    };
    let connect = |tls: &TlsSettings, port| {
        let settings = LinkSettings { tls: Some(Tls::new(tls).unwrap()), ..LinkSettings::default() };
        ground.connect(&local(port), &settings)
    };
    let link = connect(&full, server.tls_port()).unwrap();
    let text = "x".repeat(1 << 20);
    assert_eq!(call(&ground, &link, Command::new("ECHO").arg(&text)).unwrap().text(), Some(text.as_str()));
    let stranger = TlsSettings { server_ca: String::new(), insecure_skip_verify: true, ..full.clone() };
    assert!(connect(&stranger, server.tls_port()).is_ok());
    let misnamed = TlsSettings { server_name: "another.example".into(), ..full.clone() };
    let error = connect(&misnamed, server.tls_port()).unwrap_err();
    assert!(matches!(error, LinkError::Tls { .. }), "{error}");
    let unshown = TlsSettings { cert: String::new(), key: String::new(), ..full.clone() };
    assert!(connect(&unshown, server.tls_port()).is_err());
    assert!(connect(&full, server.port()).is_err(), "a port without TLS");
    assert!(ground.connect(&local(server.tls_port()), &LinkSettings::default()).is_err(), "TLS is expected");
    assert!(Tls::new(&TlsSettings { key: String::new(), ..full.clone() }).is_err());
    assert!(Tls::new(&TlsSettings { server_ca: "nonsense".into(), ..full }).is_err());
}
