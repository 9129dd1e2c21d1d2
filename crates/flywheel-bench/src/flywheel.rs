//! The server under test: its configuration, start and stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::http::Http;
use crate::peer::Peer;
use crate::wire::{API_KEY, LOG};
use crate::{clock, net};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills it.
pub(crate) struct Flywheel {
    /// The process.
    pub(crate) peer: Peer,
    /// Where it listens, for clients and the API.
    pub(crate) address: SocketAddr,
    _config: NamedTempFile,
}

/// What differs between measurements.
#[derive(Clone, Copy)]
pub(crate) struct Liveness {
    /// Time between two pings.
    pub(crate) ping_interval: Duration,
    /// Time a client has to answer.
    pub(crate) pong_timeout: Duration,
}

impl Liveness {
    /// So rarely that no ping falls into a measurement.
    pub(crate) const NEVER: Self =
        Self { ping_interval: Duration::from_hours(1), pong_timeout: Duration::from_secs(8) };
}

/// The configuration of every server that is measured.
fn config(port: u16, liveness: Liveness) -> Value {
    json!({
        "http_server": { "address": "127.0.0.1", "port": port },
        "http_api": { "key": API_KEY },
        "health": { "enabled": true },
        "log": { "level": "warn" },
        // Replies stay plain for receivers that cannot read anything else.
        "websocket": { "compression": true, "compression_min_size": 400 },
        "client": {
            "allow_anonymous_connect_without_token": true,
            "ping_interval": format!("{}ms", liveness.ping_interval.as_millis()),
            "pong_timeout": format!("{}ms", liveness.pong_timeout.as_millis()),
        },
        "channel": {
            "without_namespace": {
                "allow_subscribe_for_client": true,
                "allow_subscribe_for_anonymous": true,
            },
            "namespaces": [{
                "name": LOG,
                "history_size": 100,
                "history_ttl": "1h",
                "force_recovery": true,
                "allowed_delta_types": ["fossil"],
                "allow_subscribe_for_client": true,
                "allow_subscribe_for_anonymous": true,
            }],
        },
    })
}

impl Flywheel {
    /// Starts `program` on a free port and awaits its health endpoint.
    pub(crate) fn start(program: &Path, liveness: Liveness) -> Result<Self> {
        Self::start_with(program, liveness, None)
    }

    /// The same with the Redis at an address for its engine.
    pub(crate) fn start_on(program: &Path, redis: &str) -> Result<Self> {
        Self::start_with(program, Liveness::NEVER, Some(redis))
    }

    fn start_with(program: &Path, liveness: Liveness, redis: Option<&str>) -> Result<Self> {
        let address = net::free_address()?;
        let mut config = config(address.port(), liveness);
        if let Some(redis) = redis {
            config["engine"] = json!({ "type": "redis", "redis": { "address": format!("redis://{redis}") } });
        }
        let mut config_file = tempfile::Builder::new().suffix(".json").tempfile()?;
        config_file.write_all(config.to_string().as_bytes())?;
        let mut command = Command::new(program);
        command.arg("--config").arg(config_file.path());
        let mut peer = Peer::run("flywheel", &mut command)?;
        clock::until("GET /health of the server", START_LIMIT, Duration::from_millis(20), || {
            peer.ensure_alive()?;
            Ok(is_healthy(address))
        })?;
        Ok(Self { peer, address, _config: config_file })
    }
}

fn is_healthy(address: SocketAddr) -> bool {
    Http::connect(address)
        .and_then(|mut http| http.call(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").map(|_| ()))
        .is_ok()
}
