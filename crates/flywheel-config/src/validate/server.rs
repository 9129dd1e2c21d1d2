//! Listeners and endpoints.

use std::time::Duration;

use super::Check;
use crate::view::View;

/// Below, a thread that merely sleeps would count as stuck.
const STUCK_AFTER_MIN: Duration = Duration::from_secs(3);

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    let server = tree.section("http_server");
    listener(check, &server);
    for port in ["grpc_api", "uni_grpc"] {
        check_port(check, &tree.section(port));
    }
    let shards = tree.section("node").int("shards");
    if !(0..=1024).contains(&shards) {
        check.refuse(&tree.section("node"), "shards", format!("{shards} is out of range; write 0 to 1024"));
    }
    let shutdown = tree.section("shutdown");
    let (goodbye, timeout) = (shutdown.time("delay") + shutdown.time("spread"), shutdown.time("timeout"));
    if !goodbye.is_zero() && goodbye >= timeout {
        let reason = format!(
            "delay and spread take {goodbye:?} together, but timeout leaves {timeout:?}; raise the timeout"
        );
        check.refuse(&shutdown, "timeout", reason);
    }
    let health = tree.section("health");
    if health.time("stuck_after") < STUCK_AFTER_MIN {
        let reason = "a healthy thread may not turn for a second; write 3s or more";
        check.refuse(&health, "stuck_after", reason);
    }
    if health.some_time("abort_after").is_some_and(|after| after < STUCK_AFTER_MIN) {
        let reason = "a healthy thread may not turn for a second; write 3s or more, or -1s for never";
        check.refuse(&health, "abort_after", reason);
    }
    if tree.text("broker.type") == "redisnats" && !tree.is("enable_unreleased_features") {
        let reason = "redisnats is not released; set enable_unreleased_features to use it all the same";
        check.refuse(&tree.section("broker"), "type", reason);
    }
    if tree.is("webtransport.enabled") && !server.is("http3.enabled") {
        let reason = "WebTransport needs HTTP/3; set http_server.http3.enabled";
        check.refuse(&tree.section("webtransport"), "enabled", reason);
    }
    for section in ["websocket", "uni_websocket"] {
        let section = tree.section(section);
        let level = section.int("compression_level");
        if section.is("compression") && !(1..=9).contains(&level) {
            check.refuse(&section, "compression_level", format!("{level} is no level; write 1 to 9"));
        }
    }
    shared_compression(check, tree);
    prefixes(check, tree);
}

/// A message is compressed once for all who want it so.
fn shared_compression(check: &mut Check<'_>, tree: &View<'_>) {
    let (both_ways, listening) = (tree.section("websocket"), tree.section("uni_websocket"));
    let compresses = !both_ways.is("disabled") && both_ways.is("compression");
    if !compresses || !listening.is("enabled") || !listening.is("compression") {
        return;
    }
    for name in ["compression_level", "compression_min_size"] {
        let used = both_ways.int(name);
        let is_set = check.merged.origin(&listening.key(name)).is_some();
        if is_set && used != listening.int(name) {
            let text =
                format!("a message is compressed once for both endpoints, as websocket.{name} says: {used}");
            check.remark(&listening, name, text);
        }
    }
}

fn listener(check: &mut Check<'_>, server: &View<'_>) {
    check_port(check, server);
    let internal = server.text("internal_port");
    if !internal.is_empty() && internal.parse::<u16>().is_err() {
        check.refuse(server, "internal_port", format!("{internal:?} is no port; write 1 to 65535"));
    }
    let (tls, autocert) = (server.is("tls.enabled"), server.is("tls_autocert.enabled"));
    if server.is("http3.enabled") {
        let section = server.section("http3");
        if autocert {
            check.refuse(&section, "enabled", "HTTP/3 does not go with tls_autocert; use http_server.tls");
        } else if !tls {
            check.refuse(&section, "enabled", "HTTP/3 needs TLS; set http_server.tls.enabled");
        }
    }
    if server.is("h2c_external") {
        if internal.is_empty() || internal == server.int("port").to_string() {
            check.refuse(server, "h2c_external", "it needs an internal_port that differs from port");
        }
        if tls {
            check.refuse(
                server,
                "h2c_external",
                "it does not go with tls.enabled; HTTP/2 needs no h2c there",
            );
        }
    }
}

fn check_port(check: &mut Check<'_>, section: &View<'_>) {
    let port = section.int("port");
    if u16::try_from(port).is_err() {
        check.refuse(section, "port", format!("{port} is no port; write 1 to 65535"));
    }
}

fn prefixes(check: &mut Check<'_>, tree: &View<'_>) {
    const ENDPOINTS: [&str; 15] = [
        "http_api",
        "websocket",
        "sse",
        "http_stream",
        "webtransport",
        "emulation",
        "uni_websocket",
        "uni_sse",
        "uni_http_stream",
        "admin",
        "prometheus",
        "health",
        "swagger",
        "debug",
        "init",
    ];
    for endpoint in ENDPOINTS {
        let section = tree.section(endpoint);
        let prefix = section.text("handler_prefix");
        if !prefix.is_empty() && !prefix.starts_with('/') {
            check.refuse(
                &section,
                "handler_prefix",
                format!("a path starts with a slash; write \"/{prefix}\""),
            );
        }
    }
}
