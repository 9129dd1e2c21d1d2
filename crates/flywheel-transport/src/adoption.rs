use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use flywheel_node::{Node, NotEmulated};
use flywheel_protocol::client::{Emulation, Encoding};
use flywheel_runtime::{Bell, Mailbox};
use flywheel_websocket::{Deflate, Limits, Request, Upgrade};

use crate::Door;
use crate::application::Admission;
use crate::cors::{Header, cors_headers, preflight_headers};
use crate::welcome::{Welcome, allows, is_protobuf, keeps_connection, stream, welcome};

/// A connection whose first request was read elsewhere.
#[derive(Debug)]
pub struct Adoption<C> {
    pub(crate) stream: TcpStream,
    /// What was read behind the request.
    pub(crate) read: Vec<u8>,
    /// The compression that was confirmed.
    pub(crate) deflate: Option<Deflate>,
    pub(crate) context: C,
    /// `None` for a WebSocket, whose handshake is answered. Otherwise the response is still to come, and this tells
    /// whether the connection may carry another request afterwards.
    pub(crate) response: Option<bool>,
}

/// Where a shard finds connections to adopt.
pub type Adoptions<C> = Arc<Mailbox<Adoption<C>>>;

/// Adoptions that may wait for one shard.
const WAITING_MAX: usize = 1024;

/// An empty mailbox that rings `bell`.
pub fn adoptions<C>(bell: Arc<Bell>) -> Adoptions<C> {
    Arc::new(Mailbox::new(WAITING_MAX, bell))
}

/// Answers requests to the endpoints of clients on connections that no shard has, and hands those that become WebSockets
/// or streams to the shards, in turn.
pub struct Adopter {
    node: Arc<Node>,
    door: Arc<Door>,
    shards: Vec<Adoptions<Welcome>>,
    next: AtomicUsize,
}

/// What is answered to a request.
pub enum Answer {
    /// It is for another endpoint.
    NotOurs,
    /// This status, with these headers and no body.
    Status(u16, Vec<Header>),
    /// 101, with this key in `Sec-WebSocket-Accept` and perhaps a subprotocol and an extension; then the connection is
    /// to be adopted.
    Accepted(Accepted),
    /// Its body must be read first. One that is longer than so many bytes is answered with 413 and these headers.
    Body(usize, Vec<Header>, AfterHead),
    /// The connection is to be adopted at once; the response comes from there.
    Stream(Accepted),
}

/// A connection that may be adopted.
pub struct Accepted {
    /// For `Sec-WebSocket-Accept`.
    pub accept: String,
    /// For `Sec-WebSocket-Protocol`.
    pub subprotocol: Option<&'static str>,
    /// For `Sec-WebSocket-Extensions`.
    pub extensions: Option<&'static str>,
    deflate: Option<Deflate>,
    context: Welcome,
    response: Option<bool>,
    shard: Adoptions<Welcome>,
}

/// A request whose body is awaited.
pub struct AfterHead {
    head: Vec<u8>,
    headers: Vec<Header>,
}

impl Adopter {
    /// Hands connections to `shards`.
    pub fn new(node: Arc<Node>, door: Arc<Door>, shards: Vec<Adoptions<Welcome>>) -> Self {
        Self { node, door, shards, next: AtomicUsize::new(0) }
    }

    /// Whether requests for `path` are to be decided about here.
    pub fn concerns(&self, path: &str) -> bool {
        let settings = self.door.settings();
        settings.endpoint(path).is_some()
            || settings.emulation.as_ref().is_some_and(|emulation| emulation.path == path)
    }

