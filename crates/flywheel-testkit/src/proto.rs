//! Protobuf without generated code: a writer, a reader, and a printer for replies.

use serde_json::Value;

/// A message under construction.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an integer or bool field.
    #[must_use]
    pub fn number(mut self, field: u32, value: u64) -> Self {
        put_varint(&mut self.0, u64::from(field) << 3);
        put_varint(&mut self.0, value);
        self
    }

    /// Adds a string or bytes field.
    #[must_use]
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        put_varint(&mut self.0, (u64::from(field) << 3) | 2);
        put_varint(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Adds a message field.
    #[must_use]
    pub fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// The message alone.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The message with its length in front, as it travels in a frame.
    pub fn framed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
        out
    }
}

/// What a field holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Field {
    /// An integer or bool.
    Number(u64),
    /// A string, bytes or a message.
    Bytes(Vec<u8>),
    /// A double.
    Double([u8; 8]),
}

/// The fields of a message, each with its number, in the order of the bytes; `None` when they are not Protobuf.
pub fn fields(mut message: &[u8]) -> Option<Vec<(u64, Field)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        fields.push(take_field(&mut message)?);
    }
    Some(fields)
}

/// What the last field of this number holds, a string or bytes; empty without one.
pub fn bytes_of(message: &[u8], number: u64) -> Vec<u8> {
    match last(message, number) {
        Some(Field::Bytes(bytes)) => bytes,
        _ => Vec::new(),
    }
}

/// What the last field of this number holds, an integer; 0 without one.
pub fn number_of(message: &[u8], number: u64) -> u64 {
    match last(message, number) {
        Some(Field::Number(value)) => value,
        _ => 0,
    }
}

fn last(message: &[u8], number: u64) -> Option<Field> {
    let field = fields(message)?.into_iter().rfind(|(found, _)| *found == number);
    field.map(|(_, content)| content)
}

/// Takes the messages of a frame apart; `None` when a length does not fit.
pub fn split_frame(mut frame: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    while !frame.is_empty() {
        let length = usize::try_from(take_varint(&mut frame)?).ok()?;
        let (message, rest) = frame.split_at_checked(length)?;
        messages.push(message.to_vec());
        frame = rest;
    }
    Some(messages)
}

/// Bytes of a line like `04 08 01`.
pub fn from_hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits"))
        .collect()
}

/// A reply as text: `{id:1,subscribe:{epoch:"x"}}`, members by field number.
///
/// An unknown field is printed with its number, so nothing of the bytes is hidden. `None` when they are not Protobuf.
pub fn print_reply(reply: &[u8]) -> Option<String> {
    print(reply, Kind::Reply)
}

/// What a field holds: text and numbers, or a message of one of the kinds below.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Reply,
    Error,
    Push,
    Connected,
    Subscribed,
    Unsubscribed,
    Subscription,
    Refreshed,
    Expiry,
    JoinLeave,
    Publication,
    Info,
    Presence,
    PresenceEntry,
    Stats,
    History,
    Data,
    Empty,
    Plain,
}

/// Number, name and content of fields.
type Fields = &'static [(u64, &'static str, Kind)];

/// The fields of each kind of message. Source: client protocol, section 1.
#[rustfmt::skip]
const FIELDS: &[(Kind, Fields)] = {
    use Kind::{
        Connected, Data, Empty, Error, Expiry, History, Info, JoinLeave, Plain, Presence, PresenceEntry, Publication,
        Push, Refreshed, Reply, Stats, Subscribed, Subscription, Unsubscribed,
    };
    &[
        (Reply, &[
            (1, "id", Plain), (2, "error", Error), (4, "push", Push), (5, "connect", Connected),
            (6, "subscribe", Subscribed), (7, "unsubscribe", Empty), (8, "publish", Empty), (9, "presence", Presence),
            (10, "presence_stats", Stats), (11, "history", History), (13, "rpc", Data), (14, "refresh", Refreshed),
            (15, "sub_refresh", Expiry),
        ]),
        (Error, &[(1, "code", Plain), (2, "message", Plain), (3, "temporary", Plain)]),
        (Push, &[
            (2, "channel", Plain), (4, "pub", Publication), (5, "join", JoinLeave), (6, "leave", JoinLeave),
            (7, "unsubscribe", Unsubscribed), (8, "message", Data), (9, "subscribe", Subscription), (12, "refresh", Expiry),
        ]),
        (Connected, &[
            (1, "client", Plain), (2, "version", Plain), (3, "expires", Plain), (4, "ttl", Plain), (5, "data", Plain),
            (7, "ping", Plain), (8, "pong", Plain),
        ]),
        (Subscribed, &[
            (1, "expires", Plain), (2, "ttl", Plain), (3, "recoverable", Plain), (6, "epoch", Plain),
            (7, "publications", Publication), (8, "recovered", Plain), (9, "offset", Plain), (10, "positioned", Plain),
            (11, "data", Plain), (12, "was_recovering", Plain), (13, "delta", Plain),
        ]),
        (Unsubscribed, &[(2, "code", Plain), (3, "reason", Plain)]),
        (Subscription, &[
            (1, "recoverable", Plain), (4, "epoch", Plain), (5, "offset", Plain), (6, "positioned", Plain),
            (7, "data", Plain),
        ]),
        (Refreshed, &[(1, "client", Plain), (2, "version", Plain), (3, "expires", Plain), (4, "ttl", Plain)]),
        (Expiry, &[(1, "expires", Plain), (2, "ttl", Plain)]),
        (JoinLeave, &[(1, "info", Info)]),
        (Publication, &[
            (4, "data", Plain), (5, "info", Info), (6, "offset", Plain), (8, "delta", Plain), (14, "epoch", Plain),
        ]),
        (Info, &[(1, "user", Plain), (2, "client", Plain), (3, "conn_info", Plain), (4, "chan_info", Plain)]),
        (Presence, &[(1, "presence", PresenceEntry)]),
        (PresenceEntry, &[(1, "key", Plain), (2, "value", Info)]),
        (Stats, &[(1, "num_clients", Plain), (2, "num_users", Plain)]),
        (History, &[(1, "publications", Publication), (2, "epoch", Plain), (3, "offset", Plain)]),
        (Data, &[(1, "data", Plain)]),
        (Empty, &[]),
    ]
};

