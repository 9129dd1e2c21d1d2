//! Messages and frames of a WebSocket.

use flywheel_testkit::{RawSocket, client_frame};

use crate::{ENDPOINT, PATIENCE, answer_unconnected, server};

#[test]
fn a_message_of_exactly_the_limit_passes_and_one_byte_more_is_1009() {
    let server = server();
    let connect = |size: usize| {
        let empty = r#"{"id":1,"connect":{"data":""}}"#.len();
        format!(r#"{{"id":1,"connect":{{"data":"{}"}}}}"#, "x".repeat(size - empty))
    };
    assert!(answer_unconnected(&server, &connect(65_536)).starts_with(r#"{"id":1,"connect":{"client""#));
    assert_eq!(answer_unconnected(&server, &connect(65_537)), "close 1009 ");
    // The server stops reading a message this long, so a reset may overtake the close frame.
    let answer = answer_unconnected(&server, &connect(1 << 20));
    assert!(answer == "close 1009 " || answer == "dropped", "{answer}");
}

#[test]
fn the_limit_counts_over_all_fragments_and_by_announcement() {
    let server = server();
    let mut socket = RawSocket::upgraded(server.address(), ENDPOINT);
    socket.write(&client_frame(0x01, &vec![b' '; 40_000])).unwrap();
    socket.write(&client_frame(0x80, &vec![b' '; 40_000])).unwrap();
    assert_eq!(socket.closed(PATIENCE), Some((1009, String::new())));
    // Only the head of a frame of 2^62 bytes: nobody may wait for the rest, or make room for it.
    let before = server.resident_bytes();
    let mut socket = RawSocket::upgraded(server.address(), ENDPOINT);
    socket.write(&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    assert_eq!(socket.closed(PATIENCE), Some((1009, String::new())));
    assert!(server.resident_bytes().saturating_sub(before) < 16 << 20);
}

#[test]
fn what_breaks_the_websocket_protocol_is_1002() {
    let server = server();
    let unmasked = vec![0x81, 0x02, b'{', b'}'];
    let two_starts = [client_frame(0x01, b"{"), client_frame(0x81, b"{}")].concat();
    for (what, bytes) in [
        ("no mask", unmasked),
        ("reserved bit 1", client_frame(0xc1, b"{}")),
        ("reserved bit 2", client_frame(0xa1, b"{}")),
        ("reserved bit 3", client_frame(0x91, b"{}")),
        ("unknown opcode", client_frame(0x83, b"{}")),
        ("unknown control opcode", client_frame(0x8b, b"")),
        ("fragmented control frame", client_frame(0x09, b"")),
        ("long control frame", client_frame(0x89, &[0; 126])),
        ("continuation of nothing", client_frame(0x80, b"{}")),
        ("second start", two_starts),
        ("close with one byte", client_frame(0x88, &[3])),
        ("close with a reserved code", client_frame(0x88, &[0x03, 0xed])),
        ("close with a code below 1000", client_frame(0x88, &[0x00, 0x05])),
    ] {
        let mut socket = RawSocket::upgraded(server.address(), ENDPOINT);
        socket.write(&bytes).unwrap();
        let closed = socket.closed(PATIENCE);
        assert_eq!(closed.map(|(code, _)| code), Some(1002), "{what}");
    }
}

#[test]
fn a_close_of_the_client_is_echoed_without_its_reason() {
    let server = server();
    for code in [1000_u16, 1001, 3000, 4321] {
        let mut socket = RawSocket::upgraded(server.address(), ENDPOINT);
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(b"so long");
        socket.write(&client_frame(0x88, &payload)).unwrap();
        let frame = socket.frame(PATIENCE).unwrap();
        assert_eq!((frame.head, frame.payload.as_slice()), (0x88, &code.to_be_bytes()[..]));
        assert_eq!(socket.closed(PATIENCE), None, "the server closes after the echo");
    }
}

#[test]
fn a_control_ping_is_answered_with_its_payload() {
    let server = server();
    let mut socket = RawSocket::upgraded(server.address(), ENDPOINT);
    socket.write(&client_frame(0x89, b"are you there")).unwrap();
    let frame = socket.frame(PATIENCE).unwrap();
    assert_eq!((frame.head, frame.payload.as_slice()), (0x8a, &b"are you there"[..]));
}
