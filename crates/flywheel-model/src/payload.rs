use bytes::Bytes;

/// Application data that travels through the server unread, and whether a JSON connection can carry it.
///
/// Cheap to clone. What JSON clients get is [`Payload::json`]: on the wire every message is one line, so a raw line
/// feed between two tokens is taken out when the payload is made, once, and not for each subscriber.
///
/// Source: client protocol, section 1.2, rules 4 and 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// One JSON value without a line feed.
    Json,
    /// One JSON value; here it is without its line feeds.
    JsonOnOneLine(Bytes),
    /// No JSON.
    Opaque,
}

impl Payload {
    /// Examines `bytes` once: are they one complete JSON value?
    ///
    /// Empty bytes count as JSON: the member is left out. White space alone does not.
    pub fn new(bytes: Bytes) -> Self {
        let json = bytes.is_empty()
            || (std::str::from_utf8(&bytes).is_ok()
                && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        if json { Self::from_json(bytes) } else { Self { bytes, form: Form::Opaque } }
    }

    /// Trusts the caller that `bytes` are one complete JSON value, or empty.
    pub fn from_json(bytes: Bytes) -> Self {
        let form = if bytes.contains(&b'\n') {
            Form::JsonOnOneLine(bytes.iter().copied().filter(|byte| *byte != b'\n').collect())
        } else {
            Form::Json
        };
        Self { bytes, form }
    }

    /// The bytes as they were published.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The JSON value on one line; `None` when the payload is not JSON.
    pub fn json(&self) -> Option<&Bytes> {
        match &self.form {
            Form::Json => Some(&self.bytes),
            Form::JsonOnOneLine(line) => Some(line),
            Form::Opaque => None,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Self::new(Bytes::from_static(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_feeds_between_tokens_disappear_from_the_json_form_only() {
        let payload = Payload::from("{\"a\": 1,\n \"b\": 2}");
        assert_eq!(payload.json().unwrap(), "{\"a\": 1, \"b\": 2}");
        assert_eq!(payload.bytes(), "{\"a\": 1,\n \"b\": 2}");
    }

    #[test]
    fn what_is_not_one_json_value_is_opaque() {
        for text in ["{", "1 2", " ", "\"a\nb\"", "nul"] {
            assert_eq!(Payload::from(text).json(), None, "{text:?}");
        }
        assert_eq!(Payload::new(Bytes::from_static(b"\"\xff\"")).json(), None);
        assert!(Payload::from("").json().is_some());
        assert!(Payload::from(" null ").json().is_some());
    }
}
