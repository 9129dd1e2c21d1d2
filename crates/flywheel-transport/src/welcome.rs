use std::sync::Arc;

use bytes::Bytes;
use flywheel_model::{CallerHeaders, UserId};
use flywheel_node::Node;
use flywheel_protocol::client::{ConnectRequest, Encoding, Transport, connect_request};
use flywheel_websocket::{Deflate, Request};

use crate::ConnectionLimits;
use crate::application::Admission;
use crate::cors::{cors_headers, origin, origin_allowed};
use crate::door::{Door, DoorSettings, Pass};
use crate::endpoint::{Endpoint, Farewell, Statuses};
use crate::query::parameter;
use crate::response::{header_lines, stream_head};

/// What is remembered of a request until its connection is opened.
#[derive(Debug)]
pub struct Welcome {
    pub(crate) transport: Transport,
    pub(crate) encoding: Encoding,
    pub(crate) app_pings: bool,
    pub(crate) trusted_user: Option<UserId>,
    pub(crate) headers: Option<Arc<CallerHeaders>>,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) pass: Pass,
    /// What came with the request.
    pub(crate) first: First,
    /// `None` for a WebSocket, whose handshake is answered elsewhere.
    pub(crate) response: Option<Response>,
    pub(crate) farewell: Farewell,
    pub(crate) limits: Arc<ConnectionLimits>,
}

/// The response that a stream is the body of.
#[derive(Debug)]
pub(crate) struct Response {
    /// All of it before the body.
    pub head: Vec<u8>,
    pub chunked: bool,
    /// See [`Endpoint::statuses`].
    pub statuses: Option<Arc<Statuses>>,
    /// Header lines of an answer with one of these statuses.
    pub cors: String,
}

/// What came with the request that opened a connection.
#[derive(Debug)]
pub(crate) enum First {
    Nothing,
    /// Commands.
    Frame(Vec<u8>),
    /// All that the client will ever say.
    Connect(Box<ConnectRequest>),
}

const PROTOCOLS: [&str; 2] = ["centrifuge-json", "centrifuge-protobuf"];

/// Decides about a connection's first request, behind which `rest` was read. Requests that need more than that, an answer
/// without a stream for example, are left to the HTTP server, which comes back to [`stream`].
pub(crate) fn welcome(
    door: &Arc<Door>,
    node: &Node,
    request: &Request<'_>,
    rest: &[u8],
) -> Admission<Welcome> {
    let settings = door.settings();
    let Some(endpoint) = settings.endpoint(request.path()) else {
        return Admission::Http;
    };
    if endpoint.transport.is_websocket() {
        return websocket(door, node, &settings, endpoint, request);
    }
    let length = match body_length(request) {
        Some(length) if length <= rest.len() && length <= endpoint.body_bytes_max => length,
        _ => return Admission::Http,
    };
    if !allows(endpoint.transport, request.method()) || request.header("expect").is_some() {
        return Admission::Http;
    }
    // A client that has sent its next request already gets no answer to it on this connection.
    let alone = length == rest.len();
    match stream(door, node, &settings, endpoint, request, &rest[..length]) {
        Ok(context) => {
            let reusable = alone && keeps_connection(request);
            Admission::Stream { reusable, context }
        }
        Err(status) => Admission::Refuse(status),
    }
}

/// Length of a request's body; `None` when it is not told.
fn body_length(request: &Request<'_>) -> Option<usize> {
    if request.header("transfer-encoding").is_some() {
        return None;
    }
    let mut lengths = request.values("content-length");
    let length = match lengths.next() {
        None => 0,
        Some(length) => std::str::from_utf8(length).ok()?.parse().ok()?,
    };
    lengths.next().is_none().then_some(length)
}

/// Whether requests of this method begin a stream.
///
/// Source: client protocol, sections 8.1 and 9.
pub(crate) fn allows(transport: Transport, method: &str) -> bool {
    match transport {
        Transport::WebSocket | Transport::UniWebSocket => method == "GET",
        Transport::Sse | Transport::UniSse => matches!(method, "GET" | "POST"),
        Transport::HttpStream | Transport::UniHttpStream => method == "POST",
    }
}

/// Whether the connection can carry another request after this one.
pub(crate) fn keeps_connection(request: &Request<'_>) -> bool {
    request.minor_version() >= 1 && !request.has_token("connection", "close")
}

