use std::collections::BTreeMap;
use std::time::Duration;

use crate::view::View;

/// An endpoint that is either served or not. Config sections `prometheus`, `health` and `init`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Serve it.
    pub enabled: bool,
    /// Path it answers on, without a slash at the end; empty for the root.
    pub handler_prefix: String,
}

/// The server API over HTTP. Config section `http_api`.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpApi {
    /// Do not serve it.
    pub disabled: bool,
    /// Path it answers on, without a slash at the end; empty for the root.
    pub handler_prefix: String,
    /// Key that callers must show; with `None`, and unless `insecure`, every call is refused.
    pub key: Option<String>,
    /// How errors are answered.
    pub error_mode: ErrorMode,
    /// Serve it on the external port.
    pub external: bool,
    /// Ask for no key.
    pub insecure: bool,
}

/// How the server API answers errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorMode {
    /// Status 200 with an `error` object. Written as the empty text.
    #[default]
    Object,
    /// The transport's own status.
    Transport,
}

/// The WebSocket transport. Config section `websocket`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocket {
    /// Do not serve it.
    pub disabled: bool,
    /// Path it answers on, without a slash at the end; empty for the root.
    pub handler_prefix: String,
    /// What one connection may do.
    pub limits: WebSocketLimits,
    /// How messages are compressed; `None` when they are not.
    pub compression: Option<WebSocketCompression>,
}

/// What one connection may do. Config keys of `websocket` and of `uni_websocket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketLimits {
    /// Longest time to write one frame; `None` waits for ever.
    pub write_timeout: Option<Duration>,
    /// Longest message from a client in bytes; `None` sets no limit.
    pub message_size_limit: Option<usize>,
    /// Longest compressed message from a client once it is decompressed, in bytes; `None` sets no limit. Written as 0,
    /// it is ten times `message_size_limit`.
    pub decompressed_message_size_limit: Option<usize>,
}

/// Compression of WebSocket messages. Config keys `compression_min_size` and `compression_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketCompression {
    /// Bytes below which a message is sent as it is.
    pub min_size: usize,
    /// Effort, 1 to 9.
    pub level: u32,
}

/// Clients that only listen, over WebSocket. Config section `uni_websocket`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniWebSocket {
    /// Serve it.
    pub enabled: bool,
    /// Path it answers on, without a slash at the end; empty for the root.
    pub handler_prefix: String,
    /// Drop the connection without a close frame.
    pub disable_closing_handshake: bool,
    /// Send no disconnect push before closing.
    pub disable_disconnect_push: bool,
    /// What one connection may do.
    pub limits: WebSocketLimits,
    /// How messages are compressed; `None` when they are not.
    pub compression: Option<WebSocketCompression>,
}

/// A transport whose messages are the body of a response, or the endpoint for commands of its clients. Config sections
/// `sse`, `http_stream`, `emulation`, `uni_sse` and `uni_http_stream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEndpoint {
    /// Serve it. Section `emulation` has no such key.
    pub enabled: bool,
    /// Path it answers on, without a slash at the end; empty for the root.
    pub handler_prefix: String,
    /// Longest body of a request in bytes; `None` sets no limit.
    pub max_request_body_size: Option<usize>,
    /// Answer refused connects with a status; `None` unless it is enabled, which only the unidirectional ones can be.
    pub connect_code_to_http_response: Option<ConnectStatuses>,
}

/// Statuses for refused connects. Config block `connect_code_to_http_response`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectStatuses {
    /// Status and body by code of the error or the disconnect; the first rule for a code counts.
    pub by_code: BTreeMap<u32, (u16, String)>,
}

/// Remote procedure calls. Config section `rpc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rpc {
    /// A method of our own.
    pub ping: RpcPing,
    /// Ends the namespace's name in a method.
    pub namespace_boundary: String,
    /// Names of namespaces of methods.
    pub namespaces: Vec<String>,
}

