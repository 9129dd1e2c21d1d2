//! Published SDKs against the server.
#![expect(clippy::unwrap_used, reason = "helpers fail the test")]

mod backend;
mod delta;
mod fallback;
mod features;
mod recovery;
mod site;

use std::net::SocketAddr;

use flywheel_testkit::{set, sign};
use serde_json::{Value, json};

/// The user of every client.
const USER: &str = "sdk-user";

/// The arguments that every script needs: the server, its API key, and a token with these claims beside the user.
fn arguments(server: SocketAddr, claims: &str) -> Vec<String> {
    vec![
        format!("address={server}"),
        "key=secret".to_owned(),
        format!("token={}", sign("appendix-secret", &format!(r#"{{"sub":"{USER}"{claims}}}"#))),
    ]
}

/// Switches on what SDKs fall back to where there is no WebSocket.
fn enable_emulation(config: &mut Value) {
    for transport in ["sse", "http_stream"] {
        set(config, &format!("{transport}.enabled"), json!(true));
    }
}
