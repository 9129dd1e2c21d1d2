//! The first request of a connection, and what a shard answers before the connection is a WebSocket.

use std::net::TcpStream;
use std::os::fd::OwnedFd;

use flywheel_websocket::{
    Closing, Decoder, Deflate, Head, Limits, Request, Upgrade, write_bad_request, write_response,
};

use super::{Handoff, Reactor};
use crate::application::{Admission, Application};
use crate::response::write_closing;
use crate::socket::{Afterwards, Handshake, Open, Stage};

/// What was decided about a first request.
enum Outcome<C> {
    Http,
    Stream { reusable: bool, context: C },
    Answered { refused: Option<u16>, context: Option<(C, Option<Deflate>)> },
}

impl<A: Application> Reactor<A> {
    /// Part of the first request, or all of it.
    pub(super) fn handshake(&mut self, slot: u32, bytes: &mut [u8]) {
        let Some(Stage::Handshake(begun)) = self.io.socket(slot).map(|socket| &mut socket.stage) else {
            return;
        };
        let Some(mut begun) = begun.take() else {
            // Nearly always the request comes in one piece: parsed where it was read, nothing is kept.
            match Request::parse(bytes, Limits::default()) {
                Ok(Some(request)) => {
                    let length = request.head_len();
                    let outcome = self.request(slot, &request, &bytes[length..]);
                    return self.act(slot, outcome, bytes, length);
                }
                Ok(None) => {
                    let mut head = Head::new(Limits::default());
                    // The same bytes again, so that the next piece is looked at only where it is new.
                    if head.parse(bytes).is_ok()
                        && let Some(Stage::Handshake(begun)) =
                            self.io.socket(slot).map(|socket| &mut socket.stage)
                    {
                        *begun = Some(Box::new(Handshake { head, bytes: bytes.to_vec() }));
                    }
                    return;
                }
                Err(error) => return self.refuse(slot, error.status()),
            }
        };
        begun.bytes.extend_from_slice(bytes);
        let Handshake { head, bytes } = &mut *begun;
        match head.parse(bytes) {
            Ok(None) => {
                if let Some(Stage::Handshake(place)) = self.io.socket(slot).map(|socket| &mut socket.stage) {
                    *place = Some(begun);
                }
            }
            Ok(Some(request)) => {
                let length = request.head_len();
                let outcome = self.request(slot, &request, &bytes[length..]);
                self.act(slot, outcome, &mut begun.bytes, length);
            }
            Err(error) => self.refuse(slot, error.status()),
        }
    }

    /// Decides about a complete request; everything that borrows from it is done here.
    fn request(&mut self, slot: u32, request: &Request<'_>, rest: &[u8]) -> Outcome<A::Context> {
        match self.app.admit(request, rest) {
            Admission::Http => Outcome::Http,
            Admission::Stream { reusable, context } => Outcome::Stream { reusable, context },
            Admission::Refuse(status) => Outcome::Answered { refused: Some(status), context: None },
            Admission::WebSocket { subprotocol, deflate, context } => {
                let outbox = self.app.outbox();
                outbox.open(slot);
                match Upgrade::check(request) {
                    Ok(upgrade) => {
                        let extensions = deflate.map(Deflate::response);
                        let span = outbox.append(|arena| {
                            write_response(arena, &upgrade.accept(), subprotocol, extensions);
                        });
                        // The queue of a new connection has room for a response.
                        outbox.push(slot, span).unwrap_or_default();
                        Outcome::Answered { refused: None, context: Some((context, deflate)) }
                    }
                    Err(error) => {
                        let span = outbox.append(|arena| write_bad_request(arena, error));
                        outbox.push(slot, span).unwrap_or_default();
                        Outcome::Answered { refused: Some(400), context: None }
                    }
                }
            }
        }
    }

    fn act(&mut self, slot: u32, outcome: Outcome<A::Context>, bytes: &mut [u8], head_length: usize) {
        match outcome {
            Outcome::Http => self.hand_off(slot, bytes),
            Outcome::Stream { reusable, context } => {
                self.app.outbox().open(slot);
                let limits = self.limits(&context);
                if let Some(socket) = self.io.socket(slot) {
                    socket.limits = limits;
                    socket.stage = Stage::Stream { reusable };
                    let key = socket.key;
                    self.app.opened(&mut self.io, key, context);
                }
            }
            Outcome::Answered { context: Some((context, deflate)), .. } => {
                let limits = self.limits(&context);
                let open = Self::new_websocket(&limits, deflate);
                let Some(socket) = self.io.socket(slot) else {
                    return;
                };
                socket.limits = limits;
                socket.stage = open;
                let key = socket.key;
                self.app.opened(&mut self.io, key, context);
                if bytes.len() > head_length {
                    self.frames(slot, &mut bytes[head_length..]);
                }
            }
            Outcome::Answered { refused, context: None } => {
                // A bad request has its answer in the queue already.
                if self.app.outbox().queued(slot) == 0 {
                    self.refuse(slot, refused.unwrap_or(400));
                } else {
                    self.say_goodbye(slot);
                }
            }
        }
    }

    fn refuse(&mut self, slot: u32, status: u16) {
        let outbox = self.app.outbox();
        outbox.open(slot);
        let span = outbox.append(|arena| write_closing(arena, status, "", ""));
        outbox.push(slot, span).unwrap_or_default();
        self.say_goodbye(slot);
    }

    /// What is queued is the last that a connection gets before it became a WebSocket.
    fn say_goodbye(&mut self, slot: u32) {
        if let Some(socket) = self.io.socket(slot) {
            socket.stage = Stage::Open(Open {
                decoder: Decoder::new(self.settings.limits.rules),
                closing: Closing::Done,
            });
            socket.ended = true;
            socket.afterwards = Afterwards::Linger;
            if let Some(open) = socket.open() {
                open.decoder.close();
            }
        }
    }

    fn hand_off(&mut self, slot: u32, bytes: &[u8]) {
        let Some(socket) = self.io.remove(slot) else {
            return;
        };
        let stream = TcpStream::from(OwnedFd::from(socket.stream));
        if !(self.handoff)(Handoff { stream, read: bytes.to_vec() }) {
            tracing::warn!("an HTTP connection was dropped: too many wait to be served");
        }
    }

    /// Connections whose response has ended take their next request, as HTTP has it. Not from a server that stops.
    pub(super) fn reuse(&mut self) {
        for slot in std::mem::take(&mut self.io.answered) {
            match self.io.socket(slot).map(|socket| &socket.stage) {
                Some(Stage::Stream { reusable: true }) if self.listener.is_some() => {
                    self.hand_off(slot, &[]);
                    self.app.gone(slot);
                }
                Some(Stage::Stream { .. }) => self.io.linger(slot),
                _ => {}
            }
        }
    }
}
