use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use crate::{Request, UpgradeError, accept_key};

/// The key is only hashed, so the four bits its last character has too many are not worth a refusal.
const KEY_ENGINE: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
/// Characters of 16 bytes in padded base64.
const KEY_CHARS: usize = 24;

/// A request that may become a WebSocket: whether it is allowed to is for the caller to say.
#[derive(Debug, Clone, Copy)]
pub struct Upgrade<'r, 'b> {
    request: &'r Request<'b>,
    key: &'b [u8],
}

impl<'r, 'b> Upgrade<'r, 'b> {
    /// Checks everything RFC 6455, section 4.2.1 asks for that does not depend on the application.
    ///
    /// # Errors
    /// The first thing that is wrong. The answer is [`write_bad_request`](crate::write_bad_request).
    pub fn check(request: &'r Request<'b>) -> Result<Self, UpgradeError> {
        if request.method() != "GET" {
            return Err(UpgradeError::Method);
        }
        if request.minor_version() < 1 {
            return Err(UpgradeError::HttpVersion);
        }
        if !request.has_token("upgrade", "websocket") {
            return Err(UpgradeError::Upgrade);
        }
        if !request.has_token("connection", "upgrade") {
            return Err(UpgradeError::Connection);
        }
        if !request.has_token("sec-websocket-version", "13") {
            return Err(UpgradeError::Version);
        }
        let key = key(request).ok_or(UpgradeError::Key)?;
        let empty = request.values("content-length").all(|length| length == b"0");
        if !empty || request.header("transfer-encoding").is_some() {
            return Err(UpgradeError::Body);
        }
        Ok(Self { request, key })
    }

    /// What `Sec-WebSocket-Accept` answers.
    pub fn accept(&self) -> [u8; 28] {
        accept_key(self.key)
    }

    /// The subprotocols the client offers, most wanted first. An empty header offers none.
    pub fn protocols(&self) -> impl Iterator<Item = &'b str> + 'r {
        self.request.items("sec-websocket-protocol")
    }

    /// The first subprotocol of the client's list that is `known`. The handshake succeeds without one as well.
    ///
    /// Source: client protocol, section 2.3.
    pub fn choose_protocol<'k>(&self, known: &[&'k str]) -> Option<&'k str> {
        self.protocols().find_map(|offered| known.iter().copied().find(|name| *name == offered))
    }

    /// The extensions the client offers, each with its parameters, most wanted first.
    pub fn extensions(&self) -> impl Iterator<Item = &'b str> + 'r {
        self.request.items("sec-websocket-extensions")
    }
}