/// Lets a client in whose messages will be the body of a response. `body` is that of its request.
///
/// # Errors
/// The status of the answer.
///
/// Source: client protocol, sections 8.1 and 9.
pub(crate) fn stream(
    door: &Arc<Door>,
    node: &Node,
    settings: &DoorSettings,
    endpoint: &Endpoint,
    request: &Request<'_>,
    body: &[u8],
) -> Result<Welcome, u16> {
    let transport = endpoint.transport;
    let asked = match request.method() {
        "GET" => parameter(request.query(), "cf_connect").map(String::into_bytes),
        _ => Some(body.to_vec()),
    };
    let first = match asked {
        None if transport == Transport::UniSse => First::Connect(Box::default()),
        None => return Err(400),
        Some(text) if transport.is_unidirectional() => {
            First::Connect(Box::new(connect_request(&text).map_err(|_| 400u16)?))
        }
        Some(frame) => First::Frame(frame),
    };
    let protobuf = transport == Transport::HttpStream && is_protobuf(request);
    let encoding = if protobuf { Encoding::Protobuf } else { Encoding::Json };
    let pass = enter(door, node)?;
    let chunked = request.minor_version() >= 1;
    let response = Response {
        head: stream_head(settings, request, transport, encoding, chunked),
        chunked,
        statuses: endpoint.statuses.clone(),
        cors: header_lines(&cors_headers(&settings.origins, request)),
    };
    Ok(Welcome {
        transport,
        encoding,
        app_pings: true,
        trusted_user: trusted_user(settings, request),
        headers: kept(request, &settings.kept_headers),
        deflate: None,
        pass,
        first,
        response: Some(response),
        farewell: Farewell::default(),
        limits: Arc::clone(&endpoint.limits),
    })
}

/// Whether a body is Protobuf; parameters of the media type do not count.
pub(crate) fn is_protobuf(request: &Request<'_>) -> bool {
    let content_type = request.header("content-type").unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/octet-stream")
}

fn enter(door: &Arc<Door>, node: &Node) -> Result<Pass, u16> {
    if node.refuses_clients() {
        return Err(503);
    }
    door.enter(node.clock().now().at).map_err(|_| {
        node.metrics().node.connection_limit_reached();
        503
    })
}

fn trusted_user(settings: &DoorSettings, request: &Request<'_>) -> Option<UserId> {
    let name = settings.user_id_header.as_deref()?;
    Some(UserId::from(String::from_utf8_lossy(request.header(name)?).as_ref()))
}

/// Source: client protocol, sections 2.3 and 9.
fn websocket(
    door: &Arc<Door>,
    node: &Node,
    settings: &DoorSettings,
    endpoint: &Endpoint,
    request: &Request<'_>,
) -> Admission<Welcome> {
    if !origin_allowed(&settings.origins, request) {
        let origin = origin(request).unwrap_or_default();
        tracing::info!(origin, "a connection from an origin that is not allowed was refused");
        return Admission::Refuse(403);
    }
    let one_way = endpoint.transport == Transport::UniWebSocket;
    let first = match parameter(request.query(), "cf_connect").filter(|text| one_way && text != "null") {
        None => First::Nothing,
        Some(text) => match connect_request(text.as_bytes()) {
            Ok(request) => First::Connect(Box::new(request)),
            Err(_) => return Admission::Refuse(400),
        },
    };
    let pass = match enter(door, node) {
        Ok(pass) => pass,
        Err(status) => return Admission::Refuse(status),
    };
    let query = request.query().unwrap_or_default();
    let asks = |pair: &str| !one_way && query.split('&').any(|candidate| candidate == pair);
    let subprotocol = chosen_protocol(request).filter(|_| !one_way);
    let protobuf =
        subprotocol == Some("centrifuge-protobuf") || asks("format=protobuf") || asks("cf_protocol=protobuf");
    let offers = || Deflate::accept(request.items("sec-websocket-extensions"));
    let deflate = endpoint.compression.then(offers).flatten();
    let context = Welcome {
        transport: endpoint.transport,
        encoding: if protobuf { Encoding::Protobuf } else { Encoding::Json },
        app_pings: !asks("cf_ws_frame_ping_pong=true"),
        trusted_user: trusted_user(settings, request),
        headers: kept(request, &settings.kept_headers),
        deflate,
        pass,
        first,
        response: None,
        farewell: endpoint.farewell,
        limits: Arc::clone(&endpoint.limits),
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
