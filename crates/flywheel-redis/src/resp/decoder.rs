use bytes::{Bytes, BytesMut};

use super::scan::{Scan, length, line_at};
use super::{DecodeError, Limits, Value};

/// Turns bytes into values, however they are cut into pieces.
///
/// Bytes are read into [`buffer`](Self::buffer), and every complete value is taken out with [`take`](Self::take).
/// Memory is bounded by the bytes that have come and by the [`Limits`].
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    scan: Scan,
    limits: Limits,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), scan: Scan::default(), limits }
    }

    /// Where what was read is to be appended. Nothing else may be done with it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Takes the next value; `None` when it is not complete. One with too many elements is passed over: in its place
    /// stands an error, so that only the command that it answers fails.
    ///
    /// # Errors
    /// When the bytes are not understood. All later calls are meaningless then.
    pub fn take(&mut self) -> Result<Option<Value>, DecodeError> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let Some(whole) = self.scan.run(&self.buffer, &self.limits)? else {
            return Ok(None);
        };
        let frame = self.buffer.split_to(whole.length).freeze();
        if whole.is_too_large {
            let error = DecodeError::TooManyElements(self.limits.elements);
            // What answers nobody must not stand where an answer is expected.
            let is_answer = !frame.starts_with(b">");
            return if is_answer {
                Ok(Some(Value::Error(Bytes::from(format!("TOOLARGE {error}")))))
            } else {
                Err(error)
            };
        }
        Reader { frame: &frame, position: 0 }.value().map(Some)
    }
}

/// Reads a value that is known to be complete, and whose nesting is known to be within bounds.
struct Reader<'f> {
    frame: &'f Bytes,
    position: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, DecodeError> {
        let line = line_at(self.frame, self.position, self.position)?.ok_or(DecodeError::BadLine)?;
        let (kind, text) = (line.kind, line.text);
        self.position = line.end;
        Ok(match kind {
            b'+' => Value::Text(self.frame.slice_ref(text)),
            b'-' => Value::Error(self.frame.slice_ref(text)),
            b':' => Value::Int(number(text)?),
            b',' => Value::Double(double(text)?),
            b'(' => Value::BigNumber(big_number(text).map(|text| self.frame.slice_ref(text))?),
            b'#' => match text {
                b"t" => Value::Bool(true),
                b"f" => Value::Bool(false),
                _ => return Err(DecodeError::Malformed('#')),
            },
            b'_' if text.is_empty() => Value::Null,
            b'$' => self.blob(length(text)?).map_or(Value::Null, Value::Bulk),
            b'!' => self.blob(length(text)?).map(Value::Error).ok_or(DecodeError::Malformed('!'))?,
            b'=' => {
                let blob = self.blob(length(text)?).filter(|blob| blob.get(3) == Some(&b':'));
                Value::Verbatim(blob.ok_or(DecodeError::Malformed('='))?.slice(4..))
            }
            b'*' | b'~' => match length(text)? {
                Some(count) => Value::Array(self.values(count)?),
                None => Value::Null,
            },
            b'>' => Value::Push(self.values(length(text)?.ok_or(DecodeError::NotANumber)?)?),
            b'%' => {
                let count = length(text)?.ok_or(DecodeError::NotANumber)?;
                let mut pairs = Vec::with_capacity(count);
                for _ in 0..count {
                    pairs.push((self.value()?, self.value()?));
                }
                Value::Map(pairs)
            }
            b'|' => {
                for _ in 0..length(text)?.unwrap_or_default() * 2 {
                    self.value()?;
                }
                self.value()?
            }
            other => return Err(DecodeError::Malformed(char::from(other))),
        })
    }

    /// All of them are in the frame, so that room for them is no more than a multiple of what came.
    fn values(&mut self, count: usize) -> Result<Vec<Value>, DecodeError> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn blob(&mut self, length: Option<usize>) -> Option<Bytes> {
        let start = self.position;
        let end = start + length?;
        self.position = end + 2;
        Some(self.frame.slice(start..end))
    }
}

fn number(text: &[u8]) -> Result<i64, DecodeError> {
    // Most are short: `parse` would check the text for UTF-8 first.
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(DecodeError::NotANumber);
    }
    digits.iter().try_fold(0i64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(DecodeError::NotANumber)?;
        let digit = if negative { -i64::from(digit) } else { i64::from(digit) };
        number.checked_mul(10).and_then(|number| number.checked_add(digit)).ok_or(DecodeError::NotANumber)
    })
}

fn double(text: &[u8]) -> Result<f64, DecodeError> {
    let text = std::str::from_utf8(text).map_err(|_| DecodeError::NotANumber)?;
    text.parse().map_err(|_| DecodeError::NotANumber)
}

