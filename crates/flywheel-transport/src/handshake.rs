//! The answers that a shard gives before a connection is a WebSocket.

/// Appends a response without a body, after which the connection is closed.
pub(crate) fn write_status(out: &mut Vec<u8>, status: u16) {
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let head = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
}
