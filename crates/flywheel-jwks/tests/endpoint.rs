//! Key sets read from a real HTTP server in the same process.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail the test by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "a deadline of the real clock is measured with the real clock"
)]

use std::sync::Arc;
use std::time::Duration;

use flywheel_auth::{Algorithm, KeyRequest, KeySet};
use flywheel_engine::{Answer, KeySetError, KeySets};
use flywheel_jwks::{HttpKeySets, Limits, Roots};
use flywheel_model::{Now, Timestamp};
use flywheel_runtime::{Clock, Tasks};
use flywheel_testkit::{KeyServer, Reply, Signer};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

struct Bench {
    runtime: Runtime,
    clock: Clock,
    server: KeyServer,
    sets: HttpKeySets,
}

fn keys(names: &[(&str, u8)]) -> Reply {
    let keys: Vec<_> = names.iter().map(|(name, seed)| Signer::Ed25519(*seed).jwk(name)).collect();
    Reply::ok(&json!({ "keys": keys }).to_string())
}

impl Bench {
    fn new(reply: Reply) -> Self {
        Self::with(reply, Limits { deadline: Duration::from_millis(300), ..Limits::default() })
    }

    fn with(reply: Reply, limits: Limits) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clock = Clock::manual(Now { at: Timestamp::ZERO, unix_millis: 0 });
        let tasks = Tasks::new(runtime.handle().clone());
        let sets = HttpKeySets::new(clock.clone(), tasks, limits, Roots::System);
        Self { runtime, clock, server: KeyServer::start(reply), sets }
    }

    fn request(&self, kid: &str) -> KeyRequest {
        KeyRequest::new(self.server.url(), kid, Algorithm::EdDsa)
    }

    fn key(&self, kid: &str) -> Result<(), KeySetError> {
        self.runtime.block_on(self.sets.key(&self.request(kid)).wait()).map(drop)
    }

    fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    #[track_caller]
    fn fails_with(&self, text: &str) {
        let error = self.key("one").unwrap_err().to_string();
        assert!(error.starts_with("key set unavailable: ") && error.contains(text), "{error}");
    }
}

