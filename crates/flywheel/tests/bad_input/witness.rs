//! What a refusal must leave behind: a line of the log that says why and gives nothing away, and others untouched.

use flywheel_testkit::{JsonClient, Server, wait_until};
use serde_json::json;

use crate::PATIENCE;

/// A channel with a stream: a publication that is lost would show in the offsets.
const CHANNEL: &str = "log:witness";

/// A client that is connected all along and loses nothing.
pub(crate) struct Witness<'a> {
    server: &'a Server,
    client: JsonClient,
    received: u64,
    log_read: usize,
}

impl<'a> Witness<'a> {
    pub(crate) fn connect(server: &'a Server) -> Self {
        Self::connect_with(server, None)
    }

    /// The same with a token.
    pub(crate) fn connect_with(server: &'a Server, token: Option<&str>) -> Self {
        let mut client = JsonClient::connect(server.address(), token);
        client.subscribe(CHANNEL);
        let mut witness = Self { server, client, received: 0, log_read: 0 };
        witness.receives();
        witness
    }

    /// The next publication reaches it, and none before that was lost.
    pub(crate) fn receives(&mut self) {
        self.received += 1;
        let published =
            self.server.api_result("publish", &json!({"channel": CHANNEL, "data": self.received}));
        assert_eq!(published["offset"], self.received, "{published}");
        let push = self.client.push();
        assert_eq!(
            (&push["channel"], &push["pub"]["offset"]),
            (&json!(CHANNEL), &json!(self.received)),
            "{push}"
        );
    }

    /// A line of the log since it was last asked says all of this, and none says a part of the token. After that, the
    /// next publication reaches it.
    #[track_caller]
    pub(crate) fn was_told(&mut self, words: &[&str], token: &str) {
        let log = || self.server.log()[self.log_read..].to_owned();
        let says = |line: &str| words.iter().all(|word| line.contains(word));
        let found = wait_until(PATIENCE, || log().lines().any(says));
        let log = log();
        assert!(found, "no line says {words:?}:\n{log}");
        for part in token.split('.').filter(|part| !part.is_empty()) {
            assert!(!log.contains(part), "{part:?} of the token is in the log:\n{log}");
        }
        self.log_read += log.len();
        self.receives();
    }
}
