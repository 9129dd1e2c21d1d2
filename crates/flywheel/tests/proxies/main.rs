//! The application decides: the server in front of a backend over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support fails the test by panicking")]

mod connections;
mod faults;
mod subscriptions;

use flywheel_testkit::{
    Asked, Backing, Connection, Encoding, Event, JsonClient, Server, fixture, set, with_status,
};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server whose proxies all lead to one scripted backend, each by a path with the name of its event.
struct Stage {
    server: Server,
    backing: Backing,
}

impl Stage {
    /// `answer` is asked by event and request.
    fn start(
        change: impl FnOnce(&mut Value),
        answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self::scripted(change, move |asked| {
            let question: Value = serde_json::from_str(&asked.body).unwrap();
            Some(with_status(200, &answer(asked.target.trim_start_matches('/'), &question).to_string()))
        })
    }

    fn scripted(
        change: impl FnOnce(&mut Value),
        script: impl Fn(&Asked) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let backing = Backing::start(script);
        let mut config = fixture();
        let at = |event: &str| json!(format!("http://{}/{event}", backing.address()));
        for (section, event) in [
            ("client.proxy.connect", "connect"),
            ("client.proxy.refresh", "refresh"),
            ("channel.proxy.subscribe", "subscribe"),
            ("channel.proxy.publish", "publish"),
            ("channel.proxy.sub_refresh", "sub_refresh"),
            ("rpc.proxy", "rpc"),
        ] {
            set(&mut config, &format!("{section}.endpoint"), at(event));
            set(&mut config, &format!("{section}.timeout"), json!("10s"));
        }
        set(&mut config, "rpc.without_namespace.proxy_enabled", json!(true));
        let asked = json!({
            "name": "asked",
            "subscribe_proxy_enabled": true,
            "publish_proxy_enabled": true,
            "sub_refresh_proxy_enabled": true,
            "history_size": 10,
            "history_ttl": "60s",
        });
        config["channel"]["namespaces"].as_array_mut().unwrap().push(asked);
        change(&mut config);
        Self { server: Server::start(env!("CARGO_BIN_EXE_flywheel"), config), backing }
    }

    fn client(&self) -> JsonClient {
        JsonClient::connect(self.server.address(), None)
    }

    /// What the backend was asked about an event, so far.
    fn asked(&self, event: &str) -> Vec<Value> {
        let seen = self.backing.seen().into_iter().filter(|seen| seen.target == format!("/{event}"));
        seen.map(|seen| serde_json::from_str(&seen.body).unwrap()).collect()
    }
}

/// Seconds since 1970 in so many seconds.
#[expect(clippy::disallowed_methods, reason = "end-to-end tests run against the real clock")]
fn in_seconds(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

fn next(connection: &mut Connection) -> Value {
    match connection.next(PATIENCE) {
        Some(Event::Message(message)) => serde_json::from_slice(&message).unwrap(),
        other => panic!("no message, but {other:?}"),
    }
}

fn open(server: &Server, headers: &[(&str, &str)]) -> Connection {
    Connection::open_with(server.address(), "/connection/websocket", Encoding::Json, headers).unwrap()
}
