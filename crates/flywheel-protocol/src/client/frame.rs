use prost::Message as _;
use serde_json::error::Category;

use super::ConnectRequest;
use super::Encoding;
use super::command::{Command, Envelope, Malformed};
use crate::json;

/// Reads the commands of one transport message, one by one and in order. Ends after the first malformed one.
///
/// Source: client protocol, sections 2.1 and 2.2.
#[derive(Debug)]
pub struct Commands<'a> {
    rest: &'a [u8],
    encoding: Encoding,
    ended: bool,
}

/// The commands in `message`.
pub fn commands(message: &[u8], encoding: Encoding) -> Commands<'_> {
    Commands { rest: message, encoding, ended: false }
}

/// The bare connect request of a client that says nothing else; `null` is the empty one.
///
/// # Errors
/// It cannot be decoded.
///
/// Source: client protocol, section 9.
pub fn connect_request(text: &[u8]) -> Result<ConnectRequest, Malformed> {
    let lossy = String::from_utf8_lossy(text);
    json::from_slice(lossy.as_bytes()).map_err(|error| not_json(&error))
}

impl Iterator for Commands<'_> {
    type Item = Result<Command, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let command = match self.encoding {
            Encoding::Json => self.next_json(),
            Encoding::Protobuf => self.next_protobuf(),
        };
        self.ended |= self.rest.is_empty() || command.is_err();
        Some(command.map(Command::from))
    }
}

impl Commands<'_> {
    /// A line. The last one may end with a line feed, so that what is after it does not count as an empty line.
    fn next_json(&mut self) -> Result<Envelope, Malformed> {
        let (line, rest) = match memchr(b'\n', self.rest) {
            Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        if std::str::from_utf8(line).is_err() {
            // Text that is not UTF-8 is tolerated: bad bytes become U+FFFD, as in the reference.
            return json::first_value(String::from_utf8_lossy(line).as_bytes())
                .map_err(|error| not_json(&error));
        }
        json::first_value(line).map_err(|error| not_json(&error))
    }

    /// A message after its length. The length is compared with what is there before anything is done about it.
    fn next_protobuf(&mut self) -> Result<Envelope, Malformed> {
        let mut rest = self.rest;
        let length = prost::decode_length_delimiter(&mut rest).map_err(malformed)?;
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return Err(Malformed(format!(
                "length prefix of {length} bytes, but only {} follow",
                rest.len()
            )));
        };
        self.rest = rest;
        Envelope::decode(body).map_err(malformed)
    }
}

fn memchr(byte: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|candidate| *candidate == byte)
}

/// Says where the text is wrong and not what stands there, as the error itself does: it may be a token, in the wrong place.
fn not_json(error: &serde_json::Error) -> Malformed {
    let what = match error.classify() {
        Category::Io | Category::Syntax => "no JSON",
        Category::Data => "a value of another type than expected",
        Category::Eof => "an end too early",
    };
    Malformed(format!("{what} at column {}", error.column()))
}

