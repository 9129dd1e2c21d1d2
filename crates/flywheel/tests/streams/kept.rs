//! Streams on connections that carried other requests before, and requests that come in pieces.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flywheel_testkit::Stream;

use super::{encoded, get, post, server};

#[test]
fn a_connection_carries_requests_and_then_a_stream_of_any_kind() {
    let server = server(|_| ());
    let commands = r#"{"id":1,"connect":{}}"#;
    let sse = format!("/connection/sse?cf_connect={}", encoded(commands));
    for (request, begins) in [
        (get(&sse), "\r\ndata: {\"id\":1,\"connect\":{"),
        (post("/connection/sse", "", commands), "\r\ndata: {\"id\":1,\"connect\":{"),
        (post("/connection/http_stream", "", commands), "{\"id\":1,\"connect\":{"),
        (get("/connection/uni_sse"), "\r\ndata: {\"connect\":{"),
        (post("/connection/uni_http_stream", "", "{}"), "{\"connect\":{"),
    ] {
        let mut stream = Stream::open(server.address(), get("/health").as_bytes()).unwrap();
        assert_eq!(stream.rest(), "{}");
        let mut stream = stream.again(request.as_bytes()).unwrap();
        assert_eq!((stream.status, stream.header("x-accel-buffering")), (200, Some("no")));
        let body = stream.until("\"version\"");
        assert!(body.starts_with(begins), "{body}");
    }
}

#[test]
fn a_request_may_come_in_pieces_and_in_chunks() {
    let server = server(|_| ());
    let whole = post("/connection/http_stream", "", r#"{"id":1,"connect":{}}"#);
    let chunked = "POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\n{\"id\"\r\n10\r\n:1,\"connect\":{}}\r\n0\r\n\r\n";
    for request in [whole.as_str(), chunked] {
        for cut in [10, request.len() - 30, request.len() - 3] {
            let mut socket = TcpStream::connect(server.address()).unwrap();
            socket.set_nodelay(true).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            socket.write_all(&request.as_bytes()[..cut]).unwrap();
            // Two segments, so that the server reads twice.
            std::thread::sleep(Duration::from_millis(20));
            socket.write_all(&request.as_bytes()[cut..]).unwrap();
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains(r#""session":""#) {
                let mut piece = [0; 4096];
                let count = socket.read(&mut piece).unwrap();
                assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&piece[..count]);
            }
            assert!(seen.starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
    }
}
