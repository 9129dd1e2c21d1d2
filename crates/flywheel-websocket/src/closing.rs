use crate::{CloseCode, write_close};

/// How far the closing handshake of a server's connection has come.
///
/// Nothing but the frames written here may be sent once it has begun, so ask [`may_send`](Self::may_send) before each
/// message, ping and pong. Source: RFC 6455, sections 5.5.1 and 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    /// Neither side has sent a close frame.
    #[default]
    Open,
    /// Ours is sent; the peer's is awaited, for as long as the caller has patience.
    Sent,
    /// Both are sent, or nothing more is to be expected of the peer: flush and close TCP.
    Done,
}

impl Closing {
    /// Whether messages, pings and pongs may still be sent.
    pub fn may_send(self) -> bool {
        self == Self::Open
    }

    /// We want to close: appends a close frame, unless one was written before.
    pub fn start(&mut self, out: &mut Vec<u8>, code: Option<CloseCode>, reason: &str) {
        if *self == Self::Open {
            write_close(out, code, reason);
            *self = Self::Sent;
        }
    }

    /// The peer broke the protocol: appends a close frame with `code`, unless one was written before, and waits for
    /// nothing.
    pub fn fail(&mut self, out: &mut Vec<u8>, code: CloseCode) {
        self.start(out, Some(code), "");
        *self = Self::Done;
    }

    /// The peer's close frame arrived: appends the echo, its code without a reason, unless we closed first.
    pub fn handle_close(&mut self, out: &mut Vec<u8>, code: Option<CloseCode>) {
        self.start(out, code, "");
        *self = Self::Done;
    }

    /// Whether TCP may be closed as soon as everything is flushed.
    pub fn is_done(self) -> bool {
        self == Self::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_code_is_echoed_without_its_reason() {
        let mut out = Vec::new();
        let mut closing = Closing::default();
        assert!(closing.may_send());
        closing.handle_close(&mut out, Some(CloseCode::new(4242)));
        assert_eq!(out, [0x88, 2, 0x10, 0x92]);
        assert!(closing.is_done() && !closing.may_send());
    }

    #[test]
    fn an_empty_close_frame_is_echoed_empty() {
        let mut out = Vec::new();
        Closing::default().handle_close(&mut out, None);
        assert_eq!(out, [0x88, 0]);
    }

    #[test]
    fn whoever_closed_first_does_not_echo() {
        let mut out = Vec::new();
        let mut closing = Closing::default();
        closing.start(&mut out, Some(CloseCode::NORMAL), "bye");
        assert!(!closing.may_send() && !closing.is_done());
        let sent = out.clone();
        closing.start(&mut out, Some(CloseCode::GOING_AWAY), "again");
        closing.handle_close(&mut out, Some(CloseCode::NORMAL));
        assert_eq!(out, sent);
        assert!(closing.is_done());
    }

    #[test]
    fn a_failed_connection_is_done_at_once_and_sends_one_close_frame() {
        let mut out = Vec::new();
        let mut closing = Closing::default();
        closing.fail(&mut out, CloseCode::TOO_BIG);
        closing.fail(&mut out, CloseCode::PROTOCOL_ERROR);
        assert_eq!(out, [0x88, 2, 0x03, 0xF1]);
        assert!(closing.is_done());
    }
}
