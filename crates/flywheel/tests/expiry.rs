//! An expiry that the server API sets is kept although nothing else wakes the session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flywheel_testkit::{JsonClient, Server, fixture, named_token, set};

const FLYWHEEL: &str = env!("CARGO_BIN_EXE_flywheel");

#[test]
#[expect(clippy::disallowed_methods, reason = "the server under test goes by the machine's clock")]
fn a_connection_that_the_server_api_let_expire_is_closed_without_any_ping() {
    let mut config = fixture();
    // Nothing else may wake the session: neither pings nor the timer for clients that do not connect.
    set(&mut config, "client.ping_interval", "1h".into());
    set(&mut config, "client.stale_close_delay", "1h".into());
    set(&mut config, "client.expired_close_delay", "1ms".into());
    let server = Server::start(FLYWHEEL, config);
    let mut client = JsonClient::connect(server.address(), named_token("T42").as_deref());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2);
    server.api("refresh", &format!("{{\"user\":\"42\",\"expire_at\":{}}}", now.as_secs()));
    assert_eq!(client.closed(), (3005, "connection expired".to_owned()));
}