    /// Decides about a request, given its head as it stands on the wire.
    pub fn decide(&self, head: &[u8]) -> Answer {
        let Ok(Some(request)) = Request::parse(head, Limits::default()) else {
            return Answer::Status(400, Vec::new());
        };
        let settings = self.door.settings();
        let headers = cors_headers(&settings.origins, &request);
        let body_of = |limit| {
            let after = AfterHead { head: head.to_vec(), headers: headers.clone() };
            Answer::Body(limit, headers.clone(), after)
        };
        let emulation = settings.emulation.as_ref().filter(|emulation| emulation.path == request.path());
        let preflight = |asked: bool| asked && request.method() == "OPTIONS";
        if let Some(emulation) = emulation {
            return match request.method() {
                "POST" => body_of(emulation.body_bytes_max),
                "OPTIONS" => Answer::Status(204, preflight_headers(&settings.origins, &request)),
                _ => Answer::Status(405, headers),
            };
        }
        let Some(endpoint) = settings.endpoint(request.path()) else {
            return Answer::NotOurs;
        };
        if endpoint.transport.is_websocket() {
            return self.upgrade(&request);
        }
        if preflight(!allows(endpoint.transport, "GET")) {
            return Answer::Status(204, preflight_headers(&settings.origins, &request));
        }
        match request.method() {
            "POST" => body_of(endpoint.body_bytes_max),
            method if allows(endpoint.transport, method) => {
                match stream(&self.door, &self.node, &settings, endpoint, &request, &[]) {
                    Ok(context) => match self.accepted(context, Some(keeps_connection(&request))) {
                        Some(accepted) => Answer::Stream(accepted),
                        None => Answer::Status(503, headers),
                    },
                    Err(status) => Answer::Status(status, headers),
                }
            }
            _ => Answer::Status(405, headers),
        }
    }

    /// Goes on with a request whose body has come.
    pub async fn decide_with(&self, after: AfterHead, body: Bytes) -> Answer {
        let AfterHead { head, headers } = after;
        let settings = self.door.settings();
        let emulation = {
            let Ok(Some(request)) = Request::parse(&head, Limits::default()) else {
                return Answer::Status(400, headers);
            };
            if let Some(endpoint) = settings.endpoint(request.path()) {
                return match stream(&self.door, &self.node, &settings, endpoint, &request, &body) {
                    Ok(context) => match self.accepted(context, Some(keeps_connection(&request))) {
                        Some(accepted) => Answer::Stream(accepted),
                        None => Answer::Status(503, headers),
                    },
                    Err(status) => Answer::Status(status, headers),
                };
            }
            let encoding = if is_protobuf(&request) { Encoding::Protobuf } else { Encoding::Json };
            Emulation::read(&body, encoding)
        };
        let Ok(emulation) = emulation else {
            return Answer::Status(400, headers);
        };
        let status = match self.node.emulate(emulation).await {
            Ok(()) => 204,
            Err(NotEmulated::UnknownNode) => 404,
            Err(NotEmulated::Failed) => 500,
        };
        Answer::Status(status, headers)
    }

    fn upgrade(&self, request: &Request<'_>) -> Answer {
        match welcome(&self.door, &self.node, request, &[]) {
            Admission::Http | Admission::Stream { .. } => Answer::NotOurs,
            Admission::Refuse(status) => Answer::Status(status, Vec::new()),
            Admission::WebSocket { subprotocol, deflate, context } => {
                let bad = || Answer::Status(400, vec![("Sec-WebSocket-Version", "13".to_owned())]);
                let Ok(upgrade) = Upgrade::check(request) else {
                    return bad();
                };
                let accept = String::from_utf8_lossy(&upgrade.accept()).into_owned();
                match self.accepted(context, None) {
                    Some(accepted) => Answer::Accepted(Accepted {
                        accept,
                        subprotocol,
                        extensions: deflate.map(Deflate::response),
                        deflate,
                        ..accepted
                    }),
                    None => bad(),
                }
            }
        }
    }

    fn accepted(&self, context: Welcome, response: Option<bool>) -> Option<Accepted> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len().max(1);
        let shard = Arc::clone(self.shards.get(next)?);
        let (accept, subprotocol, extensions, deflate) = (String::new(), None, None, None);
        Some(Accepted { accept, subprotocol, extensions, deflate, context, response, shard })
    }
}

impl Accepted {
    /// The shard takes the connection over, of which `read` has been read behind the request.
    pub fn adopt(self, stream: TcpStream, read: Vec<u8>) {
        let Self { deflate, context, response, shard, .. } = self;
        if shard.push(Adoption { stream, read, deflate, context, response }, 1).is_err() {
            tracing::warn!("a connection was dropped: too many wait to be adopted");
        }
    }
}
