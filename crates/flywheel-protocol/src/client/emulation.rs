use bytes::Bytes;
use prost::Message as _;

use super::command::Malformed;
use super::{EmulationRequest, Encoding};
use crate::json;

/// A frame that comes in a request of its own, for a connection that only the server can write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulation {
    /// The node that has the connection.
    pub node: String,
    /// The connection's session.
    pub session: String,
    /// Of the request; a connection's frames come in requests of its own encoding.
    pub encoding: Encoding,
    /// The frame; `None` when what stood in its place cannot be one, which the protocol ignores.
    pub frame: Option<Bytes>,
}

impl Emulation {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// It cannot be decoded.
    ///
    /// Source: client protocol, sections 1.10 and 8.3.
    pub fn read(body: &[u8], encoding: Encoding) -> Result<Self, Malformed> {
        let malformed = |error: &dyn std::fmt::Display| Malformed(error.to_string());
        Ok(match encoding {
            Encoding::Json => {
                let request: EmulationRequest = json::from_slice(String::from_utf8_lossy(body).as_bytes())
                    .map_err(|error| malformed(&error))?;
                let frame = unquoted(&request.data);
                Self { node: request.node, session: request.session, encoding, frame }
            }
            Encoding::Protobuf => {
                let request = EmulationRequest::decode(body).map_err(|error| malformed(&error))?;
                Self { node: request.node, session: request.session, encoding, frame: Some(request.data) }
            }
        })
    }

    /// What the connection's node is told when another one got the request. A frame of JSON stands there as it does in a
    /// request: as the text of a string.
    pub fn relayed(&self) -> Vec<u8> {
        let frame = self.frame.clone().unwrap_or_default();
        let data = match self.encoding {
            Encoding::Json => {
                let mut quoted = Vec::new();
                json::write_string(&String::from_utf8_lossy(&frame), &mut quoted);
                quoted.into()
            }
            Encoding::Protobuf => frame,
        };
        EmulationRequest { node: self.node.clone(), session: self.session.clone(), data }.encode_to_vec()
    }
}

/// A frame that reached its connection's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmulatedFrame {
    /// In a request.
    Direct(Bytes),
    /// Through another node, as that one [`relayed`](Emulation::relayed) it.
    Relayed(Bytes),
}

impl EmulatedFrame {
    /// The frame for a connection of this encoding; `None` when what was relayed cannot be one.
    pub fn read(self, encoding: Encoding) -> Option<Bytes> {
        match (self, encoding) {
            (Self::Relayed(data), Encoding::Json) => unquoted(&data),
            (Self::Direct(frame) | Self::Relayed(frame), _) => Some(frame),
        }
    }
}

/// The text of a string; nothing at all is an empty one.
fn unquoted(json: &[u8]) -> Option<Bytes> {
    if json == b"null" {
        return Some(Bytes::new());
    }
    serde_json::from_slice::<String>(json).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(data: &str) -> Option<Bytes> {
        let body = format!(r#"{{"session":"s","node":"n"{data}}}"#);
        let read = Emulation::read(body.as_bytes(), Encoding::Json).unwrap();
        assert_eq!((read.session.as_str(), read.node.as_str()), ("s", "n"));
        read.frame
    }

    #[test]
    fn in_json_the_frame_is_a_string() {
        assert_eq!(json(r#","data":"{\"id\":2}\n{}""#).unwrap(), "{\"id\":2}\n{}");
        assert_eq!(json(r#","data":"""#).unwrap(), "");
    }

    #[test]
    fn null_is_an_empty_frame_and_any_other_value_is_none() {
        assert_eq!(json(r#","data":null"#).unwrap(), "");
        for data in [r#","data":{}"#, r#","data":7"#, r#","data":["{}"]"#, ""] {
            assert_eq!(json(data), None, "{data}");
        }
    }

    #[test]
    fn in_protobuf_the_frame_is_bytes() {
        let body = b"\x0a\x01n\x12\x01s\x1a\x02\x01\x00";
        let (node, session) = ("n".to_owned(), "s".to_owned());
        let expected =
            Emulation { node, session, encoding: Encoding::Protobuf, frame: Some("\x01\0".into()) };
        assert_eq!(Emulation::read(body, Encoding::Protobuf), Ok(expected));
    }

    #[test]
    fn a_frame_is_the_same_after_it_was_relayed() {
        for (encoding, body) in [
            (Encoding::Json, &br#"{"session":"s","node":"n","data":"{\"id\":2}\n{\"a\":\"\u0001\"}"}"#[..]),
            (Encoding::Protobuf, b"\x0a\x01n\x12\x01s\x1a\x02\x01\xff"),
        ] {
            let direct = Emulation::read(body, encoding).unwrap();
            let relayed = EmulationRequest::decode(&*direct.relayed()).unwrap();
            assert_eq!((relayed.session, relayed.node), (direct.session, direct.node));
            assert_eq!(EmulatedFrame::Relayed(relayed.data).read(encoding), direct.frame);
        }
        assert_eq!(EmulatedFrame::Relayed("{}".into()).read(Encoding::Json), None, "no string");
        assert_eq!(EmulatedFrame::Direct("{}".into()).read(Encoding::Json).unwrap(), "{}");
    }

    #[test]
    fn what_is_no_request_is_malformed() {
        for body in ["", "{", "[]", "{\"session\":5}", "{} {}"] {
            assert!(Emulation::read(body.as_bytes(), Encoding::Json).is_err(), "{body}");
        }
        assert!(Emulation::read(b"\x1a\x7f", Encoding::Protobuf).is_err());
    }
}
