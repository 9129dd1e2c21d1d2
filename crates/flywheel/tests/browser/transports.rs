//! The published SDK on a page that comes from another origin, over every transport that a browser has for it.

use std::fs;
use std::time::Duration;

use flywheel_testkit::{Backing, Sdk, Server, fixture, sdk_folder, set, sign, with_status};
use serde_json::json;

use crate::chromium;

/// A web server with the page and the bundles of the SDK.
fn application() -> Backing {
    let folder = sdk_folder("js");
    let file = move |name: &str| fs::read_to_string(folder.join(name)).ok();
    Backing::start(move |asked| {
        let content = match asked.target.as_str() {
            "/" => file("transports.html"),
            "/centrifuge.js" => file("node_modules/centrifuge/dist/centrifuge.js"),
            "/centrifuge.protobuf.js" => file("node_modules/centrifuge/dist/centrifuge.protobuf.js"),
            _ => None,
        };
        Some(content.map_or_else(|| with_status(404, ""), |content| with_status(200, &content)))
    })
}

#[test]
fn a_page_of_an_allowed_origin_uses_every_transport_and_another_page_none() {
    let (application, stranger) = (application(), application());
    let origin = |backing: &Backing| format!("http://{}", backing.address());
    let mut config = fixture();
    for transport in ["sse", "http_stream", "uni_sse"] {
        set(&mut config, &format!("{transport}.enabled"), json!(true));
    }
    set(&mut config, "client.allowed_origins", json!([origin(&application)]));
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
    let scratch = tempfile::tempdir().unwrap();
    let arguments = [
        format!("url={}/", origin(&application)),
        format!("elsewhere={}/", origin(&stranger)),
        format!("address={}", server.address()),
        "key=secret".to_owned(),
        format!("token={}", sign("appendix-secret", r#"{"sub":"sdk-user"}"#)),
        format!("chromium={}", chromium().display()),
        format!("profile={}", scratch.path().display()),
    ];
    Sdk::javascript().run("transports.mjs", &arguments, Duration::from_mins(3)).assert_all(&[
        "websocket/json",
        "sse/json",
        "http_stream/json",
        "websocket/protobuf",
        "http_stream/protobuf",
        "browser-asked-before",
        "uni_sse connects",
        "uni_sse receives",
        "uni_sse comes back",
        "refused-elsewhere",
    ]);
}