fn malformed(error: impl std::fmt::Display) -> Malformed {
    Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::{Request, SubscribeRequest};
    use super::*;

    fn json(text: &str) -> Vec<Option<Command>> {
        commands(text.as_bytes(), Encoding::Json).map(Result::ok).collect()
    }

    fn protobuf(bytes: &[u8]) -> Vec<Option<Command>> {
        commands(bytes, Encoding::Protobuf).map(Result::ok).collect()
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what decoding yields")]
    fn subscribe(id: u32, channel: &str) -> Option<Command> {
        let request = SubscribeRequest { channel: channel.into(), ..Default::default() };
        Some(Command { id, request: Request::Subscribe(Box::new(request)) })
    }

    #[test]
    fn lines_are_commands_and_one_trailing_line_feed_is_accepted() {
        let two = [subscribe(1, "a"), subscribe(2, "b")];
        assert_eq!(
            json(
                "{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"b\"}}"
            ),
            two
        );
        assert_eq!(
            json(
                "{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}\r\n{\"ID\":2,\"Subscribe\":{\"CHANNEL\":\"b\"}}\n"
            ),
            two
        );
    }

    #[test]
    fn an_empty_line_ends_the_frame_after_the_commands_before_it() {
        assert_eq!(json(""), [None]);
        assert_eq!(json("\n"), [None]);
        assert_eq!(json("{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}\n\n{}"), [subscribe(1, "a"), None]);
        assert_eq!(json("{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}\n\n"), [subscribe(1, "a"), None]);
    }

    #[test]
    fn what_follows_the_first_value_of_a_line_is_ignored() {
        assert_eq!(json("{\"id\":1,\"subscribe\":{\"channel\":\"a\"}} trailing words"), [subscribe(1, "a")]);
    }

    #[test]
    fn only_objects_are_commands_and_types_are_strict() {
        for text in [
            "null",
            "[]",
            "1",
            "{\"id\":\"2\"}",
            "{\"id\":2.0}",
            "{\"id\":1e1}",
            "{\"id\":-1}",
            "{\"id\":4294967296}",
            "{\"id\":1,\"subscribe\":5}",
            "{\"id\":1,\"subscribe\":{\"channel\":5}}",
            "{",
        ] {
            assert_eq!(json(text), [None], "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_told_without_what_stands_there() {
        for (text, told) in [
            (r#"{"id":1,"connect":"secret"}"#, "a value of another type than expected at column 26"),
            (r#"{"id":"secret"}"#, "a value of another type than expected at column 14"),
            (r#"{"id":1,secret}"#, "no JSON at column 9"),
            (r#"{"id":1,"connect":{"token":"secret"#, "an end too early at column 34"),
        ] {
            let error = commands(text.as_bytes(), Encoding::Json).next().unwrap().unwrap_err();
            assert_eq!(error.to_string(), format!("malformed command: {told}"), "{text}");
        }
    }

    #[test]
    fn null_is_absent_but_a_null_payload_is_a_payload_and_the_last_repetition_counts() {
        assert_eq!(
            json("{\"id\":1,\"connect\":null,\"subscribe\":{\"channel\":\"a\",\"token\":null}}"),
            [subscribe(1, "a")]
        );
        assert_eq!(
            json("{\"id\":9,\"id\":1,\"subscribe\":{\"channel\":\"x\",\"channel\":\"a\"}}"),
            [subscribe(1, "a")]
        );
        let Some(Command { request: Request::Publish(publish), .. }) =
            json("{\"id\":1,\"publish\":{\"channel\":\"a\",\"data\": null }}").remove(0)
        else {
            panic!("not a publish");
        };
        assert_eq!(publish.data, "null");
    }

    #[test]
    fn the_first_request_in_the_table_wins() {
        let command = json("{\"id\":1,\"rpc\":{},\"subscribe\":{\"channel\":\"a\"}}").remove(0).unwrap();
        assert_eq!(command.request.name(), "subscribe");
        for (text, name) in [
            ("{}", "pong"),
            ("{\"subscribe\":{}}", "pong"),
            ("{\"send\":{}}", "send"),
            ("{\"id\":1}", "unknown"),
            ("{\"id\":1,\"ping\":{}}", "unknown"),
            ("{\"id\":1,\"new\":{}}", "unknown"),
        ] {
            assert_eq!(json(text).remove(0).unwrap().request.name(), name, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_become_replacement_characters() {
        let command = commands(b"{\"id\":1,\"subscribe\":{\"channel\":\"a\xff\"}}", Encoding::Json)
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(Some(command), subscribe(1, "a\u{fffd}"));
    }

    #[test]
    fn protobuf_messages_follow_their_length() {
        let frame = [8, 0x08, 1, 0x2a, 4, 0x0a, 2, b'a', b'b', 0];
        let commands = protobuf(&frame);
        assert_eq!(commands[0], subscribe(1, "ab"));
        assert_eq!(commands[1].as_ref().unwrap().request, Request::Pong);
    }

    #[test]
    fn a_length_beyond_the_frame_is_malformed_and_allocates_nothing() {
        for frame in [
            &[0xff, 0xff, 0xff, 0xff, 0x7f][..],
            &[5, 8, 1],
            &[0x80],
            &[],
            &[0xff; 11],
            &[2, 0x22, 0x7f],
            &[6, 0x22, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ] {
            assert_eq!(protobuf(frame).last(), Some(&None), "{frame:?}");
        }
    }
}