/// Name and content of a field; `None` when the kind of message does not have it.
fn field(kind: Kind, number: u64) -> Option<(&'static str, Kind)> {
    let (_, fields) = FIELDS.iter().find(|(known, _)| *known == kind)?;
    fields.iter().find(|(known, ..)| *known == number).map(|(_, name, content)| (*name, *content))
}

fn print(mut message: &[u8], kind: Kind) -> Option<String> {
    let mut members = Vec::new();
    while !message.is_empty() {
        let (number, content) = take_field(&mut message)?;
        let (name, inner) = field(kind, number)
            .map_or_else(|| (number.to_string(), Kind::Plain), |(name, inner)| (name.to_owned(), inner));
        let value = match content {
            Field::Number(value) => value.to_string(),
            Field::Bytes(content) if inner == Kind::Plain => quote(&content),
            Field::Bytes(content) => print(&content, inner)?,
            Field::Double(_) => return None,
        };
        members.push((number, format!("{name}:{value}")));
    }
    members.sort_by_key(|(number, _)| *number);
    let members: Vec<_> = members.into_iter().map(|(_, text)| text).collect();
    Some(format!("{{{}}}", members.join(",")))
}

fn quote(content: &[u8]) -> String {
    match std::str::from_utf8(content) {
        Ok(text) => Value::from(text).to_string(),
        Err(_) => format!("{content:02x?}"),
    }
}

/// Takes a field off the front, with its number.
fn take_field(message: &mut &[u8]) -> Option<(u64, Field)> {
    let tag = take_varint(message)?;
    let length = match tag & 7 {
        0 => return Some((tag >> 3, Field::Number(take_varint(message)?))),
        1 => 8,
        2 => usize::try_from(take_varint(message)?).ok()?,
        _ => return None,
    };
    let (content, rest) = message.split_at_checked(length)?;
    *message = rest;
    let field =
        if tag & 7 == 1 { Field::Double(content.try_into().ok()?) } else { Field::Bytes(content.to_vec()) };
    Some((tag >> 3, field))
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for index in 0..10 {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_makes_the_bytes_of_the_published_example() {
        let connect = Message::new().bytes(4, "demo");
        let command = Message::new().number(1, 1).message(4, &connect);
        assert_eq!(command.framed(), from_hex("0a 08 01 22 06 22 04 64 65 6d 6f"));
    }

    #[test]
    fn replies_of_one_frame_are_taken_apart_and_printed() {
        let frame = from_hex("04 08 02 32 00 0c 08 ac 02 12 07 08 67 12 03 6e 6f 21 00");
        let replies: Vec<_> =
            split_frame(&frame).unwrap().iter().map(|reply| print_reply(reply).unwrap()).collect();
        assert_eq!(replies, ["{id:2,subscribe:{}}", r#"{id:300,error:{code:103,message:"no!"}}"#, "{}"]);
    }

    #[test]
    fn what_was_written_is_read() {
        let inner = Message::new().bytes(1, "u").number(2, 300);
        let bytes = Message::new().message(4, &inner).number(4, 1).bytes(5, "x").into_bytes();
        let read = fields(&bytes).unwrap();
        assert_eq!(read[0], (4, Field::Bytes(inner.into_bytes())));
        assert_eq!((number_of(&bytes, 4), number_of(&bytes, 5)), (1, 0));
        assert_eq!((bytes_of(&bytes, 5), bytes_of(&bytes, 9)), (b"x".to_vec(), Vec::new()));
        assert_eq!(
            fields(&from_hex("09 00 00 00 00 00 00 f0 3f")).unwrap(),
            [(1, Field::Double(1f64.to_le_bytes()))]
        );
        assert_eq!((fields(&from_hex("09 00")), fields(&from_hex("0b"))), (None, None));
    }

    #[test]
    fn a_length_beyond_the_frame_is_refused() {
        assert_eq!(split_frame(&from_hex("05 08 01")), None);
        assert_eq!(split_frame(&from_hex("ff ff ff ff 7f")), None);
        assert_eq!(print_reply(&from_hex("12 05 08")), None);
    }

    #[test]
    fn an_unknown_field_shows_its_number() {
        assert_eq!(print_reply(&from_hex("08 01 f8 01 07")).unwrap(), "{id:1,31:7}");
    }
}
