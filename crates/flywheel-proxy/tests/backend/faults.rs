use std::time::Duration;

use flywheel_engine::Backend;
use flywheel_metrics::{Metrics, ProxyEvent};
use flywheel_proxy::{BadProxy, HttpBackend, ProxySettings};
use flywheel_runtime::Clock;

use crate::{backend, counted, failure, rpc, rpc_call, run, settings};
use flywheel_testkit::{Backing, redirect, with_status};

fn shown(metrics: &Metrics, name: &str) -> String {
    let text = metrics.render();
    let line =
        text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_backend_that_says_nothing_is_given_up_at_the_deadline_and_counted() {
    let backing = Backing::start(|_| None);
    let metrics = Metrics::new("test");
    let settings = ProxySettings { timeout: Duration::from_millis(50), ..settings(&backing) };
    let backend = counted(settings, &metrics);
    assert_eq!(shown(&metrics, "centrifugo_proxy_errors"), "0");
    assert!(failure(&backend).contains("no answer within 50ms"));
    assert_eq!(shown(&metrics, "centrifugo_proxy_errors"), "1");
    assert_eq!(shown(&metrics, "centrifugo_proxy_inflight_requests"), "0");
    assert_eq!(shown(&metrics, "centrifugo_proxy_duration_seconds_histogram_count"), "1");
    assert_eq!(backing.seen().len(), 1, "nothing is tried again");
}

#[test]
fn an_answer_that_stops_in_the_middle_is_given_up_too() {
    let backing = Backing::start(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".into()));
    let settings = ProxySettings { timeout: Duration::from_millis(50), ..settings(&backing) };
    assert!(failure(&backend(settings)).contains("no answer within"));
}

#[test]
fn an_endless_answer_is_not_read_to_its_end() {
    for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let backing = Backing::start(move |_| {
            let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
            Some(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{}", chunk.repeat(64)))
        });
        let settings = ProxySettings { answer_bytes_max: 32 << 10, ..settings(&backing) };
        assert!(failure(&backend(settings)).contains("more than 32768 bytes"), "{head}");
    }
}

#[test]
fn an_answer_of_exactly_the_bound_is_read() {
    let body = r#"{"result":{"data":1}}"#;
    let backing = Backing::saying(body);
    assert!(rpc(&backend(ProxySettings { answer_bytes_max: body.len(), ..settings(&backing) })).is_ok());
    let smaller = ProxySettings { answer_bytes_max: body.len() - 1, ..settings(&backing) };
    assert!(failure(&backend(smaller)).contains("more than"));
}

#[test]
fn garbage_and_silence_at_the_port_are_failures() {
    let backing = Backing::start(|_| Some("SSH-2.0-OpenSSH\r\n\r\n".into()));
    assert!(!failure(&backend(settings(&backing))).is_empty());
    let nobody = ProxySettings::new("default", "http://127.0.0.1:1/", Duration::from_secs(20));
    assert!(failure(&backend(nobody)).contains("refused"));
    let no_tls = backing.address();
    let https = ProxySettings::new("default", &format!("https://{no_tls}/"), Duration::from_secs(20));
    if let Ok(backend) = HttpBackend::new(https, ProxyEvent::Rpc, &Metrics::new("test"), Clock::system()) {
        assert!(!failure(&backend).is_empty());
    }
}

#[test]
fn redirects_that_never_end_are_left() {
    let backing = Backing::start(|_| Some(redirect(307, "/x/ask")));
    assert!(failure(&backend(settings(&backing))).contains("redirects"));
    assert_eq!(backing.seen().len(), 11);
    let nowhere = Backing::start(|_| Some("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".into()));
    assert!(failure(&backend(settings(&nowhere))).contains("status 302"));
}

#[test]
fn only_so_many_calls_are_at_the_backend_and_those_without_room_to_wait_fail() {
    let backing = Backing::start(|seen| seen.body.contains("fast").then(|| with_status(200, "{}")));
    let metrics = Metrics::new("test");
    let settings = ProxySettings { calls_max: 2, waiting_bytes_max: 5000, ..settings(&backing) };
    let backend = counted(settings, &metrics);
    run(async {
        let slow = || Box::pin(backend.rpc(rpc_call("\"slow\"")).wait());
        let (mut first, mut second, mut third) = (slow(), slow(), slow());
        // The third waits behind the two that the backend keeps; there is no room for a fourth.
        let step = Duration::from_millis(50);
        assert!(tokio::time::timeout(step, &mut first).await.is_err());
        assert!(tokio::time::timeout(step, &mut second).await.is_err());
        assert!(tokio::time::timeout(step, &mut third).await.is_err());
        assert_eq!(backing.seen().len(), 2);
        let refused = backend.rpc(rpc_call("\"fast\"")).wait().await.unwrap_err();
        assert!(refused.to_string().contains("too many calls"));
        assert_eq!(shown(&metrics, "centrifugo_proxy_inflight_requests"), "3");
        // Whoever gives up makes room at the backend and in the queue.
        drop((first, third));
        backend.rpc(rpc_call("\"fast\"")).wait().await.unwrap();
        drop(second);
    });
    assert_eq!(shown(&metrics, "centrifugo_proxy_inflight_requests"), "0");
    assert_eq!(shown(&metrics, "centrifugo_proxy_errors"), "1");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for endpoint in ["", "grpc://a:1", "a:1", "http://", "/x", "http:// a"] {
        let settings = ProxySettings::new("default", endpoint, Duration::from_secs(1));
        let made = HttpBackend::new(settings, ProxyEvent::Rpc, &Metrics::new("test"), Clock::system());
        assert!(matches!(made, Err(BadProxy::Endpoint(_))), "{endpoint:?}");
    }
}
