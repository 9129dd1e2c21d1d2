use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;

use super::Members;

/// Writes a message as a JSON object at the end of `out`.
pub fn write<M: Members>(message: &M, out: &mut Vec<u8>) {
    message.write(out);
}

/// A type that a member can have, and its zero value, which is left out.
pub trait WriteField {
    /// Whether the member is left out.
    fn is_zero(&self) -> bool;

    /// Writes the value.
    fn write(&self, out: &mut Vec<u8>);
}

/// Writes `"name":`, after a comma unless it is the first.
pub fn write_member(out: &mut Vec<u8>, first: &mut bool, name: &str) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Writes a JSON string, escaped as the reference does: also `<`, `>`, `&`, U+2028 and U+2029.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            b'<' => b"\\u003c",
            b'>' => b"\\u003e",
            b'&' => b"\\u0026",
            0..=0x1f => {
                let code =
                    [b'\\', b'u', b'0', b'0', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
                out.extend_from_slice(&bytes[plain..at]);
                out.extend_from_slice(&code);
                plain = at + 1;
                continue;
            }
            // U+2028 is e2 80 a8, U+2029 is e2 80 a9.
            0xa8 | 0xa9 if bytes[..at].ends_with(&[0xe2, 0x80]) => {
                out.extend_from_slice(&bytes[plain..at - 2]);
                out.extend_from_slice(if byte == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                plain = at + 1;
                continue;
            }
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        out.extend_from_slice(escaped);
        plain = at + 1;
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// Copies a JSON value without its insignificant white space and with `<`, `>` and `&` escaped, as the server API
/// returns payloads.
pub fn compact(json: &[u8], out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => continue,
                b'"' => in_string = true,
                _ => {}
            }
        }
        match byte {
            b'<' => out.extend_from_slice(b"\\u003c"),
            b'>' => out.extend_from_slice(b"\\u003e"),
            b'&' => out.extend_from_slice(b"\\u0026"),
            _ => out.push(byte),
        }
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl WriteField for $integer {
            fn is_zero(&self) -> bool {
                *self == 0
            }

            fn write(&self, out: &mut Vec<u8>) {
                // Writing to a vector cannot fail.
                write!(out, "{self}").unwrap_or_default();
            }
        }
    )*};
}

integers!(u32, u64, i32, i64);

impl WriteField for bool {
    fn is_zero(&self) -> bool {
        !self
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl WriteField for f64 {
    fn is_zero(&self) -> bool {
        *self == 0.0
    }

    fn write(&self, out: &mut Vec<u8>) {
        let number = if self.is_finite() { *self } else { 0.0 };
        write!(out, "{number}").unwrap_or_default();
    }
}

impl WriteField for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_string(self, out);
    }
}

/// Raw JSON on one line. An empty value is written as `null` where a member is always written.
impl WriteField for Bytes {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.is_empty() { b"null" } else { self });
    }
}

impl<M: Members> WriteField for Option<M> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(message) => message.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

/// An element of a list or a value of a map.
pub(crate) trait WriteElement {
    fn write_element(&self, out: &mut Vec<u8>);
}

impl<M: Members> WriteElement for M {
    fn write_element(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
}

impl WriteElement for String {
    fn write_element(&self, out: &mut Vec<u8>) {
        write_string(self, out);
    }
}

impl WriteElement for f64 {
    fn write_element(&self, out: &mut Vec<u8>) {
        WriteField::write(self, out);
    }
}

impl<M: Members> WriteElement for super::Nullable<M> {
    fn write_element(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Some(message) => message.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<T: WriteElement> WriteField for Vec<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, element) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            element.write_element(out);
        }
        out.push(b']');
    }
}

impl<T: WriteElement> WriteField for BTreeMap<String, T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (key, element)) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_string(key, out);
            out.push(b':');
            element.write_element(out);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_the_reference_does() {
        assert_eq!(string("a\"b\\c\n\u{1}<&>"), r#""a\"b\\c\n\u0001\u003c\u0026\u003e""#);
        assert_eq!(string("\u{2028}x\u{2029}"), "\"\\u2028x\\u2029\"");
        assert_eq!(string("grün €"), "\"grün €\"");
    }

    #[test]
    fn every_string_reads_back_as_itself() {
        let text: String = (0..0x3000).filter_map(char::from_u32).collect();
        assert_eq!(serde_json::from_str::<String>(&string(&text)).unwrap(), text);
    }

    #[test]
    fn compacting_leaves_strings_alone() {
        let mut out = Vec::new();
        compact(br#" { "a b" : [ 1.50 , "x \" y" , "<" ] } "#, &mut out);
        assert_eq!(out, br#"{"a b":[1.50,"x \" y","\u003c"]}"#);
    }
}
