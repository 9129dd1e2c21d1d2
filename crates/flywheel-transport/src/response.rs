//! Responses that a shard writes itself.

use flywheel_protocol::client::{Encoding, Transport};
use flywheel_websocket::Request;

use crate::cors::{Header, cors_headers};
use crate::door::DoorSettings;
use crate::welcome::keeps_connection;

/// A response that proxies and browsers neither keep nor hold back.
const HEAD: &str = "Cache-Control: private, no-cache, no-store, must-revalidate, max-age=0\r\n\
    Pragma: no-cache\r\nExpires: 0\r\nX-Accel-Buffering: no\r\n";

/// The head of a response whose body is a stream of messages.
///
/// Source: client protocol, section 8.1.
pub(crate) fn stream_head(
    settings: &DoorSettings,
    request: &Request<'_>,
    transport: Transport,
    encoding: Encoding,
    chunked: bool,
) -> Vec<u8> {
    let content_type = match (transport, encoding) {
        (Transport::Sse | Transport::UniSse, _) => "text/event-stream; charset=utf-8",
        (_, Encoding::Json) => "application/x-ndjson",
        (_, Encoding::Protobuf) => "application/octet-stream",
    };
    let connection = if keeps_connection(request) { "keep-alive" } else { "close" };
    let cors = header_lines(&cors_headers(&settings.origins, request));
    let mut head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{HEAD}Connection: {connection}\r\n");
    if chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    }
    head.push_str(&cors);
    head.push_str("\r\n");
    head.into_bytes()
}

/// The headers as they stand in a response.
pub(crate) fn header_lines(headers: &[Header]) -> String {
    headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect()
}

/// Appends a whole response, after which the connection is closed. `headers` are whole lines.
pub(crate) fn write_closing(out: &mut Vec<u8>, status: u16, headers: &str, body: &str) {
    let reason = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}
