//! What is published to a channel of the server, and what is stored: Protobuf, with a line of text before it where the
//! position in the stream has to be told, because it is not known before the server has given it.
//!
//! Source: the reference's engine; field numbers as in its version 1.9.5 of the protocol.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use flywheel_model::{ClientInfo, Epoch, Payload, Publication, StreamPosition};
use flywheel_protocol::client as wire;
use prost::Message as _;

/// What was published to a channel of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A publication.
    Publication {
        /// With its offset, if it has one.
        publication: Arc<Publication>,
        /// The stream's, unknown without history.
        epoch: Epoch,
        /// The one before it in the stream, when it was asked for and was there.
        previous: Option<Arc<Publication>>,
        /// Tells apart what is stored at an offset: see [`content_hash`]. 0 without history.
        hash: u64,
    },
    /// A client subscribed.
    Join(ClientInfo),
    /// A client unsubscribed.
    Leave(ClientInfo),
}

/// A message that nobody of ours makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The text before the Protobuf is not well-formed.
    #[error("a message has a header that is not understood")]
    Header,
    /// The Protobuf is not well-formed.
    #[error("a message is no Protobuf of its kind")]
    Body,
}

const JOIN: &[u8] = b"__j__";
const LEAVE: &[u8] = b"__l__";
const POSITION: &[u8] = b"__p1:";
const DELTA: &[u8] = b"__d1:";

/// The Protobuf of a publication, as it is stored, without its position.
pub fn publication(publication: &Publication) -> Vec<u8> {
    let info = publication.info.as_deref().map(client_info_message);
    let message = wire::Publication {
        data: publication.data.bytes().clone(),
        info: info.map(Box::new),
        offset: 0,
        tags: publication.tags.clone(),
        delta: false,
        epoch: String::new(),
    };
    message.encode_to_vec()
}

/// The Protobuf of a client, as presence stores it.
pub fn client_info(info: &ClientInfo) -> Vec<u8> {
    client_info_message(info).encode_to_vec()
}

/// What is published when a client subscribes.
pub fn join(info: &ClientInfo) -> Vec<u8> {
    [JOIN, &client_info(info)].concat()
}

/// What is published when a client unsubscribes.
pub fn leave(info: &ClientInfo) -> Vec<u8> {
    [LEAVE, &client_info(info)].concat()
}

/// Reads what was published to a channel of the server.
///
/// # Errors
/// [`Malformed`] for what nobody of ours publishes.
pub fn message(bytes: &Bytes) -> Result<Message, Malformed> {
    if let Some(rest) = bytes.strip_prefix(JOIN) {
        return stored_client_info(&bytes.slice_ref(rest)).map(Message::Join);
    }
    if let Some(rest) = bytes.strip_prefix(LEAVE) {
        return stored_client_info(&bytes.slice_ref(rest)).map(Message::Leave);
    }
    if let Some(rest) = bytes.strip_prefix(POSITION) {
        let (position, body) = positioned(rest)?;
        return publication_message(&bytes.slice_ref(body), position, None);
    }
    if let Some(rest) = bytes.strip_prefix(DELTA) {
        let (offset, rest) = field(rest, b":")?;
        let (epoch, rest) = field(rest, b":")?;
        let (previous, rest) = counted(rest)?;
        let (body, rest) = counted(rest.strip_prefix(b":").ok_or(Malformed::Header)?)?;
        if !rest.is_empty() {
            return Err(Malformed::Header);
        }
        let previous = (!previous.is_empty()).then(|| bytes.slice_ref(previous));
        // The reference takes it out of a list as it is stored there, with its header.
        let previous = previous.map(|item| list_item(&item).map_or(item, |(_, body)| body));
        return publication_message(&bytes.slice_ref(body), position(offset, epoch)?, previous.as_ref());
    }
    publication_message(bytes, StreamPosition::default(), None)
}

