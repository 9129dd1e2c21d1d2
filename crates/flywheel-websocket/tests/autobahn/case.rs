use flywheel_websocket::{
    CloseCode, Closing, Decoder, Event, Input, MessageKind, Opcode, Role, Rules, Utf8, write_frame,
    write_pong,
};

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// What the client of a case sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

/// One case: what the client sends in steps, and what it must have got back when all is sent.
pub(crate) struct Case {
    pub(crate) id: String,
    steps: Vec<Vec<u8>>,
    replies: Vec<Reply>,
    /// After so many steps, and not before, the server must have hung up.
    ends_with_step: Option<usize>,
}

impl Case {
    /// Expects `replies`, then that the server echoes the client's close frame.
    pub(crate) fn passes(id: &str, steps: Vec<Vec<u8>>, mut replies: Vec<Reply>) -> Self {
        let mut steps = steps;
        steps.push(close(1000));
        replies.push(Reply::Close(Some(1000)));
        Self::ends(id, steps, replies)
    }

    /// Expects `replies`, then that the server fails the connection with `code`, although more comes.
    pub(crate) fn fails(id: &str, mut steps: Vec<Vec<u8>>, mut replies: Vec<Reply>, code: u16) -> Self {
        steps.push(ping(b"late"));
        replies.push(Reply::Close(Some(code)));
        Self::ends(id, steps, replies)
    }

    /// Expects exactly `replies`.
    pub(crate) fn ends(id: &str, steps: Vec<Vec<u8>>, replies: Vec<Reply>) -> Self {
        Self { id: id.to_owned(), steps, replies, ends_with_step: None }
    }

    pub(crate) fn with_step(mut self, step: usize) -> Self {
        self.ends_with_step = Some(step);
        self
    }

    pub(crate) fn check(&self) {
        let bytes = self.steps.concat();
        for chunk in [usize::MAX, 1, 2, 3, 7, 64, 997] {
            self.replay(&format!("chunks of {chunk}"), bytes.chunks(chunk.min(bytes.len())));
        }
        for seed in 1..4 {
            self.replay(&format!("random chunks, seed {seed}"), random_chunks(&bytes, seed).into_iter());
        }
        self.replay("by step", self.steps.iter().map(Vec::as_slice));
        if let Some(last) = self.ends_with_step {
            let mut server = EchoServer::new();
            for (index, step) in self.steps.iter().enumerate() {
                server.read(step);
                assert_eq!(
                    server.closing.is_done(),
                    index + 1 >= last,
                    "case {}, step {}",
                    self.id,
                    index + 1
                );
            }
        }
    }

    fn replay<'c>(&self, how: &str, chunks: impl Iterator<Item = &'c [u8]>) {
        let mut server = EchoServer::new();
        for chunk in chunks {
            server.read(chunk);
        }
        assert!(server.closing.is_done(), "case {}, {how}: not closed", self.id);
        let replies = replies(&mut server.out);
        assert!(replies == self.replies, "case {}, {how}: {}", self.id, summary(&replies));
    }
}

/// A frame as the client of the suite sends it, right or wrong.
pub(crate) fn frame(fin: bool, rsv: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(fin) << 7 | rsv << 4 | opcode];
    match u16::try_from(payload.len()) {
        Ok(len @ 0..=125) => frame.push(0x80 | len.to_be_bytes()[1]),
        Ok(len) => {
            frame.push(0xFE);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(0xFF);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let key = [0x3C, 0xA5, 0x0F, 0x99];
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub(crate) fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(true, 0, opcode, payload)
}

pub(crate) fn first(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(false, 0, opcode, payload)
}

pub(crate) fn middle(payload: &[u8]) -> Vec<u8> {
    frame(false, 0, CONTINUATION, payload)
}

pub(crate) fn last(payload: &[u8]) -> Vec<u8> {
    frame(true, 0, CONTINUATION, payload)
}

pub(crate) fn ping(payload: &[u8]) -> Vec<u8> {
    whole(PING, payload)
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    whole(CLOSE, &code.to_be_bytes())
}

/// A message in fragments of `size` bytes.
pub(crate) fn fragmented(opcode: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(size);
    let fragment = |(index, piece): (usize, &[u8])| {
        let opcode = if index == 0 { opcode } else { CONTINUATION };
        frame(index + 1 == count, 0, opcode, piece)
    };
    payload.chunks(size).enumerate().map(fragment).collect()
}

struct EchoServer {
    decoder: Decoder,
    closing: Closing,
    out: Vec<u8>,
}

impl EchoServer {
    fn new() -> Self {
        let rules = Rules { utf8: Utf8::Check, max_message: 1 << 24, ..Rules::default() };
        Self { decoder: Decoder::new(rules), closing: Closing::default(), out: Vec::new() }
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut scratch = bytes.to_vec();
        let mut input = Input::new(&mut scratch);
        loop {
            match self.decoder.poll_event(&mut input) {
                Ok(Some(Event::Message { kind, payload, .. })) => {
                    let opcode = if kind == MessageKind::Text { Opcode::Text } else { Opcode::Binary };
                    write_frame(&mut self.out, opcode, payload, false);
                }
                Ok(Some(Event::Ping(payload))) => write_pong(&mut self.out, payload),
                Ok(Some(Event::Pong(_))) => {}
                Ok(Some(Event::Close { code, .. })) => self.closing.handle_close(&mut self.out, code),
                Ok(None) => return,
                Err(error) => self.closing.fail(&mut self.out, error.close_code()),
            }
        }
    }
}

fn replies(bytes: &mut [u8]) -> Vec<Reply> {
    let rules = Rules { role: Role::Client, utf8: Utf8::Check, max_message: 1 << 24, ..Rules::default() };
    let mut decoder = Decoder::new(rules);
    let mut input = Input::new(bytes);
    let mut replies = Vec::new();
    while let Some(event) = decoder.poll_event(&mut input).expect("the server's frames are right") {
        replies.push(match event {
            Event::Message { kind: MessageKind::Text, payload, .. } => Reply::Text(payload.to_vec()),
            Event::Message { kind: MessageKind::Binary, payload, .. } => Reply::Binary(payload.to_vec()),
            Event::Pong(payload) => Reply::Pong(payload.to_vec()),
            Event::Close { code, .. } => Reply::Close(code.map(CloseCode::get)),
            Event::Ping(_) => panic!("the server pinged"),
        });
    }
    replies
}

/// Enough to see what went wrong without megabytes of payload.
fn summary(replies: &[Reply]) -> String {
    replies.iter().map(|reply| format!("{reply:?}").chars().take(60).collect::<String>() + "; ").collect()
}

fn random_chunks(mut bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed;
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        // A linear congruential generator is random enough to cut at varying places.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let longest = [3, 20, 2000][usize::from(state.to_be_bytes()[2] % 3)];
        let size = (1 + usize::from(state.to_be_bytes()[0]) * longest / 256).min(bytes.len());
        let (chunk, rest) = bytes.split_at(size);
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}
