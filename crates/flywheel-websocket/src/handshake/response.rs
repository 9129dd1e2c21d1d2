use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::UpgradeError;

/// What RFC 6455, section 1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`, in ASCII.
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    let written = STANDARD.encode_slice(hash, &mut accept);
    debug_assert_eq!(written, Ok(28), "20 bytes are 28 characters");
    accept
}

/// Appends the answer that completes the opening handshake; frames follow.
///
/// `subprotocol` and `extensions` must be free of line ends; what [`Upgrade`](crate::Upgrade) yields always is.
pub fn write_response(
    out: &mut Vec<u8>,
    accept: &[u8; 28],
    subprotocol: Option<&str>,
    extensions: Option<&str>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept);
    if let Some(subprotocol) = subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(subprotocol.as_bytes());
    }
    if let Some(extensions) = extensions {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        out.extend_from_slice(extensions.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends the answer to a request that is no valid upgrade. The connection is to be closed behind it.
pub fn write_bad_request(out: &mut Vec<u8>, error: UpgradeError) {
    let body = format!("{error}\n");
    out.extend_from_slice(
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Sec-WebSocket-Version: 13\r\nContent-Length: ",
    );
    out.extend_from_slice(body.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered() {
        assert_eq!(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn the_response_names_what_was_chosen_and_nothing_else() {
        let accept = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        let response = |subprotocol, extensions| {
            let mut out = Vec::new();
            write_response(&mut out, &accept, subprotocol, extensions);
            String::from_utf8(out).unwrap()
        };
        let plain = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert_eq!(response(None, None), format!("{plain}\r\n"));
        assert_eq!(
            response(Some("centrifuge-json"), Some("permessage-deflate")),
            format!(
                "{plain}Sec-WebSocket-Protocol: centrifuge-json\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            )
        );
    }

    #[test]
    fn a_refusal_names_the_version_we_speak_and_the_length_of_its_body() {
        let mut out = Vec::new();
        write_bad_request(&mut out, UpgradeError::Method);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 ") && head.contains("\r\nSec-WebSocket-Version: 13\r\n"));
        assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())));
    }
}