/// Reads an item of a history that is a list: header and Protobuf.
///
/// # Errors
/// [`Malformed`] for what nobody of ours stores.
pub fn list_item(bytes: &Bytes) -> Result<(u64, Bytes), Malformed> {
    let rest = bytes.strip_prefix(POSITION).ok_or(Malformed::Header)?;
    let (position, body) = positioned(rest)?;
    Ok((position.offset, bytes.slice_ref(body)))
}

/// Reads a publication that was stored at `offset`.
///
/// # Errors
/// [`Malformed`] for what nobody of ours stores.
pub fn stored_publication(bytes: &Bytes, offset: u64) -> Result<Publication, Malformed> {
    decode(bytes, offset).map(|(publication, _)| publication)
}

/// Reads a client that presence stored.
///
/// # Errors
/// [`Malformed`] for what nobody of ours stores.
pub fn stored_client_info(bytes: &Bytes) -> Result<ClientInfo, Malformed> {
    wire::ClientInfo::decode(bytes.clone()).map(client_info_model).map_err(|_| Malformed::Body)
}

/// Tells apart what is stored at the same offset of streams that have become different. Of this process only.
pub fn content_hash(stored: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(stored);
    hasher.finish()
}

fn publication_message(
    body: &Bytes,
    position: StreamPosition,
    previous: Option<&Bytes>,
) -> Result<Message, Malformed> {
    let (publication, epoch) = decode(body, position.offset)?;
    let epoch = if epoch.is_unknown() { position.epoch } else { epoch };
    // The one before has the offset before: streams have no holes.
    let before = publication.offset.saturating_sub(1);
    let previous = previous.map(|bytes| stored_publication(bytes, before)).transpose()?;
    let hash = if publication.offset == 0 { 0 } else { content_hash(body) };
    Ok(Message::Publication {
        publication: Arc::new(publication),
        epoch,
        previous: previous.map(Arc::new),
        hash,
    })
}

/// What the Protobuf says of the position counts before what is said outside of it.
fn decode(body: &Bytes, offset: u64) -> Result<(Publication, Epoch), Malformed> {
    let message = wire::Publication::decode(body.clone()).map_err(|_| Malformed::Body)?;
    let publication = Publication {
        offset: if message.offset == 0 { offset } else { message.offset },
        data: Payload::new(message.data),
        info: message.info.map(|info| Box::new(client_info_model(*info))),
        tags: message.tags,
    };
    Ok((publication, Epoch::from(message.epoch.as_str())))
}

fn client_info_message(info: &ClientInfo) -> wire::ClientInfo {
    let bytes =
        |payload: Option<&Payload>| payload.map(|payload| payload.bytes().clone()).unwrap_or_default();
    wire::ClientInfo {
        user: info.user.as_str().to_owned(),
        client: info.client.clone(),
        conn_info: bytes(info.conn_info.as_ref()),
        chan_info: bytes(info.chan_info.as_ref()),
    }
}

fn client_info_model(info: wire::ClientInfo) -> ClientInfo {
    let payload = |bytes: Bytes| (!bytes.is_empty()).then(|| Payload::new(bytes));
    ClientInfo {
        user: info.user.into(),
        client: info.client,
        conn_info: payload(info.conn_info),
        chan_info: payload(info.chan_info),
    }
}

/// `OFFSET:EPOCH__` and what follows.
fn positioned(rest: &[u8]) -> Result<(StreamPosition, &[u8]), Malformed> {
    let (offset, rest) = field(rest, b":")?;
    let (epoch, body) = field(rest, b"__")?;
    Ok((position(offset, epoch)?, body))
}

/// `LENGTH:` and so many bytes.
fn counted(rest: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = field(rest, b":")?;
    let length: usize = number(length)?;
    rest.split_at_checked(length).ok_or(Malformed::Header)
}

/// Longest field of a header: an epoch has eight letters, a number twenty digits.
const FIELD_MAX: usize = 256;

fn field<'b>(rest: &'b [u8], end: &[u8]) -> Result<(&'b [u8], &'b [u8]), Malformed> {
    let searched = &rest[..rest.len().min(FIELD_MAX)];
    let at = memchr::memmem::find(searched, end).ok_or(Malformed::Header)?;
    Ok((&rest[..at], &rest[at + end.len()..]))
}

