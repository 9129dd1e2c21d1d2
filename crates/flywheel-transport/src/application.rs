use std::sync::Arc;
use std::time::Duration;

use flywheel_hub::{ClientKey, Outbox};
use flywheel_model::Now;
use flywheel_websocket::{Deflate, MessageKind, Request};

use crate::{ConnectionLimits, Io};

/// What becomes of a connection's first request.
#[derive(Debug)]
pub enum Admission<C> {
    /// It becomes a WebSocket, if it is a good request for one. The value is kept until the connection is opened.
    WebSocket {
        /// The subprotocol to confirm, if any.
        subprotocol: Option<&'static str>,
        /// The compression to confirm, if any: messages may come compressed, and arrive as they were before.
        deflate: Option<Deflate>,
        /// What the application remembers of the request.
        context: C,
    },
    /// It is answered with a response that does not end; the application writes all of it.
    Stream {
        /// Whether the connection may carry another request afterwards.
        reusable: bool,
        /// What the application remembers of the request.
        context: C,
    },
    /// It is answered with this status and closed.
    Refuse(u16),
    /// It is no business of the shard's: ordinary HTTP.
    Http,
}

/// What runs on a [`Reactor`](crate::Reactor). Called on the reactor's thread only, and must not block it.
pub trait Application {
    /// What is remembered of a request until its connection is opened.
    type Context;

    /// The head of a connection's first request is complete; `rest` was read behind it.
    fn admit(&mut self, request: &Request<'_>, rest: &[u8]) -> Admission<Self::Context>;

    /// What the connection may do of whose request this is remembered; `None` leaves it at the reactor's settings. Asked
    /// before it is [`opened`](Self::opened).
    fn limits(&self, _context: &Self::Context) -> Option<Arc<ConnectionLimits>> {
        None
    }

    /// The connection is a WebSocket now, or the response that does not end may begin.
    fn opened(&mut self, io: &mut Io, key: ClientKey, context: Self::Context);

    /// A message came.
    fn message(&mut self, io: &mut Io, slot: u32, kind: MessageKind, payload: &[u8]);

    /// A WebSocket control pong came.
    fn pong(&mut self, _io: &mut Io, _slot: u32) {}

    /// The connection is over: nothing more will come. What is queued may still go out.
    fn ended(&mut self, io: &mut Io, slot: u32);

    /// The socket is closed; the slot will be used again. Follows [`ended`](Self::ended).
    fn gone(&mut self, slot: u32);

    /// Once per turn, before the flush: mail and timers.
    fn turn(&mut self, io: &mut Io);

    /// How long the reactor may sleep; `None` as long as nothing comes.
    fn idle(&self, now: Now) -> Option<Duration>;

    /// Where bytes for the clients are queued. The reactor opens a connection's queue; the application closes it when
    /// the connection is [`gone`](Self::gone).
    fn outbox(&mut self) -> &mut Outbox;
}
