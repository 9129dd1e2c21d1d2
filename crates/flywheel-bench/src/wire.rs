//! The bytes that both sides of a measurement agree on: handshake, frames, commands and canned answers.

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest as _, Sha1};

/// Path of the WebSocket endpoint.
pub(crate) const PATH: &str = "/connection/websocket";
/// Channel that every receiver of a fan-out shares.
pub(crate) const CHANNEL: &str = "bench";
/// Namespace of channels that keep their publications.
pub(crate) const LOG: &str = "log";
/// Key that the API requires in `X-API-Key`.
pub(crate) const API_KEY: &str = "bench";
/// Bytes of a push as JSON. No frame from a server is 128 bytes long in all: 125 bytes of payload take a
/// header of 2 and 126 take one of 4, so the payload is 128 and the frame 132.
pub(crate) const PUSH_BYTES: usize = 128;
/// Bytes of a push on the wire.
pub(crate) const FRAME_BYTES: usize = PUSH_BYTES + 4;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [0x5a, 0x0f, 0xc3, 0x71];
const TEXT: u8 = 0x1;
const RSV1: u8 = 0x40;
const UPGRADED: &[u8] = b"HTTP/1.1 101";

/// The request that opens a WebSocket.
pub(crate) fn upgrade_request() -> Vec<u8> {
    format!(
        "GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
    .into_bytes()
}

/// The request that opens a WebSocket and offers permessage-deflate.
pub(crate) fn deflating_upgrade_request() -> Vec<u8> {
    let mut request = upgrade_request();
    request.truncate(request.len() - 2);
    request.extend_from_slice(b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    request
}

/// The answer to `request`, once it is complete. Only what the measurement needs is looked at.
pub(crate) fn upgrade_response(request: &[u8]) -> Option<Vec<u8>> {
    let head = request.strip_suffix(b"\r\n\r\n")?;
    let key = header(std::str::from_utf8(head).ok()?, "sec-websocket-key")?;
    let accept = accept(key);
    Some(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .into_bytes(),
    )
}

/// Whether `bytes` are the whole answer to [`upgrade_request`]. An error when they are some other answer.
pub(crate) fn is_upgraded(bytes: &[u8]) -> Result<bool> {
    let status = &bytes[..bytes.len().min(UPGRADED.len())];
    ensure!(UPGRADED.starts_with(status), "handshake refused: {}", String::from_utf8_lossy(bytes));
    let Some(head) = bytes.strip_suffix(b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(head).context("the answer to the handshake is not text")?;
    ensure!(header(head, "sec-websocket-accept") == Some(accept(KEY).as_str()), "wrong accept key: {head}");
    Ok(true)
}

/// The value of `name` (lower case) in the head of a request or response.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn accept(key: &str) -> String {
    BASE64
        .encode(Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize())
}

/// A text frame as a server sends it.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    let mut frame = head(payload.len(), 0);
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// A text frame as a client sends it.
pub(crate) fn masked_text(payload: &str) -> Vec<u8> {
    let mut frame = head(payload.len(), 0x80);
    frame.extend_from_slice(&MASK);
    frame.extend(payload.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A text frame of a server whose payload is compressed.
pub(crate) fn compressed_text(payload: &[u8]) -> Vec<u8> {
    let mut frame = head(payload.len(), 0);
    frame[0] |= RSV1;
    frame.extend_from_slice(payload);
    frame
}

/// Takes the first text frame of a server, compressed or not, off `bytes`; `None` while it is incomplete.
pub(crate) fn take_frame<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    ensure!(first & !RSV1 == 0x80 | TEXT, "not a text frame: {first:#x}");
    let (extended, length) = match *rest {
        [length @ ..=125, ..] => (0, usize::from(length)),
        [126, high, low, ..] => (2, usize::from(u16::from_be_bytes([high, low]))),
        [127, ..] => bail!("a frame of more than 65535 bytes"),
        _ => return Ok(None),
    };
    let Some((frame, rest)) = bytes.split_at_checked(2 + extended + length) else { return Ok(None) };
    *bytes = rest;
    Ok(Some(frame))
}

fn head(length: usize, mask_bit: u8) -> Vec<u8> {
    let mut head = vec![0x80 | TEXT];
    match u16::try_from(length) {
        Ok(short @ ..=125) => head.push(mask_bit | short.to_le_bytes()[0]),
        Ok(medium) => {
            head.push(mask_bit | 0x7e);
            head.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => {
            head.push(mask_bit | 0x7f);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}

/// Takes the payload of the first text frame of a server off `bytes`; `None` while it is incomplete.
pub(crate) fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
    let (start, length) = match **bytes {
        [first, second, ..] if first != 0x80 | TEXT || second & 0x80 != 0 => {
            bail!("not a plain text frame: {:02x?}", &bytes[..bytes.len().min(16)])
        }
        [_, length @ ..=125, ..] => (2, usize::from(length)),
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [_, 127, ..] => bail!("a frame of more than 65535 bytes"),
        _ => return Ok(None),
    };
    let Some(payload) = bytes.get(start..start + length) else { return Ok(None) };
    *bytes = &bytes[start + length..];
    Ok(Some(payload))
}

/// The command that authenticates a client, as number 1.
pub(crate) fn connect_command() -> Vec<u8> {
    masked_text(r#"{"id":1,"connect":{}}"#)
}

/// The command that subscribes to `channel`, as number 2.
pub(crate) fn subscribe_command(channel: &str) -> Vec<u8> {
    masked_text(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#))
}

/// The command that subscribes to `channel`, as number 2, and asks for deltas.
pub(crate) fn delta_command(channel: &str) -> Vec<u8> {
    masked_text(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}","delta":"fossil"}}}}"#))
}

/// The command that subscribes to `channel`, as number 2, and asks for all publications since a position.
pub(crate) fn recover_command(channel: &str, offset: u64, epoch: &str) -> Vec<u8> {
    masked_text(&format!(
        r#"{{"id":2,"subscribe":{{"channel":"{channel}","recover":true,"offset":{offset},"epoch":"{epoch}"}}}}"#
    ))
}

/// What a server that computes nothing answers to [`connect_command`].
pub(crate) fn canned_connect_reply() -> Vec<u8> {
    text(
        r#"{"id":1,"connect":{"client":"00000000-0000-4000-8000-000000000000","version":"0.0.0","ping":25,"pong":true}}"#,
    )
}

/// What a server that computes nothing answers to [`subscribe_command`].
pub(crate) fn canned_subscribe_reply() -> Vec<u8> {
    text(r#"{"id":2,"subscribe":{}}"#)
}

/// Refuses a reply that is not the good answer to command `id`.
pub(crate) fn check_reply(payload: &[u8], id: u64) -> Result<()> {
    let shown = String::from_utf8_lossy(payload);
    let reply: serde_json::Value =
        serde_json::from_slice(payload).with_context(|| format!("reply {shown}"))?;
    ensure!(reply["id"] == id && reply.get("error").is_none(), "command {id} was answered with {shown}");
    Ok(())
}

/// Data of a publication, as JSON, whose push is [`PUSH_BYTES`] long.
pub(crate) fn publication_data() -> String {
    let room = PUSH_BYTES - push("\"\"").len();
    format!("\"{}\"", "x".repeat(room))
}

/// The frame in which [`publication_data`] reaches a subscriber of [`CHANNEL`].
pub(crate) fn push_frame() -> Vec<u8> {
    text(&push(&publication_data()))
}

fn push(data: &str) -> String {
    format!(r#"{{"push":{{"channel":"{CHANNEL}","pub":{{"data":{data}}}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_frame_has_the_stated_size() {
        assert_eq!(push_frame().len(), FRAME_BYTES);
        let frame = push_frame();
        let mut rest = frame.as_slice();
        let payload = take_text(&mut rest).unwrap().unwrap();
        assert_eq!(payload.len(), PUSH_BYTES);
        assert!(rest.is_empty());
        serde_json::from_slice::<serde_json::Value>(payload).unwrap();
    }

    #[test]
    fn the_own_handshake_is_accepted_and_a_wrong_key_is_not() {
        let response = upgrade_response(&upgrade_request()).unwrap();
        assert!(is_upgraded(&response).unwrap());
        assert!(!is_upgraded(&response[..response.len() - 1]).unwrap());
        let text = String::from_utf8(response).unwrap();
        assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the accept key of RFC 6455, section 1.3");
        assert!(is_upgraded(text.replace("s3p", "s3q").as_bytes()).is_err());
        assert!(is_upgraded(b"HTTP/1.1 403 Forbidden\r\n\r\n").is_err());
    }

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let frames = [text("{}"), text(&"y".repeat(300))].concat();
        let mut rest = &frames[..frames.len() - 1];
        assert_eq!(take_text(&mut rest).unwrap(), Some(&b"{}"[..]));
        assert_eq!(take_text(&mut rest).unwrap(), None);
        assert!(take_text(&mut &[0x88, 0x02, 0x03, 0xe8][..]).is_err(), "a close frame is not data");
    }

    #[test]
    fn an_error_reply_and_a_foreign_id_are_refused() {
        check_reply(br#"{"id":2,"subscribe":{}}"#, 2).unwrap();
        assert!(check_reply(br#"{"id":2,"subscribe":{}}"#, 1).is_err());
        assert!(check_reply(br#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#, 2).is_err());
    }
}
