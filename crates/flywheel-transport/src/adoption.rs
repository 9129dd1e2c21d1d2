//! Connections that become WebSockets after they carried other requests, as behind a proxy that keeps them open.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flywheel_node::Node;
use flywheel_runtime::{Bell, Mailbox};
use flywheel_websocket::{Deflate, Limits, Request, Upgrade};

use crate::Door;
use crate::application::Admission;
use crate::welcome::{Welcome, welcome};

/// A connection whose handshake was answered elsewhere.
#[derive(Debug)]
pub struct Adoption<C> {
    pub(crate) stream: TcpStream,
    /// What was read behind the handshake.
    pub(crate) read: Vec<u8>,
    /// The compression that was confirmed.
    pub(crate) deflate: Option<Deflate>,
    pub(crate) context: C,
}

/// Where a shard finds connections to adopt.
pub type Adoptions<C> = Arc<Mailbox<Adoption<C>>>;

/// Adoptions that may wait for one shard.
const WAITING_MAX: usize = 1024;

/// An empty mailbox that rings `bell`.
pub fn adoptions<C>(bell: Arc<Bell>) -> Adoptions<C> {
    Arc::new(Mailbox::new(WAITING_MAX, bell))
}

/// Hands such connections to the shards, in turn.
pub struct Adopter {
    node: Arc<Node>,
    door: Arc<Door>,
    shards: Vec<Adoptions<Welcome>>,
    next: AtomicUsize,
}

/// What is answered to a request that may become a WebSocket.
pub enum Answer {
    /// It is for another endpoint.
    NotOurs,
    /// This status.
    Refused(u16),
    /// 101, with this key in `Sec-WebSocket-Accept` and perhaps a subprotocol and an extension; then the connection is to be adopted.
    Accepted(Accepted),
}

/// A connection that may be adopted once its handshake is answered.
pub struct Accepted {
    /// For `Sec-WebSocket-Accept`.
    pub accept: String,
    /// For `Sec-WebSocket-Protocol`.
    pub subprotocol: Option<&'static str>,
    /// For `Sec-WebSocket-Extensions`.
    pub extensions: Option<&'static str>,
    deflate: Option<Deflate>,
    context: Welcome,
    shard: Adoptions<Welcome>,
}

impl Adopter {
    /// Hands connections to `shards`.
    pub fn new(node: Arc<Node>, door: Arc<Door>, shards: Vec<Adoptions<Welcome>>) -> Self {
        Self { node, door, shards, next: AtomicUsize::new(0) }
    }

    /// Decides about a request, given its head as it stands on the wire.
    pub fn decide(&self, head: &[u8]) -> Answer {
        let Ok(Some(request)) = Request::parse(head, Limits::default()) else {
            return Answer::Refused(400);
        };
        match welcome(&self.door, &self.node, &request) {
            Admission::Http => Answer::NotOurs,
            Admission::Refuse(status) => Answer::Refused(status),
            Admission::WebSocket { subprotocol, deflate, context } => {
                let next = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len().max(1);
                match (Upgrade::check(&request), self.shards.get(next)) {
                    (Ok(upgrade), Some(shard)) => Answer::Accepted(Accepted {
                        accept: String::from_utf8_lossy(&upgrade.accept()).into_owned(),
                        subprotocol,
                        extensions: deflate.map(Deflate::response),
                        deflate,
                        context,
                        shard: Arc::clone(shard),
                    }),
                    _ => Answer::Refused(400),
                }
            }
        }
    }
}

impl Accepted {
    /// The handshake is answered: the shard takes the connection over, of which `read` has been read behind it.
    pub fn adopt(self, stream: TcpStream, read: Vec<u8>) {
        let Self { deflate, context, shard, .. } = self;
        if shard.push(Adoption { stream, read, deflate, context }, 1).is_err() {
            tracing::warn!("a WebSocket was dropped: too many wait to be adopted");
        }
    }
}