fn big_number(text: &[u8]) -> Result<&[u8], DecodeError> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if is_number { Ok(text) } else { Err(DecodeError::NotANumber) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_in(chunk: usize, bytes: &[u8], limits: Limits) -> (Vec<Value>, Option<DecodeError>) {
        let (mut decoder, mut values) = (Decoder::new(limits), Vec::new());
        for piece in bytes.chunks(chunk.max(1)) {
            decoder.buffer().extend_from_slice(piece);
            loop {
                match decoder.take() {
                    Ok(Some(value)) => values.push(value),
                    Ok(None) => break,
                    Err(error) => return (values, Some(error)),
                }
            }
        }
        (values, None)
    }

    fn check(bytes: &str, expected: &[Value]) {
        for chunk in [1, 2, 3, 7, usize::MAX] {
            let (values, error) = decode_in(chunk, bytes.as_bytes(), Limits::default());
            assert_eq!((values.as_slice(), error), (expected, None), "{bytes:?} in {chunk}");
        }
    }

    fn check_error(bytes: &str, expected: DecodeError) {
        let limits = Limits { bytes: 1000, elements: 10, depth: 4 };
        for chunk in [1, 5, usize::MAX] {
            let error = decode_in(chunk, bytes.as_bytes(), limits).1;
            assert_eq!(error, Some(expected), "{bytes:?} in {chunk}");
        }
    }

    fn bulk(text: &'static str) -> Value {
        Value::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn every_type_is_read_however_it_is_cut() {
        check("+OK\r\n", &[Value::Text(Bytes::from_static(b"OK"))]);
        check(
            "-ERR no\r\n!5\r\nERR a\r\n",
            &[Value::Error(Bytes::from_static(b"ERR no")), Value::Error(Bytes::from_static(b"ERR a"))],
        );
        let least = Value::Int(i64::MIN);
        check(":-9223372036854775808\r\n:+7\r\n:0\r\n", &[least, Value::Int(7), Value::Int(0)]);
        check("$3\r\na\r\n\r\n$0\r\n\r\n", &[bulk("a\r\n"), bulk("")]);
        check("$-1\r\n*-1\r\n_\r\n", &[Value::Null, Value::Null, Value::Null]);
        check("#t\r\n#f\r\n", &[Value::Bool(true), Value::Bool(false)]);
        check(",1.5\r\n,-inf\r\n", &[Value::Double(1.5), Value::Double(f64::NEG_INFINITY)]);
        check(
            "(-3492890328409238509324850943850943825024385\r\n",
            &[Value::BigNumber(Bytes::from_static(b"-3492890328409238509324850943850943825024385"))],
        );
        check("=7\r\ntxt:abc\r\n", &[Value::Verbatim(Bytes::from_static(b"abc"))]);
        check(
            "*2\r\n*0\r\n~1\r\n$1\r\na\r\n",
            &[Value::Array(vec![Value::Array(vec![]), Value::Array(vec![bulk("a")])])],
        );
        check(
            "%1\r\n+k\r\n:1\r\n",
            &[Value::Map(vec![(Value::Text(Bytes::from_static(b"k")), Value::Int(1))])],
        );
        check(">2\r\n$1\r\na\r\n:1\r\n:2\r\n", &[Value::Push(vec![bulk("a"), Value::Int(1)]), Value::Int(2)]);
    }

    #[test]
    fn attributes_are_dropped_wherever_they_stand() {
        let attribute = "|1\r\n+ttl\r\n*1\r\n:3\r\n";
        check(
            &format!("{attribute}*2\r\n{attribute}:1\r\n:2\r\n|0\r\n:3\r\n"),
            &[Value::Array(vec![Value::Int(1), Value::Int(2)]), Value::Int(3)],
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_reason() {
        check_error("x\r\n", DecodeError::UnknownType(b'x'));
        check_error(":12a\r\n", DecodeError::NotANumber);
        check_error(":9223372036854775808\r\n", DecodeError::NotANumber);
        check_error("$-2\r\n", DecodeError::NotANumber);
        check_error("$\r\n", DecodeError::NotANumber);
        check_error("*1\r\n:\r\n", DecodeError::NotANumber);
        check_error("+a\rb\n", DecodeError::BadLine);
        check_error("$1\r\nabc", DecodeError::BadLine);
        check_error("#x\r\n", DecodeError::Malformed('#'));
        check_error("_x\r\n", DecodeError::Malformed('_'));
        check_error("=3\r\ntxt\r\n", DecodeError::Malformed('='));
        check_error("*1\r\n>0\r\n", DecodeError::Malformed('>'));
        for streamed in ["$?\r\n", "*?\r\n", "%?\r\n", "~?\r\n", ">?\r\n"] {
            check_error(streamed, DecodeError::Streamed);
        }
        check_error(&format!(":{}", "1".repeat(100)), DecodeError::BadLine);
    }

    #[test]
    fn bounds_hold_before_anything_that_they_bound_has_come() {
        check_error("$1001\r\n", DecodeError::TooLong(1000));
        check_error("$18446744073709551615\r\n", DecodeError::TooLong(1000));
        check_error("$99999999999999999999\r\n", DecodeError::NotANumber);
        check_error("*1001\r\n", DecodeError::TooManyElements(10));
        check_error("%9223372036854775808\r\n", DecodeError::TooManyElements(10));
        check_error("%501\r\n", DecodeError::TooManyElements(10));
        check_error("*1\r\n*1\r\n*1\r\n*1\r\n", DecodeError::TooDeep(4));
        check_error(&format!("+{}", "a".repeat(1001)), DecodeError::TooLong(1000));
    }

    #[test]
    fn a_value_with_too_many_elements_is_an_error_in_its_place_and_the_next_one_is_read() {
        let limits = Limits { bytes: 1000, elements: 10, depth: 4 };
        let error = Value::Error(Bytes::from_static(b"TOOLARGE a value has more than 10 elements"));
        let flat = format!("*10\r\n{}:7\r\n", ":1\r\n".repeat(10));
        let nested = format!("*3\r\n{0}{0}{0}:7\r\n", "*3\r\n:1\r\n:1\r\n:1\r\n");
        for bytes in [flat, nested] {
            for chunk in [1, 5, usize::MAX] {
                let read = decode_in(chunk, bytes.as_bytes(), limits);
                assert_eq!(read, (vec![error.clone(), Value::Int(7)], None), "{bytes:?} in {chunk}");
            }
        }
        let push = format!(">10\r\n{}", ":1\r\n".repeat(10));
        check_error(&push, DecodeError::TooManyElements(10));
    }

    #[test]
    fn a_value_that_is_as_large_as_the_bounds_is_taken() {
        let limits = Limits { bytes: 23, elements: 4, depth: 3 };
        let (values, error) = decode_in(1, b"*2\r\n*1\r\n$5\r\nabcde\r\n:1\r\n", limits);
        assert_eq!((values.len(), error), (1, None));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let line = "[ -~]{0,20}".prop_map(Bytes::from);
        let bytes = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            line.prop_map(Value::Text),
            bytes.clone().prop_map(Value::Bulk),
            bytes.prop_map(Value::Error),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
            ]
        })
    }

    fn encode(value: &Value, out: &mut Vec<u8>) {
        let blob = |kind: char, bytes: &[u8], out: &mut Vec<u8>| {
            out.extend_from_slice(format!("{kind}{}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        };
        match value {
            Value::Null => out.extend_from_slice(b"_\r\n"),
            Value::Bool(is) => out.extend_from_slice(if *is { b"#t\r\n" } else { b"#f\r\n" }),
            Value::Int(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
            Value::Text(text) => out.extend_from_slice(&[b"+", &text[..], b"\r\n"].concat()),
            Value::Bulk(bytes) => blob('$', bytes, out),
            Value::Error(bytes) => blob('!', bytes, out),
            Value::Array(items) => {
                out.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
                items.iter().for_each(|item| encode(item, out));
            }
            Value::Map(pairs) => {
                out.extend_from_slice(format!("%{}\r\n", pairs.len()).as_bytes());
                pairs.iter().for_each(|(key, value)| {
                    encode(key, out);
                    encode(value, out);
                });
            }
            other => unreachable!("{other:?} is not generated"),
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(values in proptest::collection::vec(any_value(), 1..4), chunk in 1..50usize) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| encode(value, &mut bytes));
            prop_assert_eq!(decode_in(chunk, &bytes, Limits::default()), (values, None));
        }

        #[test]
        fn any_bytes_give_the_same_in_one_piece_and_in_many(bytes in "[-+:$*~%>|!=#,(_?0-9a\r\n]{0,60}", chunk in 1..9usize) {
            let limits = Limits { bytes: 40, elements: 8, depth: 3 };
            // Which of several faults is found first depends on how much has come.
            let (whole, fault) = decode_in(usize::MAX, bytes.as_bytes(), limits);
            let (in_pieces, other) = decode_in(chunk, bytes.as_bytes(), limits);
            prop_assert_eq!((in_pieces, other.is_some()), (whole, fault.is_some()));
        }
    }
}
