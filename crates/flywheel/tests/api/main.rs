//! The HTTP server API.

mod calls;
mod channels;
mod clients;
mod publish;

use flywheel_testkit::{Bindings, JsonClient, Response, Server, fixture, named_token};
use serde_json::Value;

const BAD_REQUEST: &str = r#"{"error":{"code":107,"message":"bad request"}}"#;
const UNKNOWN_CHANNEL: &str = r#"{"error":{"code":102,"message":"unknown channel"}}"#;
const NOT_AVAILABLE: &str = r#"{"error":{"code":108,"message":"not available"}}"#;
const DONE: &str = r#"{"result":{}}"#;

/// A server and what the names in expected answers stand for.
struct Api {
    server: Server,
    names: Bindings,
}

impl Api {
    fn start() -> Self {
        Self::with(fixture())
    }

    fn with(config: Value) -> Self {
        Self { server: Server::start(env!("CARGO_BIN_EXE_flywheel"), config), names: Bindings::default() }
    }

    /// The body of a 200, compared to the byte but for `<names>`.
    fn check(&mut self, method: &str, body: &str, expected: &str) {
        let (status, got) = self.server.api(method, body);
        let same = status == 200 && self.names.matches(expected, &got);
        assert!(same, "{method} {body}\nexpected 200 {expected}\n     got {status} {got}");
    }

    /// A new start for names like `<ep>`.
    fn forget(&mut self) {
        self.names = Bindings::default();
    }

    fn raw(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.server.request("POST", target, headers, body.as_bytes())
    }

    fn client(&self, token: &str) -> JsonClient {
        JsonClient::connect(self.server.address(), named_token(token).as_deref())
    }

    fn anonymous(&self) -> JsonClient {
        JsonClient::connect(self.server.address(), None)
    }
}
