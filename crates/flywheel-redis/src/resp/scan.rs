use smallvec::SmallVec;

use super::{DecodeError, Limits};

/// Longest line that must be a number: 20 digits and a sign, and leading zeros that nobody sends.
const NUMBER_LINE_MAX: usize = 32;
/// Longest line of any other kind. Errors of scripts may quote a few hundred bytes.
const LINE_MAX: usize = 64 << 10;

/// Finds where the value at the beginning of a buffer ends. Goes on where it stopped when there were no more bytes, so
/// that a value that comes in many pieces is looked at once. Takes no memory that depends on what a length says.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Everything before it was looked at.
    position: usize,
    /// Where to go on looking for the end of a line.
    line_from: usize,
    elements: usize,
    /// Values that are still to come, for each value that holds others and is not complete.
    open: SmallVec<[usize; 8]>,
}

/// A value that is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    pub(super) length: usize,
    /// Whether it has more elements than it may have, so that it is only to be passed over.
    pub(super) is_too_large: bool,
}

/// A line with its type, without either.
pub(super) struct Line<'b> {
    pub(super) kind: u8,
    pub(super) text: &'b [u8],
    /// Where what follows the line begins.
    pub(super) end: usize,
}

impl Scan {
    /// The value at the beginning of `buffer`, `None` when it is not complete. `buffer` must begin as it did at the call
    /// before.
    pub(super) fn run(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<Whole>, DecodeError> {
        loop {
            let Some(line) = self.line(buffer)? else {
                return within(buffer.len(), limits).map(|()| None);
            };
            let (end, inside) = match line.kind {
                b'+' | b'-' | b',' | b'(' | b':' | b'_' | b'#' => (line.end, 0),
                b'$' | b'=' | b'!' => match length(line.text)? {
                    None => (line.end, 0),
                    Some(length) => {
                        within(length, limits)?;
                        (line.end + length + 2, 0)
                    }
                },
                b'>' if !self.open.is_empty() => return Err(DecodeError::Malformed('>')),
                b'*' | b'~' | b'>' => (line.end, length(line.text)?.unwrap_or(0)),
                b'%' => (line.end, pairs(line.text, limits)?),
                // Attributes are followed by the value that they are about.
                b'|' => (line.end, pairs(line.text, limits)?.saturating_add(1)),
                other => return Err(DecodeError::UnknownType(other)),
            };
            within(end, limits)?;
            if end > buffer.len() {
                return Ok(None);
            }
            if end > line.end && buffer[end - 2..end] != *b"\r\n" {
                return Err(DecodeError::BadLine);
            }
            self.elements += 1;
            // So many do not fit into the bytes that it may have.
            if inside > limits.bytes {
                return Err(DecodeError::TooManyElements(limits.elements));
            }
            self.position = end;
            self.line_from = end;
            if inside > 0 {
                self.open.push(inside);
                if self.open.len() >= limits.depth {
                    return Err(DecodeError::TooDeep(limits.depth));
                }
            } else if self.close() {
                let Self { position: length, elements, .. } = std::mem::take(self);
                return Ok(Some(Whole { length, is_too_large: elements > limits.elements }));
            }
        }
    }

    /// One value is complete; answers whether all are.
    fn close(&mut self) -> bool {
        while let Some(rest) = self.open.last_mut() {
            *rest -= 1;
            if *rest > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn line<'b>(&mut self, buffer: &'b [u8]) -> Result<Option<Line<'b>>, DecodeError> {
        let found = line_at(buffer, self.position, self.line_from)?;
        if found.is_none() {
            self.line_from = buffer.len().max(self.position);
        }
        Ok(found)
    }
}

/// The line at `start`, whose end is not before `from`; `None` when its end has not come.
pub(super) fn line_at(buffer: &[u8], start: usize, from: usize) -> Result<Option<Line<'_>>, DecodeError> {
    let Some(kind) = buffer.get(start).copied() else { return Ok(None) };
    // A carriage return at the end of the bytes may have its line feed in the next ones.
    let from = from.saturating_sub(1).max(start + 1);
    let longest = match kind {
        b'+' | b'-' | b'(' => LINE_MAX,
        _ => NUMBER_LINE_MAX,
    };
    let searched = buffer.get(from..).unwrap_or_default();
    let Some(at) = memchr::memchr(b'\r', searched) else {
        return if buffer.len() - start > longest + 3 { Err(DecodeError::BadLine) } else { Ok(None) };
    };
    let at = from + at;
    if at - start > longest + 1 {
        return Err(DecodeError::BadLine);
    }
    match buffer.get(at + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some(Line { kind, text: &buffer[start + 1..at], end: at + 2 })),
        Some(_) => Err(DecodeError::BadLine),
    }
}

/// A length; `None` for the -1 that version 2 writes for nothing.
pub(super) fn length(text: &[u8]) -> Result<Option<usize>, DecodeError> {
    match text {
        b"-1" => Ok(None),
        b"?" => Err(DecodeError::Streamed),
        digits if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) => Err(DecodeError::NotANumber),
        digits => {
            let text = std::str::from_utf8(digits).map_err(|_| DecodeError::NotANumber)?;
            text.parse().map(Some).map_err(|_| DecodeError::NotANumber)
        }
    }
}

fn pairs(text: &[u8], limits: &Limits) -> Result<usize, DecodeError> {
    let pairs = length(text)?.ok_or(DecodeError::NotANumber)?;
    pairs.checked_mul(2).ok_or(DecodeError::TooManyElements(limits.elements))
}

fn within(bytes: usize, limits: &Limits) -> Result<(), DecodeError> {
    if bytes > limits.bytes { Err(DecodeError::TooLong(limits.bytes)) } else { Ok(()) }
}
