use std::ops::Range;

use crate::header::Header;
use crate::partial::{Complete, Partial};
use crate::{CloseCode, Event, Input, MessageKind, Opcode, ProtocolError, Rules, Utf8, apply_mask};

/// Decodes the frames of one connection.
///
/// 32 bytes while the peer is between frames; memory is allocated only for a frame that a read has cut and for the
/// fragments of a message, as their bytes arrive and never on the word of a length.
#[derive(Debug)]
pub struct Decoder {
    rules: Rules,
    closed: bool,
    partial: Option<Box<Partial>>,
}

/// What is complete, and where its payload is.
struct Ready {
    complete: Complete,
    place: Place,
}

enum Place {
    Input(Range<usize>),
    Partial(Range<usize>),
}

impl Decoder {
    /// A decoder at the first byte behind the handshake.
    pub const fn new(rules: Rules) -> Self {
        Self { rules, closed: false, partial: None }
    }

    /// Takes bytes from `input` up to the end of the next frame or message that concerns the caller.
    ///
    /// `None` means that all of `input` is taken. Call until then: what the last event lent is freed by the next call.
    /// Control frames are yielded where they came, also between the fragments of a message. A frame that lies whole in
    /// `input` is unmasked and lent there, without a copy, unless it is a fragment.
    ///
    /// After a close event, an error or [`close`](Self::close) everything is discarded and the answer is always `None`.
    ///
    /// # Errors
    /// The peer broke the protocol or a limit. Events that came before have been yielded.
    pub fn poll_event<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if self.closed {
            self.partial = None;
            input.skip_all();
            return Ok(None);
        }
        if self.partial.as_mut().is_some_and(|partial| !partial.release()) {
            self.partial = None;
        }
        match self.advance(input) {
            Ok(Some(ready)) => {
                let Self { closed, partial, .. } = self;
                let payload = match ready.place {
                    Place::Input(range) => input.slice(range),
                    Place::Partial(range) => partial.as_ref().map_or(&[][..], |partial| partial.bytes(range)),
                };
                let event = event(ready.complete, payload);
                *closed = matches!(event, Ok(Event::Close { .. }) | Err(_));
                event.map(Some)
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.close();
                input.skip_all();
                Err(error)
            }
        }
    }

    /// Gives up: what follows is discarded, what is kept is freed.
    pub fn close(&mut self) {
        self.closed = true;
        self.partial = None;
    }

    /// Whether the peer's close frame or an error was seen, or [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Bytes of heap memory kept for what is incomplete; zero between frames.
    pub fn held_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<Partial>() + partial.capacity())
    }

    fn advance(&mut self, input: &mut Input<'_>) -> Result<Option<Ready>, ProtocolError> {
        loop {
            if let Some(partial) = self.partial.as_mut().filter(|partial| partial.in_frame()) {
                if let Some(complete) = partial.collect(input, &self.rules)? {
                    let place = Place::Partial(partial.range(complete));
                    return Ok(Some(Ready { complete, place }));
                }
                if partial.in_frame() {
                    return Ok(None);
                }
            }
            let Some(header) = self.next_header(input)? else {
                return Ok(None);
            };
            self.check_place_and_size(&header)?;
            if let Some(ready) = self.lend(&header, input)? {
                return Ok(Some(ready));
            }
            self.partial.get_or_insert_default().begin(header, &self.rules)?;
        }
    }

    fn next_header(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, ProtocolError> {
        if let Some(partial) = &mut self.partial {
            return partial.next_header(input, &self.rules);
        }
        let header = Header::parse(input.rest(), &self.rules)?;
        match &header {
            Some(header) => {
                input.take(header.len);
                Ok(Some(*header))
            }
            None if input.remaining() == 0 => Ok(None),
            None => self.partial.get_or_insert_default().next_header(input, &self.rules),
        }
    }

    fn check_place_and_size(&self, header: &Header) -> Result<(), ProtocolError> {
        if header.opcode.is_control() {
            return Ok(());
        }
        let in_message = self.partial.as_ref().is_some_and(|partial| partial.in_message());
        match (in_message, header.opcode == Opcode::Continuation) {
            (false, true) => return Err(ProtocolError::UnexpectedContinuation),
            (true, false) => return Err(ProtocolError::ExpectedContinuation),
            (true, true) | (false, false) => {}
        }
        let before = self.partial.as_ref().map_or(0, |partial| partial.message_len());
        let room = self.rules.max_message.saturating_sub(before) as u64;
        if header.payload_len > room { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
    }

    /// Unmasks the payload where it is, if it is all there and is no fragment.
    fn lend(&self, header: &Header, input: &mut Input<'_>) -> Result<Option<Ready>, ProtocolError> {
        let complete = match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => Complete::Control(header.opcode),
            Opcode::Text if header.fin => {
                Complete::Message { kind: MessageKind::Text, compressed: header.rsv1 }
            }
            Opcode::Binary if header.fin => {
                Complete::Message { kind: MessageKind::Binary, compressed: header.rsv1 }
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => return Ok(None),
        };
        let Some(len) = usize::try_from(header.payload_len).ok().filter(|len| *len <= input.remaining())
        else {
            return Ok(None);
        };
        let start = input.taken();
        let payload = input.take(len);
        if let Some(key) = header.key {
            apply_mask(payload, key, 0);
        }
        let checked = header.opcode == Opcode::Text && self.rules.utf8 == Utf8::Check && !header.rsv1;
        if checked && simdutf8::basic::from_utf8(payload).is_err() {
            return Err(ProtocolError::InvalidUtf8);
        }
        Ok(Some(Ready { complete, place: Place::Input(start..start + len) }))
    }
}

fn event(complete: Complete, payload: &[u8]) -> Result<Event<'_>, ProtocolError> {
    Ok(match complete {
        Complete::Message { kind, compressed } => Event::Message { kind, payload, compressed },
        Complete::Control(Opcode::Ping) => Event::Ping(payload),
        Complete::Control(Opcode::Pong) => Event::Pong(payload),
        Complete::Control(_) => return close_event(payload),
    })
}

fn close_event(payload: &[u8]) -> Result<Event<'_>, ProtocolError> {
    let (code, reason) = match payload {
        [] => return Ok(Event::Close { code: None, reason: "" }),
        [_] => return Err(ProtocolError::CloseTooShort),
        [high, low, reason @ ..] => (CloseCode::new(u16::from_be_bytes([*high, *low])), reason),
    };
    if !code.is_sendable() {
        return Err(ProtocolError::BadCloseCode(code.get()));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
    Ok(Event::Close { code: Some(code), reason })
}

#[cfg(test)]
mod tests;
