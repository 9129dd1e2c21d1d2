//! A backend over real sockets: what it is sent, and what becomes of every kind of answer.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support fails the test by panicking")]

mod answers;
mod faults;
mod requests;

use std::future::Future;
use std::time::Duration;

use flywheel_engine::{Backend, BackendError, PublishCall, RpcCall};
use flywheel_metrics::{Metrics, ProxyEvent};
use flywheel_model::{Caller, Channel, ClientId, Payload, UserId};
use flywheel_proxy::{HttpBackend, ProxySettings};
use flywheel_runtime::Clock;

use flywheel_testkit::Backing;

const CLIENT: &str = "01234567-89ab-4def-8123-456789abcdef";

fn caller() -> Caller {
    Caller {
        client: ClientId::parse(CLIENT).unwrap(),
        transport: "websocket",
        protocol: "json",
        user: UserId::from("42"),
        meta: Some("{\"tenant\":3}".into()),
        headers: None,
    }
}

fn rpc_call(data: &'static str) -> Box<RpcCall> {
    Box::new(RpcCall { caller: caller(), method: "echo".into(), data: Payload::from(data) })
}

fn publish_call() -> Box<PublishCall> {
    Box::new(PublishCall {
        caller: caller(),
        channel: Channel::from("chat:1"),
        data: Payload::from("{\"a\":1}"),
    })
}

/// A proxy for RPC called `default` at that server, with a deadline that a test never meets unless it wants to.
fn settings(backing: &Backing) -> ProxySettings {
    ProxySettings::new("default", &format!("http://{}/x/ask", backing.address()), Duration::from_secs(20))
}

fn backend(settings: ProxySettings) -> HttpBackend {
    counted(settings, &Metrics::new("test"))
}

fn counted(settings: ProxySettings, metrics: &Metrics) -> HttpBackend {
    HttpBackend::new(settings, ProxyEvent::Rpc, metrics, Clock::system()).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn rpc(backend: &HttpBackend) -> Result<String, BackendError> {
    let answer = run(backend.rpc(rpc_call("1")).wait());
    answer.map(|data| String::from_utf8_lossy(data.bytes()).into_owned())
}

/// Why a call failed, in the log's words.
fn failure(backend: &HttpBackend) -> String {
    match rpc(backend) {
        Err(BackendError::Failed(text)) => text,
        other => panic!("no failure, but {other:?}"),
    }
}