/// A method that answers with nothing. Config section `rpc.ping`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcPing {
    /// Answer it.
    pub enabled: bool,
    /// Its name.
    pub method: String,
}

impl std::fmt::Debug for HttpApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key must not reach a log by way of `{:?}`.
        f.debug_struct("HttpApi")
            .field("disabled", &self.disabled)
            .field("handler_prefix", &self.handler_prefix)
            .field("key", &self.key.as_ref().map(|_| ".."))
            .field("error_mode", &self.error_mode)
            .field("external", &self.external)
            .field("insecure", &self.insecure)
            .finish()
    }
}

impl Endpoint {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self { enabled: view.is("enabled"), handler_prefix: handler_prefix(view) }
    }
}

impl HttpApi {
    pub(super) fn read(view: &View<'_>) -> Self {
        let transport = view.text("error_mode") == "transport";
        Self {
            disabled: view.is("disabled"),
            handler_prefix: handler_prefix(view),
            key: view.some_text("key"),
            error_mode: if transport { ErrorMode::Transport } else { ErrorMode::Object },
            external: view.is("external"),
            insecure: view.is("insecure"),
        }
    }
}

impl WebSocket {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self {
            disabled: view.is("disabled"),
            handler_prefix: handler_prefix(view),
            limits: WebSocketLimits::read(view),
            compression: WebSocketCompression::read(view),
        }
    }
}

impl WebSocketLimits {
    fn read(view: &View<'_>) -> Self {
        let message_size_limit = view.limit("message_size_limit");
        let decompressed = view.limit("decompressed_message_size_limit");
        Self {
            write_timeout: view.some_time("write_timeout"),
            message_size_limit,
            decompressed_message_size_limit: decompressed
                .or_else(|| message_size_limit.map(|limit| limit.saturating_mul(10))),
        }
    }
}

impl WebSocketCompression {
    fn read(view: &View<'_>) -> Option<Self> {
        view.is("compression").then(|| Self {
            min_size: view.size("compression_min_size"),
            level: u32::try_from(view.int("compression_level")).unwrap_or_default(),
        })
    }
}

impl UniWebSocket {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self {
            enabled: view.is("enabled"),
            handler_prefix: handler_prefix(view),
            disable_closing_handshake: view.is("disable_closing_handshake"),
            disable_disconnect_push: view.is("disable_disconnect_push"),
            limits: WebSocketLimits::read(view),
            compression: WebSocketCompression::read(view),
        }
    }
}

impl StreamEndpoint {
    pub(super) fn read(view: &View<'_>) -> Self {
        let statuses = view.section("connect_code_to_http_response");
        Self {
            enabled: view.is("enabled"),
            handler_prefix: handler_prefix(view),
            max_request_body_size: view.limit("max_request_body_size"),
            connect_code_to_http_response: statuses.is("enabled").then(|| ConnectStatuses::read(&statuses)),
        }
    }
}

impl ConnectStatuses {
    fn read(view: &View<'_>) -> Self {
        let mut by_code = BTreeMap::new();
        for rule in view.items("transforms") {
            let status = u16::try_from(rule.int("to.status_code")).unwrap_or(500);
            let body = rule.text("to.body").to_owned();
            by_code.entry(code(&rule, "code")).or_insert((status, body));
        }
        Self { by_code }
    }
}

/// A code of the client protocol.
pub(super) fn code(view: &View<'_>, name: &str) -> u32 {
    u32::try_from(view.int(name)).unwrap_or(0)
}

impl Rpc {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self {
            ping: RpcPing { enabled: view.is("ping.enabled"), method: view.text("ping.method").to_owned() },
            namespace_boundary: view.text("namespace_boundary").to_owned(),
            namespaces: view.items("namespaces").iter().map(|item| item.text("name").to_owned()).collect(),
        }
    }
}

fn handler_prefix(view: &View<'_>) -> String {
    view.text("handler_prefix").trim_end_matches('/').to_owned()
}
