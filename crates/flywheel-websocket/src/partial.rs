use std::ops::Range;

use crate::header::{HEADER_BYTES_MAX, Header};
use crate::{Input, MessageKind, Opcode, ProtocolError, Rules, Utf8, Utf8Validator, apply_mask};

/// Capacity a buffer starts with, so that a message arriving byte by byte does not begin with tiny reallocations.
const BUFFER_BYTES_MIN: usize = 64;

/// What a decoder keeps between reads: an incomplete header, an incomplete frame, an incomplete message.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    frame: Option<Frame>,
    message: Option<Message>,
    /// The bytes of the message, then those of a control frame that came between its fragments.
    buffer: Vec<u8>,
    lent: Lent,
}

#[derive(Debug)]
struct Frame {
    header: Header,
    received: u64,
}

#[derive(Debug)]
struct Message {
    kind: MessageKind,
    compressed: bool,
    fragments: u32,
    /// Bytes of the message at the start of the buffer.
    len: usize,
    utf8: Option<Utf8Validator>,
}

/// What of the buffer the last event showed, to be removed before the next.
#[derive(Debug, Default)]
enum Lent {
    #[default]
    Nothing,
    Control,
    Message,
}

/// A frame or message that is complete in the buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Complete {
    Control(Opcode),
    Message { kind: MessageKind, compressed: bool },
}

impl Partial {
    /// Joins what is left of a header with the start of `input`.
    pub(crate) fn next_header(
        &mut self,
        input: &mut Input<'_>,
        rules: &Rules,
    ) -> Result<Option<Header>, ProtocolError> {
        let kept = self.header_len;
        let mut end = kept;
        for (slot, byte) in self.header.iter_mut().skip(kept).zip(input.rest()) {
            *slot = *byte;
            end += 1;
        }
        let header = Header::parse(self.header.get(..end).unwrap_or_default(), rules)?;
        if let Some(header) = &header {
            input.take(header.len.saturating_sub(kept));
            self.header_len = 0;
        } else {
            input.take(end - kept);
            self.header_len = end;
        }
        Ok(header)
    }

    /// Whether the next data frame must be a continuation.
    pub(crate) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    /// Bytes of the message under way.
    pub(crate) fn message_len(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.len)
    }

    pub(crate) fn in_frame(&self) -> bool {
        self.frame.is_some()
    }

    /// Starts a frame whose payload has to be collected. Its place in the message has been checked.
    pub(crate) fn begin(&mut self, header: Header, rules: &Rules) -> Result<(), ProtocolError> {
        if !header.opcode.is_control() {
            let message = self.message.get_or_insert_with(|| Message::new(&header, rules));
            let fragmented = header.opcode == Opcode::Continuation || !header.fin;
            message.fragments += 1;
            if fragmented && message.fragments > rules.max_fragments {
                return Err(ProtocolError::TooManyFragments);
            }
        }
        self.frame = Some(Frame { header, received: 0 });
        Ok(())
    }

    /// Moves payload from `input` into the buffer. `None` when the frame or its message is still incomplete.
    pub(crate) fn collect(
        &mut self,
        input: &mut Input<'_>,
        rules: &Rules,
    ) -> Result<Option<Complete>, ProtocolError> {
        let Some(frame) = &mut self.frame else {
            return Ok(None);
        };
        let missing = frame.header.payload_len - frame.received;
        let bytes = input.take(usize::try_from(missing).unwrap_or(usize::MAX));
        if let Some(key) = frame.header.key {
            apply_mask(bytes, key, frame.received);
        }
        frame.received += bytes.len() as u64;
        let complete = frame.received == frame.header.payload_len;
        let header = frame.header;
        append(&mut self.buffer, bytes, rules.max_message);
        if complete {
            self.frame = None;
        }
        if header.opcode.is_control() {
            if complete {
                self.lent = Lent::Control;
            }
            return Ok(complete.then_some(Complete::Control(header.opcode)));
        }
        let Some(message) = &mut self.message else {
            return Ok(None);
        };
        message.len += bytes.len();
        if let Some(utf8) = &mut message.utf8 {
            utf8.push(bytes).map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        if !(complete && header.fin) {
            return Ok(None);
        }
        if let Some(utf8) = message.utf8 {
            utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        self.lent = Lent::Message;
        Ok(Some(Complete::Message { kind: message.kind, compressed: message.compressed }))
    }

    /// Where in [`bytes`](Self::bytes) the complete item is.
    pub(crate) fn range(&self, complete: Complete) -> Range<usize> {
        match complete {
            Complete::Control(_) => self.message_len()..self.buffer.len(),
            Complete::Message { .. } => 0..self.message_len(),
        }
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Removes what the last event has shown. False when nothing is left to keep.
    pub(crate) fn release(&mut self) -> bool {
        match std::mem::take(&mut self.lent) {
            Lent::Nothing => {}
            Lent::Control => self.buffer.truncate(self.message_len()),
            // A message is lent only when nothing of the next one has been taken yet.
            Lent::Message => return false,
        }
        self.header_len > 0 || self.frame.is_some() || self.message.is_some()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

impl Message {
    fn new(header: &Header, rules: &Rules) -> Self {
        let kind = if header.opcode == Opcode::Text { MessageKind::Text } else { MessageKind::Binary };
        let checked = kind == MessageKind::Text && rules.utf8 == Utf8::Check && !header.rsv1;
        Self {
            kind,
            compressed: header.rsv1,
            fragments: 0,
            len: 0,
            utf8: checked.then(Utf8Validator::default),
        }
    }
}

/// Appends `bytes`, doubling the capacity when it is too small, but not far beyond the largest message.
fn append(buffer: &mut Vec<u8>, bytes: &[u8], max_message: usize) {
    let needed = buffer.len().saturating_add(bytes.len());
    if needed > buffer.capacity() {
        let doubled = buffer.capacity().saturating_mul(2).max(BUFFER_BYTES_MIN);
        let target = doubled.min(max_message).max(needed);
        buffer.reserve_exact(target - buffer.len());
    }
    buffer.extend_from_slice(bytes);
}