fn position(offset: &[u8], epoch: &[u8]) -> Result<StreamPosition, Malformed> {
    let epoch = std::str::from_utf8(epoch).map_err(|_| Malformed::Header)?;
    Ok(StreamPosition { offset: number(offset)?, epoch: epoch.into() })
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Result<N, Malformed> {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::Header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn info() -> ClientInfo {
        let conn_info = Some(Payload::from("{\"a\":1}"));
        ClientInfo { user: "42".into(), client: "c".into(), conn_info, chan_info: None }
    }

    fn full() -> Publication {
        Publication {
            offset: 0,
            data: Payload::from("{\"x\":1}"),
            info: Some(Box::new(info())),
            tags: [("k".to_owned(), "v".to_owned())].into(),
        }
    }

    fn read(parts: &[&[u8]]) -> Result<Message, Malformed> {
        message(&parts.concat().into())
    }

    #[test]
    fn field_numbers_are_those_of_the_reference() {
        let bytes = publication(&full());
        // data 4, info 5 (user 1, client 2, conn_info 3), tags 7.
        let expected =
            b"\x22\x07{\"x\":1}\x2a\x10\x0a\x0242\x12\x01c\x1a\x07{\"a\":1}\x3a\x06\x0a\x01k\x12\x01v";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_publication_comes_with_its_position_and_with_the_one_before() {
        let body = publication(&full());
        let expected = |offset| Arc::new(Publication { offset, ..full() });
        let hash = content_hash(&body);
        for (got, offset, epoch, previous, hash) in [
            (read(&[&body]), 0, "", None, 0),
            (read(&[b"__p1:7:abc__", &body]), 7, "abc", None, hash),
            (
                read(&[b"__d1:7:abc:0::", body.len().to_string().as_bytes(), b":", &body]),
                7,
                "abc",
                None,
                hash,
            ),
            (
                read(&[
                    b"__d1:7:abc:15:__p1:6:abc__\"\x01a:",
                    body.len().to_string().as_bytes(),
                    b":",
                    &body,
                ]),
                7,
                "abc",
                Some("a"),
                hash,
            ),
            (
                read(&[b"__d1:7:abc:3:\"\x01a:", body.len().to_string().as_bytes(), b":", &body]),
                7,
                "abc",
                Some("a"),
                hash,
            ),
        ] {
            let previous = previous
                .map(|data| Arc::new(Publication { offset: 6, ..Publication::of(Payload::from(data)) }));
            let message =
                Message::Publication { publication: expected(offset), epoch: epoch.into(), previous, hash };
            assert_eq!(got, Ok(message));
        }
    }

    #[test]
    fn joins_and_leaves_are_told_apart() {
        assert_eq!(message(&join(&info()).into()), Ok(Message::Join(info())));
        assert_eq!(message(&leave(&info()).into()), Ok(Message::Leave(info())));
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over_and_the_delta_flag_is_forgotten() {
        // delta 8, time 9, channel 10, version 16.
        let got = read(&[b"\x22\x011\x40\x01\x48\x05\x52\x01c\x80\x01\x07"]);
        let Ok(Message::Publication { publication, .. }) = got else { unreachable!("{got:?}") };
        assert_eq!(*publication, Publication::of(Payload::from("1")));
    }

    #[test]
    fn what_nobody_of_ours_publishes_is_refused() {
        for bytes in [
            "__p1:x:e__",
            "__p1:1:e",
            "__p1:1",
            "__d1:1:e:5:a:0:",
            "__d1:1:e:0::0:x",
            "__d1:1:e:0:",
            "__x__",
            "{}",
        ] {
            assert!(message(&Bytes::from_static(bytes.as_bytes())).is_err(), "{bytes}");
        }
        let huge = b"__d1:1:e:18446744073709551615:a:0:";
        assert_eq!(message(&Bytes::from_static(huge)), Err(Malformed::Header));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), header in "(__[pdjl]1?(:|__)?[0-9a:_]{0,12})?") {
            drop(message(&[header.as_bytes(), &bytes].concat().into()));
        }
    }
}
