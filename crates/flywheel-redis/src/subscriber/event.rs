use bytes::Bytes;

use crate::resp::Value;

/// What comes on such a connection, in both versions of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Message {
        name: Bytes,
        payload: Bytes,
    },
    Subscribed(Bytes),
    Unsubscribed(Bytes),
    Pong(Bytes),
    /// The answer to a command that was refused.
    Refused(Bytes),
    /// Nothing that concerns us.
    Other,
}

impl Event {
    pub(super) fn of(value: Value) -> Self {
        let items = match value {
            Value::Push(items) | Value::Array(items) => items,
            Value::Error(text) => return Self::Refused(text),
            other => return other.bytes().cloned().map_or(Self::Other, Self::Pong),
        };
        let mut items = items.into_iter();
        let mut next = || items.next().and_then(|item| item.bytes().cloned());
        let Some(kind) = next() else { return Self::Other };
        let name = next().unwrap_or_default();
        match &*kind {
            b"message" | b"smessage" => match next() {
                Some(payload) => Self::Message { name, payload },
                None => Self::Other,
            },
            b"subscribe" | b"ssubscribe" => Self::Subscribed(name),
            b"unsubscribe" | b"sunsubscribe" => Self::Unsubscribed(name),
            b"pong" => Self::Pong(name),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &'static str) -> Value {
        Value::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn both_versions_say_the_same() {
        let items = |kind| vec![bulk(kind), bulk("a"), bulk("b")];
        let name = Bytes::from_static(b"a");
        let message = Event::Message { name: name.clone(), payload: Bytes::from_static(b"b") };
        for (kind, expected) in [
            ("message", message.clone()),
            ("smessage", message),
            ("ssubscribe", Event::Subscribed(name.clone())),
            ("unsubscribe", Event::Unsubscribed(name.clone())),
            ("pong", Event::Pong(name)),
            ("invalidate", Event::Other),
        ] {
            assert_eq!(Event::of(Value::Push(items(kind))), expected);
            assert_eq!(Event::of(Value::Array(items(kind))), expected);
        }
        assert_eq!(Event::of(bulk("n")), Event::Pong(Bytes::from_static(b"n")));
        assert_eq!(Event::of(Value::Push(vec![])), Event::Other);
    }
}
