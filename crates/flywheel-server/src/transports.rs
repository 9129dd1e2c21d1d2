//! Where clients connect, from the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use flywheel_config::{Config, ConnectStatuses, StreamEndpoint, WebSocketLimits};
use flywheel_protocol::Disconnect;
use flywheel_protocol::client::Transport;
use flywheel_transport::{ConnectionLimits, EmulationEndpoint, Endpoint, Farewell, Statuses};
use flywheel_websocket::Rules;

use crate::assemble::FOREVER;

pub(crate) fn endpoints(config: &Config) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    if !config.websocket.disabled {
        let compression = config.websocket.compression.is_some();
        let limits = limits(&config.websocket.limits);
        let endpoint = Endpoint::new(Transport::WebSocket, &config.websocket.handler_prefix);
        endpoints.push(Endpoint { compression, limits, ..endpoint });
    }
    for (transport, configured) in [
        (Transport::Sse, &config.sse),
        (Transport::HttpStream, &config.http_stream),
        (Transport::UniSse, &config.uni_sse),
        (Transport::UniHttpStream, &config.uni_http_stream),
    ] {
        endpoints.extend(configured.enabled.then(|| stream(transport, configured)));
    }
    let uni = &config.uni_websocket;
    if uni.enabled {
        let farewell =
            Farewell { push: !uni.disable_disconnect_push, close_frame: !uni.disable_closing_handshake };
        let compression = uni.compression.is_some();
        let limits = limits(&uni.limits);
        let endpoint = Endpoint::new(Transport::UniWebSocket, &uni.handler_prefix);
        endpoints.push(Endpoint { farewell, compression, limits, ..endpoint });
    }
    endpoints
}

fn limits(configured: &WebSocketLimits) -> Arc<ConnectionLimits> {
    Arc::new(ConnectionLimits {
        write_timeout: configured.write_timeout.unwrap_or(FOREVER),
        rules: Rules { max_message: configured.message_size_limit.unwrap_or(usize::MAX), ..Rules::default() },
        decompressed_max: configured.decompressed_message_size_limit.unwrap_or(usize::MAX),
    })
}

fn stream(transport: Transport, configured: &StreamEndpoint) -> Endpoint {
    Endpoint {
        body_bytes_max: configured.max_request_body_size.unwrap_or(usize::MAX),
        statuses: configured.connect_code_to_http_response.as_ref().map(statuses),
        ..Endpoint::new(transport, &configured.handler_prefix)
    }
}

fn statuses(configured: &ConnectStatuses) -> Arc<Statuses> {
    Arc::new(Statuses { by_code: configured.by_code.clone() })
}

/// Only for clients that have a stream to get answers on.
pub(crate) fn emulation(config: &Config) -> Option<EmulationEndpoint> {
    (config.sse.enabled || config.http_stream.enabled).then(|| EmulationEndpoint {
        path: config.emulation.handler_prefix.clone(),
        body_bytes_max: config.emulation.max_request_body_size.unwrap_or(usize::MAX),
    })
}

/// What clients that listen only are told instead of an error.
pub(crate) fn disconnects(config: &Config) -> BTreeMap<u32, Disconnect> {
    let configured = config.client.connect_code_to_unidirectional_disconnect.iter();
    configured
        .map(|(error, (code, reason))| (*error, Disconnect { code: *code, reason: reason.clone().into() }))
        .collect()
}