#[test]
fn a_set_is_read_once_and_answers_at_once_from_then_on() {
    let bench = Bench::new(keys(&[("one", 1)]));
    assert!(matches!(bench.sets.key(&bench.request("one")), Answer::Later(_)));
    assert_eq!(bench.key("one"), Ok(()));
    assert!(matches!(bench.sets.key(&bench.request("one")), Answer::Now(Ok(_))));
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn an_answer_that_nobody_waits_for_is_kept_all_the_same() {
    let bench = Bench::new(keys(&[("one", 1)]));
    drop(bench.sets.key(&bench.request("one")));
    let known = || matches!(bench.sets.key(&bench.request("one")), Answer::Now(Ok(_)));
    assert!(flywheel_testkit::wait_until(Duration::from_secs(10), known));
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn requests_at_the_same_time_share_one_read() {
    let bench = Bench::with(keys(&[("one", 1)]).after(Duration::from_millis(100)), Limits::default());
    let answers: Vec<_> = (0..200).map(|_| bench.sets.key(&bench.request("one"))).collect();
    for answer in answers {
        assert!(bench.runtime.block_on(answer.wait()).is_ok());
    }
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_rotated_key_becomes_known_and_the_old_one_is_forgotten() {
    let bench = Bench::new(keys(&[("one", 1)]));
    assert_eq!(bench.key("one"), Ok(()));
    bench.server.now_answers(keys(&[("two", 2)]));
    bench.later(5);
    assert_eq!(bench.key("two"), Ok(()));
    assert_eq!(bench.key("one"), Err(KeySetError::TooSoon));
    bench.later(5);
    assert_eq!(bench.key("one"), Err(KeySetError::UnknownKey));
}

#[test]
fn a_flood_of_unknown_names_costs_one_request_in_five_seconds() {
    let bench = Bench::new(keys(&[("one", 1)]));
    for second in 0..60 {
        for flood in 0..20 {
            let answer = bench.key(&format!("unknown-{second}-{flood}"));
            assert!(matches!(answer, Err(KeySetError::UnknownKey | KeySetError::TooSoon)), "{answer:?}");
        }
        assert_eq!(bench.key("one"), Ok(()));
        bench.later(1);
    }
    assert_eq!(bench.server.requests(), 12);
}

#[test]
fn a_flood_while_the_endpoint_is_down_costs_fewer_and_fewer_requests() {
    let bench = Bench::new(Reply::status(500));
    for _second in 0..60 {
        for _flood in 0..20 {
            bench.fails_with("status 500");
        }
        bench.later(1);
    }
    // At 0, 1, 3, 7, 15 and 31 seconds.
    assert_eq!(bench.server.requests(), 6);
}

#[test]
fn known_keys_outlive_an_outage() {
    let bench = Bench::new(keys(&[("one", 1)]));
    assert_eq!(bench.key("one"), Ok(()));
    bench.server.now_answers(Reply::status(503));
    for _hour in 0..5 {
        bench.later(3600);
        assert_eq!(bench.key("one"), Ok(()));
    }
    bench.later(3600);
    bench.fails_with("status 503");
    bench.server.now_answers(keys(&[("one", 1)]));
    bench.later(60);
    assert_eq!(bench.key("one"), Ok(()));
}

#[test]
fn a_slow_endpoint_is_given_up_at_the_deadline() {
    let bench = Bench::new(keys(&[("one", 1)]).after(Duration::from_secs(5)));
    let begun = std::time::Instant::now();
    bench.fails_with("did not answer in time");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_body_that_never_ends_is_given_up_at_the_deadline() {
    let bench =
        Bench::new(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":").held_open());
    bench.fails_with("did not answer in time");
}

#[test]
fn a_huge_document_is_not_read() {
    let huge = "x".repeat(KeySet::BYTES_MAX + 1);
    Bench::new(Reply::ok(&huge)).fails_with("longer than 262144 bytes");
    // Also when its length is not told beforehand.
    let unframed = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{huge}");
    Bench::new(Reply::raw(&unframed)).fails_with("longer than 262144 bytes");
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    Bench::new(Reply::raw(&head)).fails_with("");
}

#[test]
fn garbage_is_no_key_set() {
    for garbage in ["", "<html>", "{}", "[1,2]", r#"{"keys":"#, "\u{0}\u{1}"] {
        Bench::new(Reply::ok(garbage)).fails_with("not a JSON object with a list of keys");
    }
    Bench::new(Reply::raw("SSH-2.0-x\r\n\r\n")).fails_with("");
    Bench::new(Reply::raw("")).fails_with("");
    Bench::new(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[]}")).fails_with("");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = KeyServer::start(keys(&[("one", 1)]));
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let redirect =
            format!("HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url());
        Bench::new(Reply::raw(&redirect)).fails_with("redirects are not followed");
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[test]
fn an_endpoint_that_refuses_connections_or_has_no_address_is_unavailable() {
    let bench = Bench::new(Reply::status(500));
    let port = flywheel_testkit::free_port();
    for url in [
        format!("http://127.0.0.1:{port}/keys"),
        "http://user:secret@127.0.0.1/keys".to_owned(),
        "http://".to_owned(),
        "http://[::1/keys".to_owned(),
        "http://a b/keys".to_owned(),
    ] {
        let request = KeyRequest::new(url.as_str(), "one", Algorithm::EdDsa);
        let answer = bench.runtime.block_on(bench.sets.key(&request).wait());
        assert!(matches!(answer, Err(KeySetError::Unavailable(_))), "{url}");
    }
}

#[test]
fn only_so_many_addresses_are_known_and_the_oldest_goes_first() {
    let bench = Bench::with(keys(&[("one", 1)]), Limits { urls_max: 3, ..Limits::default() });
    let ask = |path: &str| {
        let url = bench.server.url().replace("/keys", path);
        let answer =
            bench.runtime.block_on(bench.sets.key(&KeyRequest::new(url, "one", Algorithm::EdDsa)).wait());
        assert!(answer.is_ok());
        bench.later(1);
    };
    for path in ["/a", "/b", "/c", "/a", "/d", "/a", "/c"] {
        ask(path);
    }
    assert_eq!(bench.server.requests(), 4);
    ask("/b");
    assert_eq!(bench.server.requests(), 5);
}

#[test]
fn https_is_believed_only_with_a_known_authority() {
    let tls = |roots: Roots, host: &str| {
        let bench = Bench::new(Reply::status(500));
        let server = tls_server(&bench.runtime);
        let tasks = Tasks::new(bench.runtime.handle().clone());
        let sets = HttpKeySets::new(bench.clock.clone(), tasks, Limits::default(), roots);
        let url = format!("https://{host}:{server}/keys");
        let answer = sets.key(&KeyRequest::new(url, "one", Algorithm::EdDsa));
        bench.runtime.block_on(answer.wait()).map(drop)
    };
    let ours = Roots::Only(vec![certificate()]);
    assert_eq!(tls(ours.clone(), "localhost"), Ok(()));
    // The certificate names localhost and nothing else.
    let error = tls(ours, "127.0.0.1").unwrap_err().to_string();
    assert!(error.contains("TLS"), "{error}");
    let error = tls(Roots::System, "localhost").unwrap_err().to_string();
    assert!(error.contains("TLS") || error.contains("no certificates"), "{error}");
}

fn der(pem: &str) -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

fn certificate() -> Vec<u8> {
    der(include_str!("localhost.pem"))
}

/// A server with the certificate for localhost that answers every connection with a key set; its port.
fn tls_server(runtime: &Runtime) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};
    use tokio_rustls::rustls::{ServerConfig, crypto::ring};

    let key = PrivateKeyDer::from_pem_slice(include_bytes!("localhost-key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate().into()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("localhost:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.handle().spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 1024];
            drop(stream.read(&mut head).await);
            drop(stream.write_all(&keys(&[("one", 1)]).bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    port
}
