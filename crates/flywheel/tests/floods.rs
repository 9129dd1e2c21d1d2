//! Many clients that mean no good, while one that means well goes on working.

#![expect(clippy::panic, reason = "helpers fail the test")]

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use flywheel_testkit::{JsonClient, RawSocket, Server, client_frame, file_limit, fixture, set, wait_until};
use serde_json::{Value, json};

const ENDPOINT: &str = "/connection/websocket";
const GROWTH_MAX: u64 = 150 << 20;
/// Descriptors that a test keeps for everything but its flood.
const RESERVE: u64 = 500;

/// Floods share the descriptors of this process, so they run one after the other.
static TURN: Mutex<()> = Mutex::new(());

struct Flood {
    server: Server,
    witness: JsonClient,
    published: u64,
    before: u64,
    _turn: MutexGuard<'static, ()>,
}

impl Flood {
    fn start(sockets: u64) -> Self {
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let limit = file_limit(sockets + RESERVE);
        assert!(
            limit >= sockets + RESERVE,
            "{sockets} sockets need a higher limit of open files than {limit}"
        );
        let mut config = fixture();
        set(&mut config, "client.stale_close_delay", json!("2s"));
        let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), config);
        let mut witness = JsonClient::connect(server.address(), None);
        witness.subscribe("log:witness");
        let before = server.resident_bytes();
        let mut flood = Self { server, witness, published: 0, before, _turn: turn };
        flood.check();
        flood
    }

    /// A well-behaved client and the server API still work, and memory is bounded.
    fn check(&mut self) {
        self.published += 1;
        let data = json!({"n": self.published});
        self.server.api_result("publish", &json!({"channel": "log:witness", "data": data}));
        let push = self.witness.push();
        assert_eq!((&push["pub"]["data"], &push["pub"]["offset"]), (&data, &Value::from(self.published)));
        let mut client = JsonClient::connect(self.server.address(), None);
        client.subscribe("lobby");
        let grown = self.server.resident_bytes().saturating_sub(self.before);
        assert!(grown < GROWTH_MAX, "memory grew by {} MiB", grown >> 20);
    }

    fn open(&self) -> RawSocket {
        RawSocket::open(self.server.address()).unwrap_or_else(|error| panic!("connecting: {error}"))
    }

    /// All of these connections are ended by the server in time, and their descriptors are given back.
    fn expect_closed(&mut self, mut sockets: Vec<RawSocket>, within: Duration) {
        let closed = wait_until(within, || {
            sockets.retain_mut(|socket| !socket.is_gone());
            sockets.is_empty()
        });
        assert!(closed, "{} connections are still open after {within:?}", sockets.len());
        let settled = wait_until(Duration::from_secs(10), || self.server.open_files() < 100);
        assert!(settled, "{} files are still open", self.server.open_files());
        self.check();
    }
}

#[test]
fn thousands_of_handshakes_byte_by_byte_end_at_the_timeout() {
    let mut flood = Flood::start(3_000);
    let request = format!("GET {ENDPOINT} HTTP/1.1\r\nHost: a\r\nX-Filler: {}", "x".repeat(200));
    let mut sockets: Vec<_> = (0..3_000).map(|_| flood.open()).collect();
    for (sent, byte) in request.bytes().enumerate() {
        // A server that has had enough may close at any time; that is what the end of the test asks for.
        sockets.retain_mut(|socket| socket.write(&[byte]).is_ok());
        if sent % 50 == 0 {
            flood.check();
        }
    }
    flood.expect_closed(sockets, Duration::from_secs(40));
}

#[test]
fn ten_thousand_silent_sockets_end_at_the_timeout() {
    let mut flood = Flood::start(10_000);
    let mut sockets = Vec::new();
    for count in 1..=10_000 {
        sockets.push(flood.open());
        if count % 2_000 == 0 {
            flood.check();
        }
    }
    flood.expect_closed(sockets, Duration::from_mins(1));
}

#[test]
fn clients_that_never_connect_are_closed_as_stale() {
    let mut flood = Flood::start(1_000);
    let mut sockets: Vec<_> =
        (0..1_000).map(|_| RawSocket::upgraded(flood.server.address(), ENDPOINT)).collect();
    flood.check();
    for socket in &mut sockets {
        assert_eq!(socket.closed(Duration::from_secs(20)), Some((3502, "stale".to_owned())));
        // A client that answers the close frame is let go at once.
        drop(socket.write(&client_frame(0x88, &3502_u16.to_be_bytes())));
    }
    flood.expect_closed(sockets, Duration::from_secs(20));
}

#[test]
fn a_flood_of_oversized_messages_is_refused_one_by_one() {
    let mut flood = Flood::start(200);
    let mut oversized = client_frame(0x81, &vec![b' '; 1 << 20]);
    let connect = client_frame(0x81, br#"{"id":1,"connect":{}}"#);
    for round in 0..10 {
        let mut sockets: Vec<_> =
            (0..100).map(|_| RawSocket::upgraded(flood.server.address(), ENDPOINT)).collect();
        for socket in &mut sockets {
            socket.write(&connect).unwrap();
            // The server may stop reading and reset in the middle of the message.
            drop(socket.write(&oversized));
        }
        let told = sockets
            .iter_mut()
            .filter_map(|socket| socket.closed(Duration::from_secs(20)))
            .filter(|(code, reason)| *code == 1009 && reason.is_empty())
            .count();
        // A reset can overtake the close frame of some, but not of all.
        assert!(told > 0, "nobody was told 1009 in round {round}");
        flood.check();
    }
    // Announced and never sent: nothing may be reserved for it.
    oversized.truncate(14);
    let mut sockets: Vec<_> =
        (0..200).map(|_| RawSocket::upgraded(flood.server.address(), ENDPOINT)).collect();
    for socket in &mut sockets {
        socket.write(&oversized).unwrap();
        assert_eq!(socket.closed(Duration::from_secs(20)), Some((1009, String::new())));
    }
    flood.expect_closed(sockets, Duration::from_secs(20));
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let mut flood = Flood::start(200);
    let start = flood.server.open_files();
    for _ in 0..20 {
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let mut client = JsonClient::connect(flood.server.address(), None);
                client.subscribe("lobby");
                client
            })
            .collect();
        drop(clients);
    }
    let settled = wait_until(Duration::from_secs(10), || flood.server.open_files() <= start + 2);
    assert!(settled, "{} files are open, {start} before", flood.server.open_files());
    let left = wait_until(Duration::from_secs(10), || {
        flood.server.api_result("channels", &json!({"pattern": "lobby"})) == json!({"channels": {}})
    });
    assert!(left, "the channel still has subscribers");
    flood.check();
}

#[test]
fn a_line_that_repeats_does_not_fill_the_log() {
    const TOKENS: usize = 1000;
    let server = Server::start(env!("CARGO_BIN_EXE_flywheel"), fixture());
    let mut clients: Vec<_> = (0..TOKENS).map(|_| JsonClient::open(server.address())).collect();
    for client in &mut clients {
        client.send(r#"{"id":1,"connect":{"token":"nonsense"}}"#);
    }
    let told = wait_until(Duration::from_secs(20), || server.log().contains("were left out of the log"));
    assert!(told, "nothing was left out");
    let written = server.log().lines().filter(|line| line.contains("token refused")).count();
    assert!((1..TOKENS).contains(&written), "{written} lines");
}
