//! What happens to real clients shows up in the metrics.

use std::time::Duration;

use flywheel_testkit::{JsonClient, Server, fixture, set, wait_until};
use serde_json::json;

const FLYWHEEL: &str = env!("CARGO_BIN_EXE_flywheel");

#[test]
fn connections_commands_deliveries_and_errors_are_counted() {
    let mut config = fixture();
    set(&mut config, "prometheus.enabled", true.into());
    let server = Server::start(FLYWHEEL, config);
    let mut client = JsonClient::connect(server.address(), None);
    client.subscribe("log:counted");
    assert_eq!(client.command("subscribe", json!({"channel": "nowhere:x"}))["error"]["code"], 102);
    server.api("publish", r#"{"channel":"log:counted","data":1}"#);
    client.push();
    let expected = [
        "centrifugo_node_num_clients 1",
        "centrifugo_node_num_subscriptions 1",
        "centrifugo_node_num_channels 1",
        r#"centrifugo_client_connections_inflight{accept_protocol="",client_name="unnamed",client_version="unversioned",transport="websocket"} 1"#,
        r#"centrifugo_client_subscriptions_inflight{channel_namespace="",client_name="unnamed"} 1"#,
        r#"centrifugo_client_command_duration_seconds_histogram_count{channel_namespace="",method="subscribe"} 2"#,
        r#"centrifugo_client_num_reply_errors{channel_namespace="",code="102",method="subscribe"} 1"#,
        r#"centrifugo_transport_messages_sent{channel_namespace="",frame_type="push_publication",transport="websocket"} 1"#,
        r#"centrifugo_api_command_duration_seconds_histogram_count{method="publish",protocol="http"} 1"#,
        "flywheel_deliveries_total 1",
        "flywheel_panics_total 0",
        "flywheel_memory_engine_streams 1",
    ];
    let text = || server.request("GET", "/metrics", &[], b"").text();
    let missing = || {
        let shown = text();
        expected.iter().filter(|line| !shown.lines().any(|have| have == **line)).collect::<Vec<_>>()
    };
    // Shards hand their counts over about once a second.
    assert!(wait_until(Duration::from_secs(20), || missing().is_empty()), "{:#?}\n{}", missing(), text());
}
