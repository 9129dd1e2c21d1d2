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
                let frame = if request.data == "null" {
                    Some(Bytes::new())
                } else {
                    serde_json::from_slice::<String>(&request.data).ok().map(Bytes::from)
                };
                Self { node: request.node, session: request.session, frame }
            }
            Encoding::Protobuf => {
                let request = EmulationRequest::decode(body).map_err(|error| malformed(&error))?;
                Self { node: request.node, session: request.session, frame: Some(request.data) }
            }
        })
    }
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
        let expected = Emulation { node: "n".into(), session: "s".into(), frame: Some("\x01\0".into()) };
        assert_eq!(Emulation::read(body, Encoding::Protobuf), Ok(expected));
    }

    #[test]
    fn what_is_no_request_is_malformed() {
        for body in ["", "{", "[]", "{\"session\":5}", "{} {}"] {
            assert!(Emulation::read(body.as_bytes(), Encoding::Json).is_err(), "{body}");
        }
        assert!(Emulation::read(b"\x1a\x7f", Encoding::Protobuf).is_err());
    }
}
