use std::sync::Arc;

use bytes::Bytes;
use flywheel_model::{CallerHeaders, UserId};
use flywheel_node::Node;
use flywheel_protocol::client::Encoding;
use flywheel_websocket::{Deflate, Request};

use crate::application::Admission;
use crate::door::{Door, Pass};

/// What is remembered of a request until its connection is opened.
#[derive(Debug)]
pub struct Welcome {
    pub(crate) encoding: Encoding,
    pub(crate) app_pings: bool,
    pub(crate) trusted_user: Option<UserId>,
    pub(crate) headers: Option<Arc<CallerHeaders>>,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) pass: Pass,
}

const PROTOCOLS: [&str; 2] = ["centrifuge-json", "centrifuge-protobuf"];

/// Decides about a connection's request: is it for the WebSocket endpoint, and may it come in?
///
/// Source: client protocol, section 2.3.
pub(crate) fn welcome(door: &Arc<Door>, node: &Node, request: &Request<'_>) -> Admission<Welcome> {
    let settings = door.settings();
    if settings.websocket_path.as_deref() != Some(request.path()) {
        return Admission::Http;
    }
    let origin = request.header("origin").filter(|origin| !origin.is_empty());
    if let Some(origin) = origin {
        let origin = String::from_utf8_lossy(origin).to_lowercase();
        if !settings.origins.is_match(&origin) {
            tracing::info!(origin, "a connection from an origin that is not allowed was refused");
            return Admission::Refuse(403);
        }
    }
    if node.refuses_clients() {
        return Admission::Refuse(503);
    }
    let Ok(pass) = door.enter(node.clock().now().at) else {
        node.metrics().node.connection_limit_reached();
        return Admission::Refuse(503);
    };
    let query = request.query().unwrap_or_default();
    let asks = |pair: &str| query.split('&').any(|candidate| candidate == pair);
    let subprotocol = chosen_protocol(request);
    let protobuf =
        subprotocol == Some("centrifuge-protobuf") || asks("format=protobuf") || asks("cf_protocol=protobuf");
    let trusted_user = settings.user_id_header.as_deref().and_then(|name| request.header(name));
    let offers = || Deflate::accept(request.items("sec-websocket-extensions"));
    let deflate = settings.websocket_compression.then(offers).flatten();
    let context = Welcome {
        encoding: if protobuf { Encoding::Protobuf } else { Encoding::Json },
        app_pings: !asks("cf_ws_frame_ping_pong=true"),
        trusted_user: trusted_user.map(|user| UserId::from(String::from_utf8_lossy(user).as_ref())),
        headers: kept(request, &settings.kept_headers),
        deflate,
        pass,
    };
    Admission::WebSocket { subprotocol, deflate, context }
}

/// The headers whose names are wanted; `None` when the request has none of them.
fn kept(request: &Request<'_>, wanted: &[String]) -> Option<Arc<CallerHeaders>> {
    let is_wanted = |name: &str| wanted.iter().any(|known| known.eq_ignore_ascii_case(name));
    let headers = request.headers().filter(|(name, _)| is_wanted(name));
    let transport: Vec<_> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), Bytes::copy_from_slice(value))).collect();
    (!transport.is_empty()).then(|| Arc::new(CallerHeaders { transport, emulated: Vec::new() }))
}

/// The first of the client's subprotocols that is one of ours.
fn chosen_protocol(request: &Request<'_>) -> Option<&'static str> {
    request
        .items("sec-websocket-protocol")
        .find_map(|asked| PROTOCOLS.into_iter().find(|known| *known == asked))
}
