use crate::{HandshakeError, Request};

/// Limits of the first request of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes from the first one to the empty line, inclusive. The default of 80 KiB leaves room for a request target
    /// of 64 KiB, as clients of emulated transports send.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes: 80 * 1024 }
    }
}

/// Waits for the end of a request's head, however slowly it arrives.
///
/// Each byte is looked at once, and what there is parsed whenever it has doubled, so that garbage is refused early and
/// a client that sends byte by byte costs no more than one that does not.
#[derive(Debug, Clone)]
pub struct Head {
    limits: Limits,
    scanned: usize,
    parsed: usize,
    /// A byte other than a line ending was seen.
    begun: bool,
    line_empty: bool,
}

impl Head {
    /// Waits for the first request of a connection.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, scanned: 0, parsed: 0, begun: false, line_empty: true }
    }

    /// Looks at `bytes`, which are all that has arrived so far: the same as at the last call and more behind them.
    ///
    /// `None` asks for more bytes.
    ///
    /// # Errors
    /// It can no longer become a request within the limits.
    pub fn parse<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<Request<'b>>, HandshakeError> {
        let ended = self.scan(bytes);
        let doubled = bytes.len() / 2 >= self.parsed;
        if ended || doubled || bytes.len() >= self.limits.head_bytes {
            self.parsed = bytes.len();
            return Request::parse(bytes, self.limits);
        }
        Ok(None)
    }

    /// Whether an empty line ends in the bytes not yet looked at.
    fn scan(&mut self, bytes: &[u8]) -> bool {
        let fresh = bytes.get(self.scanned..).unwrap_or_default();
        self.scanned = bytes.len();
        let mut ended = false;
        for byte in fresh {
            match byte {
                b'\n' => {
                    ended |= self.begun && self.line_empty;
                    self.line_empty = true;
                }
                b'\r' => {}
                _ => {
                    self.begun = true;
                    self.line_empty = false;
                }
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /chat?a=b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";

    /// Feeds growing prefixes, `step` bytes longer each; the length at which the answer came, and the answer.
    fn feed(bytes: &[u8], step: usize) -> (usize, Result<usize, HandshakeError>) {
        let mut head = Head::new(Limits { head_bytes: 4096 });
        let mut end = 0;
        loop {
            end = (end + step).min(bytes.len());
            match head.parse(&bytes[..end]) {
                Ok(Some(request)) => return (end, Ok(request.head_len())),
                Ok(None) => assert!(end < bytes.len(), "no answer"),
                Err(error) => return (end, Err(error)),
            }
        }
    }

    #[test]
    fn a_head_is_complete_with_its_empty_line_whatever_the_pace() {
        for step in 1..=REQUEST.len() {
            let end = REQUEST.len();
            assert_eq!(feed(REQUEST, step), (end, Ok(end)), "{step} bytes at a time");
        }
    }

    #[test]
    fn bare_line_feeds_and_leading_empty_lines_are_taken() {
        let bare = b"\r\n\nGET / HTTP/1.1\nHost: x\n\n";
        assert_eq!(feed(bare, 1), (bare.len(), Ok(bare.len())));
    }

    #[test]
    fn bytes_behind_the_head_are_not_counted() {
        let mut bytes = REQUEST.to_vec();
        bytes.extend_from_slice(b"\x81\x80\0\0\0\0\r\n\r\n");
        assert_eq!(feed(&bytes, bytes.len()).1, Ok(REQUEST.len()));
    }

    #[test]
    fn a_head_that_does_not_end_is_refused_at_the_limit() {
        let mut bytes = b"GET /".to_vec();
        bytes.resize(10_000, b'a');
        let too_large = Err(HandshakeError::TooLarge { limit: 4096 });
        assert_eq!(feed(&bytes, 1), (4096, too_large));
        assert_eq!(feed(&bytes, 10_000), (10_000, too_large));
    }

    #[test]
    fn garbage_is_refused_before_a_line_ends() {
        let tls = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03];
        assert!(matches!(feed(&tls, 1), (1, Err(HandshakeError::Malformed(_)))));
        let (end, answer) = feed(&[&b"GET / HTTP/1.1\r\nHo st: x\r\n"[..], &[b'x'; 2000]].concat(), 1);
        assert!(matches!(answer, Err(HandshakeError::Malformed(_))));
        assert!(end <= 64, "{end}");
    }

    #[test]
    fn a_slow_client_is_parsed_a_logarithmic_number_of_times() {
        let mut target = b"GET /".to_vec();
        target.resize(4000, b'a');
        for bytes in [target, b"\r\n".repeat(2000)] {
            let mut head = Head::new(Limits { head_bytes: 4096 });
            let mut parsed = Vec::new();
            for end in 1..=bytes.len() {
                assert!(head.parse(&bytes[..end]).unwrap().is_none());
                parsed.push(head.parsed);
            }
            parsed.dedup();
            assert!(parsed.len() <= 13, "{parsed:?}");
        }
    }
}
