//! Warnings about keys that do nothing yet.

use crate::Given;

#[test]
fn a_section_gets_one_warning_however_many_keys_are_set() {
    let given = Given::yaml("uni_grpc: {enabled: true, address: a, max_receive_message_size: 5}");
    let warning = "config.yaml: uni_grpc is not supported yet and has no effect (set: uni_grpc.enabled, uni_grpc.address, \
                   uni_grpc.max_receive_message_size)";
    assert_eq!(given.warnings(), warning);
    let given = Given::yaml("map_broker: {redis: {address: a, db: 1, user: u, password: p, prefix: x}}");
    let warning = "config.yaml: map_broker is not supported yet and has no effect (set: map_broker.redis.prefix, \
                   map_broker.redis.address, map_broker.redis.db and 2 more)";
    assert_eq!(given.warnings(), warning);
}

#[test]
fn a_section_that_is_off_and_a_key_at_its_default_get_none() {
    assert_eq!(Given::yaml("webtransport: {enabled: false, handler_prefix: /s}").warnings(), "");
    assert_eq!(Given::yaml("http_server: {tls: {cert_pem: x}}").warnings(), "");
    assert_eq!(Given::yaml("swagger: {handler_prefix: /swagger}").warnings(), "");
    assert_eq!(Given::yaml("consumers: [{name: off, type: kafka, kafka: {topics: a}}]").warnings(), "");
}

#[test]
fn a_single_key_is_named() {
    let given = Given::yaml("client: {channel_position_max_time_lag: 1s}")
        .env("FLYWHEEL_HTTP_SERVER_TLS_EXTERNAL", "true");
    assert_eq!(
        given.warnings(),
        "variable FLYWHEEL_HTTP_SERVER_TLS_EXTERNAL: http_server.tls_external is not \
         supported yet and has no effect\n\
         config.yaml: client.channel_position_max_time_lag is not supported yet and has no effect"
    );
}

#[test]
fn how_listeners_are_compressed_for_is_told_where_others_decide_it() {
    let warnings = |websocket: &str| {
        let listening = "{enabled: true, compression: true, compression_level: 9}";
        Given::yaml(&format!("websocket: {{{websocket}}}\nuni_websocket: {listening}")).warnings()
    };
    let told = "config.yaml: uni_websocket.compression_level: a message is compressed once for both endpoints, as \
                websocket.compression_level says: 1";
    assert_eq!(warnings("compression: true, compression_min_size: 100"), told);
    assert_eq!(warnings("compression: true, compression_level: 9"), "");
    assert_eq!(warnings("compression: true, disabled: true"), "");
    assert_eq!(warnings("compression: false"), "");
}

#[test]
fn an_option_of_several_namespaces_gets_one_warning_that_names_them() {
    let text = "channel: {namespaces: [{name: chat, subscribe_stream_proxy_bidirectional: true}, {name: news, subscribe_stream_proxy_bidirectional: true}]}";
    assert_eq!(
        Given::yaml(text).warnings(),
        "config.yaml: channel.namespaces[].subscribe_stream_proxy_bidirectional is not supported yet and has no effect (set: \
         channel.namespaces[chat].subscribe_stream_proxy_bidirectional, channel.namespaces[news].subscribe_stream_proxy_bidirectional)"
    );
}

#[test]
fn lists_name_their_items() {
    let kafka = "enabled: true, type: kafka, kafka: {brokers: [a], topics: [t], consumer_group: g}";
    let text = &format!("consumers: [{{name: aa, {kafka}}}, {{name: bb, {kafka}}}]");
    let warning =
        "config.yaml: consumers is not supported yet and has no effect (set: consumers[aa], consumers[bb])";
    assert_eq!(Given::yaml(text).warnings(), warning);
}

#[test]
fn words_that_do_not_work_yet_are_named_with_their_key() {
    let given = Given::yaml(
        "shared_poll: {hmac_secret_key: s}\nchannel: {proxy: {shared_poll_refresh: {endpoint: a}}, namespaces: [{name: chat, subscription_type: shared_poll}]}",
    );
    let warning = "config.yaml: channel.namespaces[chat].subscription_type is not supported yet and has no effect \
                   (value \"shared_poll\"; \"stream\" is used instead)";
    assert!(given.warnings().contains(warning), "{}", given.warnings());
}

#[test]
fn tuning_of_what_is_not_there_passes_in_silence() {
    let text = "websocket: {read_buffer_size: 512, write_buffer_size: 512, use_write_buffer_pool: true}\n\
                usage_stats: {disabled: true}";
    assert_eq!(Given::yaml(text).warnings(), "");
}

#[test]
fn keys_of_the_commercial_edition_are_accepted() {
    let given = Given::yaml(
        "license: x\nclient: {rate_limit: {client_command: {enabled: true}}}\n\
         channel: {namespaces: [{name: chat, subscribe_cel: 'true'}]}",
    )
    .env("CENTRIFUGO_DATABASE_ENABLED", "true");
    assert_eq!(
        given.warnings(),
        "config.yaml: channel.namespaces[chat].subscribe_cel belongs to Centrifugo PRO and has no effect\n\
         config.yaml: client.rate_limit belongs to Centrifugo PRO and has no effect\n\
         config.yaml: license belongs to Centrifugo PRO and has no effect\n\
         variable CENTRIFUGO_DATABASE_ENABLED: CENTRIFUGO_DATABASE_ENABLED belongs to Centrifugo PRO and has no effect"
    );
}

#[test]
fn a_grpc_backend_is_named_by_its_key() {
    let text = "client: {proxy: {connect: {enabled: true, endpoint: 'grpc://a:1'}}}\n\
                proxies: [{name: aa, endpoint: 'b:1', grpc: {compression: true}}]";
    assert_eq!(
        Given::yaml(text).warnings(),
        "config.yaml: proxies[aa].endpoint is not supported yet and has no effect (gRPC; what this backend would decide \
         is refused)\n\
         config.yaml: client.proxy.connect.endpoint is not supported yet and has no effect (gRPC; what this backend \
         would decide is refused)\n\
         config.yaml: proxies[].grpc is not supported yet and has no effect (set: proxies[aa].grpc.compression)"
    );
}
