//! Frames of open WebSockets.

use flywheel_websocket::{
    Closing, Decoder, Deflate, Event, Inflater, Input, MessageKind, ProtocolError, Rules, Utf8, write_pong,
};

use super::Reactor;
use crate::ConnectionLimits;
use crate::application::Application;
use crate::socket::{Afterwards, Open, Stage};

impl<A: Application> Reactor<A> {
    pub(super) fn new_websocket(limits: &ConnectionLimits, deflate: Option<Deflate>) -> Stage {
        let rules = Rules { compression: deflate.is_some(), ..limits.rules };
        Stage::Open(Open { decoder: Decoder::new(rules), closing: Closing::Open })
    }

    /// Frames of an open WebSocket.
    pub(super) fn frames(&mut self, slot: u32, bytes: &mut [u8]) {
        let Some(open) = self.io.socket(slot).and_then(|socket| socket.open()) else {
            return;
        };
        // The decoder is out of its place while the application works with the connection.
        let mut decoder = std::mem::replace(&mut open.decoder, Decoder::new(self.settings.limits.rules));
        let mut input = Input::new(bytes);
        loop {
            let event = match decoder.poll_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    self.fail(slot, error);
                    break;
                }
            };
            let Some(socket) = self.io.socket(slot) else {
                break;
            };
            let Some(open) = socket.open() else {
                break;
            };
            match event {
                Event::Message { .. } if !open.closing.may_send() => {}
                Event::Message { kind, payload, compressed: false } => {
                    self.app.message(&mut self.io, slot, kind, payload);
                }
                Event::Message { kind, payload, compressed: true } => {
                    let inflater = self.inflater.get_or_insert_default();
                    match inflate(inflater, &socket.limits, kind, payload) {
                        Ok(message) => self.app.message(&mut self.io, slot, kind, message),
                        Err(error) => {
                            self.fail(slot, error);
                            decoder.close();
                        }
                    }
                }
                Event::Ping(payload) => {
                    if open.closing.may_send() {
                        let outbox = self.app.outbox();
                        let span = outbox.append(|arena| write_pong(arena, payload));
                        if outbox.push(slot, span).is_err() {
                            self.io.dead.push(slot);
                        }
                    }
                }
                Event::Pong(_) => self.app.pong(&mut self.io, slot),
                Event::Close { code, .. } => {
                    let outbox = self.app.outbox();
                    let answers = open.closing.may_send();
                    let span = outbox.append(|arena| open.closing.handle_close(arena, code));
                    socket.afterwards = Afterwards::Close;
                    // Without anything left to write there is no flush that would close it.
                    if !answers && outbox.queued(slot) == 0 || outbox.push(slot, span).is_err() {
                        self.io.dead.push(slot);
                    }
                    self.end(slot);
                }
            }
        }
        if let Some(open) = self.io.socket(slot).and_then(|socket| socket.open()) {
            open.decoder = decoder;
        }
    }

    /// The peer broke the protocol: says so, and waits for nothing more.
    fn fail(&mut self, slot: u32, error: ProtocolError) {
        let outbox = self.app.outbox();
        let Some(socket) = self.io.socket(slot) else {
            return;
        };
        socket.afterwards = Afterwards::Linger;
        let Some(open) = socket.open() else {
            return;
        };
        let span = outbox.append(|arena| open.closing.fail(arena, error.close_code()));
        if outbox.push(slot, span).is_err() {
            self.io.dead.push(slot);
        }
        self.end(slot);
    }
}

/// The message behind a compressed payload, checked as it would have been without compression.
fn inflate<'i>(
    inflater: &'i mut Inflater,
    limits: &ConnectionLimits,
    kind: MessageKind,
    payload: &[u8],
) -> Result<&'i [u8], ProtocolError> {
    let message = inflater.inflate(payload, limits.decompressed_max)?;
    let checked = kind == MessageKind::Text && limits.rules.utf8 == Utf8::Check;
    if checked && std::str::from_utf8(message).is_err() {
        return Err(ProtocolError::InvalidUtf8);
    }
    Ok(message)
}
