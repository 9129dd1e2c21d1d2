use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::{
    Action, ApiFailure, ApiMethod, ApiProtocol, ConnectionKind, FrameType, Ignored, LinkReading, MessageType,
    Method, ProcessReading, ProxyEvent, ProxyProtocol, RedisReading, ReloadOutcome, ShardCounters,
    SuppressReason, Transport,
};

const KIND: ConnectionKind =
    ConnectionKind { transport: Transport::WebSocket, has_name: true, has_version: false };

/// Shown from the start.
const ALWAYS: &str = "
centrifugo_client_command_duration_seconds_histogram
centrifugo_node_build
centrifugo_node_client_connection_limit
centrifugo_node_messages_received_count
centrifugo_node_messages_sent_count
centrifugo_node_num_channels
centrifugo_node_num_clients
centrifugo_node_num_nodes
centrifugo_node_num_subscriptions
centrifugo_node_num_users
flywheel_deliveries_total
flywheel_gaps_found_total
flywheel_gaps_given_up_total
flywheel_gaps_healed_total
flywheel_hand_overs_total
flywheel_live
flywheel_log_lines_lost_total
flywheel_memory_engine_bytes
flywheel_memory_engine_presence_entries
flywheel_memory_engine_streams
flywheel_nodes_lost_total
flywheel_panics_total
flywheel_ready
flywheel_shard_mailbox_dropped_publications_total
flywheel_slow_disconnects_total
flywheel_socket_written_bytes_total
process_cpu_seconds_total
process_max_fds
process_open_fds
process_resident_memory_bytes
process_start_time_seconds
";

/// Shown after their first event.
const LATER: &str = "
centrifugo_api_command_duration_seconds_histogram
centrifugo_api_command_errors_total
centrifugo_broker_publish_suppressed_count
centrifugo_client_connections_accepted
centrifugo_client_connections_inflight
centrifugo_client_num_reply_errors
centrifugo_client_num_server_disconnects
centrifugo_client_num_server_unsubscribes
centrifugo_client_ping_pong_duration_seconds
centrifugo_client_recover
centrifugo_client_subscriptions_inflight
centrifugo_node_action_count
centrifugo_node_broadcast_duration_seconds
centrifugo_node_tags_filter_dropped_publications
centrifugo_proxy_duration_seconds_histogram
centrifugo_proxy_errors
centrifugo_proxy_inflight_requests
centrifugo_transport_messages_received
centrifugo_transport_messages_received_size
centrifugo_transport_messages_sent
centrifugo_transport_messages_sent_size
centrifugo_transport_outgoing_close_count
flywheel_config_reloads_total
flywheel_control_messages_ignored_total
flywheel_dependency_up
flywheel_redis_calls
flywheel_redis_connects_total
flywheel_redis_deadlines_total
flywheel_redis_fenced_writes_total
flywheel_redis_forked_streams_total
flywheel_redis_gaps_total
flywheel_redis_malformed_messages_total
flywheel_redis_probe_seconds
flywheel_redis_queue_bytes
flywheel_redis_switches_total
flywheel_shard_mailbox_bytes
";

fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

