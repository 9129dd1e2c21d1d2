//! What answers requests: server API, transports, admin, tools; and telemetry.

use super::blocks::{CODE_TO_HTTP, TLS, WEBSOCKET};
use super::entry::{Entry, Fragment, block, choice, flag, int, text, time};
use super::words;

const EXTERNAL: Entry = flag("external", "Serve on the external port instead of the internal one.");

const fn on(meaning: &'static str) -> Entry {
    flag("enabled", meaning)
}

const fn path(default: &'static str) -> Entry {
    text("handler_prefix", default, "Path it answers on.")
}

const fn body_limit(meaning: &'static str) -> Entry {
    int("max_request_body_size", 65_536, meaning)
}

const BODY_LIMIT: Entry = body_limit("Longest body of a request in bytes.");

pub(super) const HTTP_API: Fragment = &[
    flag("disabled", "Do not serve it."),
    path("/api"),
    text("key", "", "Key that callers must show; without one, every call is refused."),
    choice(
        "error_mode",
        words::ERROR_MODES,
        "",
        "Empty answers 200 with an `error` object, `transport` with an HTTP status.",
    ),
    EXTERNAL,
    flag("insecure", "Ask for no key."),
];

pub(super) const GRPC_API: Fragment = &[
    on("Serve the server API over gRPC."),
    choice(
        "error_mode",
        words::ERROR_MODES,
        "",
        "Empty answers with an `error` message, `transport` with a gRPC status.",
    ),
    text("address", "", "Address to listen on; empty means all."),
    int("port", 10_000, "Port to listen on."),
    text("key", "", "Key that callers must show; without one, none is asked for."),
    block("tls", &[TLS]),
    flag("reflection", "Serve the reflection service."),
    int("max_receive_message_size", 0, "Longest request in bytes; 0 means 4 MiB."),
];

pub(super) const BIDIRECTIONAL: Fragment = &[
    block("websocket", &[&[flag("disabled", "Do not serve it."), path("/connection/websocket")], WEBSOCKET]),
    block("sse", &[&[on("Serve clients over server-sent events."), path("/connection/sse"), BODY_LIMIT]]),
    block(
        "http_stream",
        &[&[on("Serve clients over a streamed response."), path("/connection/http_stream"), BODY_LIMIT]],
    ),
    block(
        "webtransport",
        &[&[
            on("Serve clients over WebTransport; needs HTTP/3."),
            path("/connection/webtransport"),
            int("message_size_limit", 65_536, "Longest message from a client in bytes."),
        ]],
    ),
    block("emulation", &[&[path("/emulation"), BODY_LIMIT]]),
];

pub(super) const UNIDIRECTIONAL: Fragment = &[
    block(
        "uni_websocket",
        &[
            &[on("Serve listening clients over WebSocket."), path("/connection/uni_websocket")],
            WEBSOCKET,
            &[
                flag("disable_closing_handshake", "Drop the connection without a close frame."),
                flag("disable_disconnect_push", "Send no disconnect push before closing."),
                flag("join_push_messages", "Put several pushes into one frame."),
            ],
        ],
    ),
    block(
        "uni_sse",
        &[&[
            on("Serve listening clients over server-sent events."),
            path("/connection/uni_sse"),
            BODY_LIMIT,
            block("connect_code_to_http_response", &[CODE_TO_HTTP]),
        ]],
    ),
    block(
        "uni_http_stream",
        &[&[
            on("Serve listening clients over a streamed response."),
            path("/connection/uni_http_stream"),
            BODY_LIMIT,
            block("connect_code_to_http_response", &[CODE_TO_HTTP]),
        ]],
    ),
    block(
        "uni_grpc",
        &[&[
            on("Serve listening clients over gRPC."),
            text("address", "", "Address to listen on; empty means all."),
            int("port", 11_000, "Port to listen on."),
            int("max_receive_message_size", 0, "Longest request in bytes; 0 means 4 MiB."),
            block("tls", &[TLS]),
        ]],
    ),
];

pub(super) const TOOLS: Fragment = &[
    block(
        "admin",
        &[&[
            on("Serve the admin page."),
            text("handler_prefix", "", "Path it answers on; empty means `/`."),
            text("password", "", "Password to log in with."),
            text("secret", "", "Secret that signs the tokens of a login."),
            flag("insecure", "Ask for no login."),
            text("web_path", "", "Folder to serve instead of the built-in page."),
            text("web_proxy_address", "", "Development server to fetch the page from."),
            EXTERNAL,
        ]],
    ),
    block(
        "prometheus",
        &[&[
            on("Serve metrics."),
            path("/metrics"),
            flag("instrument_http_handlers", "Count requests of each handler."),
            flag("recovered_publications_histogram", "Add a histogram of recovered publications."),
            flag("native_histograms", "Use sparse histograms in place of buckets and summaries."),
        ]],
    ),
    block(
        "health",
        &[&[
            on("Serve a health check, and below its path `/live` and `/ready`."),
            path("/health"),
            time(
                "grace",
                "2500ms",
                "A node is not ready when something it needs has failed for so long. A key of Flywheel's own.",
            ),
            choice(
                "scope",
                words::HEALTH_SCOPES,
                "any",
                "Whether any fault makes a node not ready, or only its own, which another node does not have. A key of \
                 Flywheel's own.",
            ),
            time(
                "stuck_after",
                "10s",
                "A node is not alive when one of its threads has not turned for so long. A key of Flywheel's own.",
            ),
            time(
                "abort_after",
                "10s",
                "A process one of whose threads has not turned for so long is ended, so that it is started anew and its clients \
                 are free; negative never. A key of Flywheel's own.",
            ),
        ]],
    ),
    block("swagger", &[&[on("Serve a page that describes the server API."), path("/swagger")]]),
    block("debug", &[&[on("Serve profiles of the process."), path("/debug/pprof")]]),
    block(
        "init",
        &[&[
            on("Serve an endpoint that does nothing, for load balancers to warm up."),
            path("/connection/init"),
        ]],
    ),
];

pub(super) const TELEMETRY: Fragment = &[
    block(
        "opentelemetry",
        &[&[
            on("Export traces; the `OTEL_*` variables say where to."),
            flag("api", "Trace calls of the server API."),
            flag("consuming", "Trace consumers."),
            flag("google_cloud_adc_auth", "Log in to the collector with Google's default credentials."),
        ]],
    ),
    block(
        "graphite",
        &[&[
            on("Send metrics to Graphite."),
            text("host", "localhost", "Its host."),
            int("port", 2003, "Its port."),
            text("prefix", "centrifugo", "First part of every name."),
            time("interval", "10s", "Pause between sends."),
            flag("tags", "Use Graphite's tags."),
        ]],
    ),
    block("usage_stats", &[&[flag("disabled", "Send no usage statistics. Flywheel never sends any.")]]),
];