fn key<'b>(request: &Request<'b>) -> Option<&'b [u8]> {
    let mut keys = request.values("sec-websocket-key");
    let key = keys.next().filter(|key| key.len() == KEY_CHARS)?;
    let mut decoded = [0; KEY_CHARS / 4 * 3];
    let valid = keys.next().is_none() && KEY_ENGINE.decode_slice(key, &mut decoded) == Ok(16);
    valid.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    const HEADERS: [(&str, &str); 5] = [
        ("Host", "server.example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    /// What a good request becomes when `name` is given `values` instead of its own.
    fn check(line: &str, name: &str, values: &[&str]) -> Result<Vec<String>, UpgradeError> {
        let mut head = format!("{line}\r\n");
        let others = HEADERS.iter().filter(|(other, _)| *other != name).copied();
        for (name, value) in others.chain(values.iter().map(|value| (name, *value))) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let request = Request::parse(head.as_bytes(), Limits::default()).unwrap().unwrap();
        let upgrade = Upgrade::check(&request)?;
        assert_eq!(&upgrade.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        Ok(upgrade.protocols().map(str::to_owned).collect())
    }

    const GET: &str = "GET /chat HTTP/1.1";

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(check(GET, "Origin", &["http://example.com"]), Ok(vec![]));
    }

    #[test]
    fn method_and_version_of_http_must_fit() {
        assert_eq!(check("POST / HTTP/1.1", "x", &[]), Err(UpgradeError::Method));
        assert_eq!(check("get / HTTP/1.1", "x", &[]), Err(UpgradeError::Method));
        assert_eq!(check("GET / HTTP/1.0", "x", &[]), Err(UpgradeError::HttpVersion));
    }

    #[test]
    fn upgrade_and_connection_are_lists_in_whatever_case() {
        assert_eq!(check(GET, "Upgrade", &["h2c, WebSocket"]), Ok(vec![]));
        assert_eq!(check(GET, "Connection", &["keep-alive", "close, UPGRADE"]), Ok(vec![]));
        for values in [&[][..], &[""], &["websockets"], &["h2c"], &["web socket"]] {
            assert_eq!(check(GET, "Upgrade", values), Err(UpgradeError::Upgrade), "{values:?}");
            assert_eq!(check(GET, "Connection", values), Err(UpgradeError::Connection), "{values:?}");
        }
    }

    #[test]
    fn the_key_is_16_bytes_of_base64_and_single() {
        let good = "dGhlIHNhbXBsZSBub25jZQ==";
        let bad: [&[&str]; 7] = [
            &[],
            &[""],
            &["dGhlIHNhbXBsZSBub25j"],
            &["dGhlIHNhbXBsZSBub25jZQAA"],
            &["dGhlIHNhbXBsZSBub25jZQ"],
            &["dGhlIHNhbXBs*SBub25jZQ=="],
            &[good, good],
        ];
        for values in bad {
            assert_eq!(check(GET, "Sec-WebSocket-Key", values), Err(UpgradeError::Key), "{values:?}");
        }
    }

    #[test]
    fn only_version_13_is_spoken() {
        for values in [&[][..], &[""], &["8"], &["130"], &["0, 8"]] {
            assert_eq!(check(GET, "Sec-WebSocket-Version", values), Err(UpgradeError::Version), "{values:?}");
        }
        assert_eq!(check(GET, "Sec-WebSocket-Version", &["8", "13"]), Ok(vec![]));
    }

    #[test]
    fn a_body_would_pass_for_frames_and_is_refused() {
        assert_eq!(check(GET, "Content-Length", &["0"]), Ok(vec![]));
        assert_eq!(check(GET, "Content-Length", &["5"]), Err(UpgradeError::Body));
        assert_eq!(check(GET, "Transfer-Encoding", &["chunked"]), Err(UpgradeError::Body));
    }

    #[test]
    fn subprotocols_keep_the_clients_order_and_an_empty_header_is_none() {
        assert_eq!(check(GET, "Sec-WebSocket-Protocol", &["b, a", "c"]).unwrap(), ["b", "a", "c"]);
        assert!(check(GET, "Sec-WebSocket-Protocol", &[""]).unwrap().is_empty());
        assert!(check(GET, "Sec-WebSocket-Protocol", &[" , "]).unwrap().is_empty());
    }

    #[test]
    fn the_first_known_subprotocol_of_the_client_is_chosen() {
        let choose = |offered: &str| {
            let head = format!(
                "{GET}\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {offered}\r\n\r\n"
            );
            let request = Request::parse(head.as_bytes(), Limits::default()).unwrap().unwrap();
            let known = ["centrifuge-json", "centrifuge-protobuf"];
            Upgrade::check(&request).unwrap().choose_protocol(&known)
        };
        assert_eq!(choose("x, centrifuge-protobuf, centrifuge-json"), Some("centrifuge-protobuf"));
        assert_eq!(choose("centrifuge-json"), Some("centrifuge-json"));
        assert_eq!(choose("x, Centrifuge-Json"), None);
        assert_eq!(choose(""), None);
    }

    #[test]
    fn a_bad_attempt_is_still_an_attempt() {
        let is_upgrade = |headers: &str| {
            let head = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            Request::parse(head.as_bytes(), Limits::default()).unwrap().unwrap().is_upgrade()
        };
        assert!(is_upgrade("Upgrade: WebSocket\r\n"));
        assert!(is_upgrade("Sec-WebSocket-Key: x\r\n"));
        assert!(!is_upgrade("Upgrade: h2c\r\nConnection: upgrade\r\n"));
        assert!(!is_upgrade(""));
    }
}