fn shown(metrics: &Metrics) -> BTreeSet<String> {
    let text = metrics.render();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Everything that can happen happens once.
fn eventful() -> Metrics {
    let metrics = Metrics::new("1.2.3");
    metrics.node.set_clients(1);
    metrics.node.set_users(2);
    metrics.node.set_subscriptions(3);
    metrics.node.set_channels(4);
    metrics.node.set_nodes(5);
    metrics.node.message_sent(MessageType::Join);
    metrics.node.message_received(MessageType::Leave);
    metrics.node.action(Action::AddClient);
    metrics.node.connection_limit_reached();
    metrics.node.publication_suppressed(SuppressReason::Version);
    metrics.client.server_disconnect(3012);
    metrics.client.server_unsubscribe(2500);
    metrics.transport.closed(Transport::Sse, 3008);
    metrics.api.answered(ApiProtocol::Http, ApiMethod::Publish, Duration::from_millis(3));
    metrics.api.failed(ApiProtocol::Grpc, ApiMethod::Rpc, ApiFailure::Code(107));
    metrics.api.failed(ApiProtocol::Http, ApiMethod::Batch, ApiFailure::Unmarshal);
    let calls = metrics.proxy.calls(ProxyProtocol::Http, ProxyEvent::SubRefresh, "billing");
    calls.begun();
    calls.begun();
    calls.failed();
    calls.ended(Duration::from_millis(5));
    metrics.own.set_mailbox_bytes(1, 77);
    metrics.own.set_memory_engine(1, 2, 3);
    metrics.own.publications_dropped(6);
    metrics.own.reloaded(ReloadOutcome::Refused);
    metrics.own.panicked();
    metrics.own.set_log_lines_lost(3);
    metrics.own.set_log_lines_lost(2);
    let link = LinkReading { server: "a:1".to_owned(), calls: 2, bytes: 8192 };
    metrics.redis.set(&[RedisReading {
        shard: "redis[0]".to_owned(),
        connects: 1,
        listens: 2,
        switches: 3,
        deadlines: 4,
        fenced: 5,
        forked: 6,
        gaps: 7,
        malformed: 8,
        write_probes: vec![Duration::from_millis(3), Duration::from_millis(240)],
        delivery_probes: vec![Duration::from_millis(2_400)],
        links: vec![link],
    }]);
    metrics.process.set(&ProcessReading {
        resident_bytes: Some(1_000),
        open_fds: Some(12),
        max_fds: Some(99),
        cpu_seconds: Some(1.5),
        start_time_seconds: Some(1.7e9),
    });
    let mut shard = ShardCounters::new(&metrics);
    shard.sent(Transport::WebSocket, FrameType::PushPublication, 3, 150);
    shard.received(Transport::WebSocket, FrameType::ClientPong, 2);
    shard.command(Method::Publish, Duration::from_millis(2));
    shard.reply_error(Method::Subscribe, 103);
    shard.pong(Transport::WebSocket, Duration::from_millis(30));
    shard.broadcast(MessageType::Publication, Duration::from_micros(40));
    shard.delivered(3);
    shard.written(180);
    shard.filtered(4);
    shard.connection_opened(KIND);
    shard.subscription_opened(true);
    shard.recovery(true, false);
    shard.gap_found();
    shard.gap_found();
    shard.gap_healed();
    shard.gap_given_up();
    shard.slow_consumer();
    let cluster = &metrics.cluster;
    cluster.set_ready(false);
    cluster.set_live(false);
    cluster.set_dependency("db", false);
    cluster.message_ignored(Ignored::NoRoom);
    cluster.handed_over();
    cluster.node_lost();
    shard.flush(&metrics);
    metrics
}

#[test]
fn the_series_without_events_are_those_that_dashboards_expect() {
    assert_eq!(shown(&Metrics::new("1")), names(ALWAYS).into_iter().map(str::to_owned).collect());
}

#[test]
fn the_names_are_the_golden_ones_and_each_is_declared_once() {
    let golden: BTreeSet<&str> = names(ALWAYS).union(&names(LATER)).copied().collect();
    let metrics = eventful();
    assert_eq!(shown(&metrics), golden.iter().map(|name| (*name).to_owned()).collect());
    let declared: Vec<&str> = metrics.declarations.iter().map(|declaration| declaration.name).collect();
    assert_eq!(declared.len(), golden.len());
    assert_eq!(declared.into_iter().collect::<BTreeSet<_>>(), golden);
}

#[test]
fn every_event_is_counted_where_it_belongs() {
    let text = eventful().render();
    let lines: BTreeSet<&str> = text.lines().collect();
    for line in r#"
flywheel_redis_connects_total{kind="command",shard="redis[0]"} 1
flywheel_redis_connects_total{kind="pubsub",shard="redis[0]"} 2
flywheel_redis_switches_total{shard="redis[0]"} 3
flywheel_redis_deadlines_total{shard="redis[0]"} 4
flywheel_redis_fenced_writes_total{shard="redis[0]"} 5
flywheel_redis_forked_streams_total{shard="redis[0]"} 6
flywheel_redis_gaps_total{shard="redis[0]"} 7
flywheel_redis_malformed_messages_total{shard="redis[0]"} 8
flywheel_redis_probe_seconds_bucket{probe="write",shard="redis[0]",le="0.0025"} 0
flywheel_redis_probe_seconds_bucket{probe="write",shard="redis[0]",le="0.005"} 1
flywheel_redis_probe_seconds_bucket{probe="write",shard="redis[0]",le="0.25"} 2
flywheel_redis_probe_seconds_sum{probe="write",shard="redis[0]"} 0.243
flywheel_redis_probe_seconds_count{probe="write",shard="redis[0]"} 2
flywheel_redis_probe_seconds_bucket{probe="delivery",shard="redis[0]",le="1"} 0
flywheel_redis_probe_seconds_bucket{probe="delivery",shard="redis[0]",le="2.5"} 1
flywheel_redis_calls{server="a:1",shard="redis[0]"} 2
flywheel_redis_queue_bytes{server="a:1",shard="redis[0]"} 8192
centrifugo_node_build{version="1.2.3"} 1
centrifugo_node_num_clients 1
centrifugo_node_num_users 2
centrifugo_node_num_subscriptions 3
centrifugo_node_num_channels 4
centrifugo_node_num_nodes 5
centrifugo_node_messages_sent_count{channel_namespace="",type="join"} 1
centrifugo_node_messages_sent_count{channel_namespace="",type="publication"} 0
centrifugo_node_messages_received_count{channel_namespace="",type="leave"} 1
centrifugo_node_action_count{action="add_client",channel_namespace=""} 1
centrifugo_node_client_connection_limit 1
centrifugo_node_broadcast_duration_seconds_count{channel_namespace="",type="publication"} 1
centrifugo_node_tags_filter_dropped_publications{channel_namespace=""} 4
centrifugo_broker_publish_suppressed_count{channel_namespace="",reason="version"} 1
centrifugo_client_connections_accepted{accept_protocol="",client_name="unregistered",client_version="unversioned",transport="websocket"} 1
centrifugo_client_connections_inflight{accept_protocol="",client_name="unregistered",client_version="unversioned",transport="websocket"} 1
centrifugo_client_subscriptions_inflight{channel_namespace="",client_name="unregistered"} 1
centrifugo_client_command_duration_seconds_histogram_count{channel_namespace="",method="publish"} 1
centrifugo_client_command_duration_seconds_histogram_sum{channel_namespace="",method="publish"} 0.002
centrifugo_client_command_duration_seconds_histogram_count{channel_namespace="",method="unknown"} 0
centrifugo_client_num_reply_errors{channel_namespace="",code="103",method="subscribe"} 1
centrifugo_client_num_server_disconnects{code="3012"} 1
centrifugo_client_num_server_unsubscribes{channel_namespace="",code="2500"} 1
centrifugo_client_recover{channel_namespace="",has_recovered_publications="no",recovered="yes"} 1
centrifugo_client_ping_pong_duration_seconds_count{transport="websocket"} 1
centrifugo_transport_messages_sent{channel_namespace="",frame_type="push_publication",transport="websocket"} 3
centrifugo_transport_messages_sent_size{channel_namespace="",frame_type="push_publication",transport="websocket"} 150
centrifugo_transport_messages_received{channel_namespace="",frame_type="client_pong",transport="websocket"} 1
centrifugo_transport_messages_received_size{channel_namespace="",frame_type="client_pong",transport="websocket"} 2
centrifugo_transport_outgoing_close_count{code="3008",transport="sse"} 1
centrifugo_api_command_duration_seconds_histogram_count{method="publish",protocol="http"} 1
centrifugo_api_command_errors_total{error="107",method="rpc",protocol="grpc"} 1
centrifugo_api_command_errors_total{error="unmarshal",method="batch",protocol="http"} 1
centrifugo_proxy_inflight_requests{name="billing",protocol="http",type="sub_refresh"} 1
centrifugo_proxy_errors{name="billing",protocol="http",type="sub_refresh"} 1
centrifugo_proxy_duration_seconds_histogram_count{name="billing",protocol="http",type="sub_refresh"} 1
flywheel_shard_mailbox_bytes{shard="1"} 77
flywheel_shard_mailbox_dropped_publications_total 6
flywheel_config_reloads_total{outcome="refused"} 1
flywheel_panics_total 1
flywheel_log_lines_lost_total 3
flywheel_ready 0
flywheel_live 0
flywheel_dependency_up{dependency="db"} 0
flywheel_hand_overs_total 1
flywheel_nodes_lost_total 1
flywheel_control_messages_ignored_total{reason="no_room"} 1
flywheel_memory_engine_bytes 1
flywheel_memory_engine_streams 2
flywheel_memory_engine_presence_entries 3
flywheel_deliveries_total 3
flywheel_socket_written_bytes_total 180
flywheel_gaps_found_total 2
flywheel_gaps_healed_total 1
flywheel_gaps_given_up_total 1
flywheel_slow_disconnects_total 1
process_resident_memory_bytes 1000
process_open_fds 12
process_max_fds 99
process_cpu_seconds_total 1.5
process_start_time_seconds 1700000000
"#
    .lines()
    .filter(|line| !line.is_empty())
    {
        assert!(lines.contains(line), "{line} is not in\n{text}");
    }
    let labelled = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!(labelled("centrifugo_transport_messages_sent{"), 1);
    assert_eq!(labelled("centrifugo_client_recover{"), 1);
    assert_eq!(labelled("centrifugo_client_subscriptions_inflight{"), 1);
}

#[test]
fn reading_the_process_twice_moves_its_counter_forward_only() {
    let metrics = Metrics::new("1");
    for seconds in [2.0, 1.0, 3.5] {
        metrics.process.set(&ProcessReading { cpu_seconds: Some(seconds), ..ProcessReading::default() });
    }
    assert!(metrics.render().contains("\nprocess_cpu_seconds_total 3.5\n"));
}

#[test]
fn two_servers_in_one_process_count_apart() {
    let (one, other) = (Metrics::new("1"), Metrics::new("2"));
    one.own.panicked();
    assert!(one.render().contains("\nflywheel_panics_total 1\n"));
    assert!(other.render().contains("\nflywheel_panics_total 0\n"));
}

#[test]
fn reading_redis_again_moves_counters_forward_only_and_forgets_servers() {
    let metrics = Metrics::new("1");
    let reading = |connects, server: &str| RedisReading {
        shard: "redis[0]".to_owned(),
        connects,
        links: vec![LinkReading { server: server.to_owned(), calls: 0, bytes: 0 }],
        ..RedisReading::default()
    };
    metrics.redis.set(&[reading(5, "old:1")]);
    metrics.redis.set(&[reading(4, "new:1")]);
    let text = metrics.render();
    assert!(
        text.contains("flywheel_redis_connects_total{kind=\"command\",shard=\"redis[0]\"} 5\n"),
        "{text}"
    );
    assert!(text.contains("new:1") && !text.contains("old:1"), "{text}");
    metrics.redis.set(&[reading(6, "new:1")]);
    assert!(metrics.render().contains("kind=\"command\",shard=\"redis[0]\"} 6\n"));
}
