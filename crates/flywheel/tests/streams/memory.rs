//! What an idle client of a stream costs.

use flywheel_testkit::Stream;

use super::{get, http_stream, server, sse};

const CLIENTS: usize = 1_000;
const BYTES_MAX: u64 = 8 << 10;

#[test]
fn an_idle_client_of_a_stream_takes_at_most_8_kib() {
    let server = server(|_| ());
    let commands = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}";
    // The first ones pay for what all share.
    let mut streams: Vec<Stream> = (0..100).map(|_| sse(&server, commands)).collect();
    for kind in ["sse", "http_stream", "sse on a kept connection"] {
        let before = server.resident_bytes();
        for _ in 0..CLIENTS {
            let mut stream = match kind {
                "sse" => sse(&server, commands),
                "http_stream" => http_stream(&server, commands),
                _ => {
                    let mut health = Stream::open(server.address(), get("/health").as_bytes()).unwrap();
                    health.rest();
                    let target = format!("/connection/sse?cf_connect={}", super::encoded(commands));
                    health.again(get(&target).as_bytes()).unwrap()
                }
            };
            stream.until("subscribe");
            streams.push(stream);
        }
        let each = server.resident_bytes().saturating_sub(before) / CLIENTS as u64;
        eprintln!("{kind}: {each} bytes per idle client");
        assert!(each <= BYTES_MAX, "{kind}: {each} bytes per idle client");
    }
}
