//! What holds for every input: chunks do not matter, encoding and decoding agree, memory follows the bytes that came.

use flywheel_websocket::{
    CloseCode, Decoder, Event, HEADER_BYTES_MAX, Head, Input, Limits, MessageKind, Opcode, OpenFrame,
    ProtocolError, Role, Rules, Utf8, Utf8Validator, write_close, write_frame, write_masked_close,
    write_masked_frame,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// What the decoder keeps for an incomplete frame besides its payload, generously.
const FIXED_BYTES: usize = 256;
const LIMIT: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Message(MessageKind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseCode>, String),
    Error(ProtocolError),
}

fn decode<'c>(rules: Rules, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::new(rules);
    let (mut seen, mut fed) = (Vec::new(), 0);
    for chunk in chunks {
        let mut scratch = chunk.to_vec();
        fed += chunk.len();
        let mut input = Input::new(&mut scratch);
        loop {
            seen.push(match decoder.poll_event(&mut input) {
                Ok(Some(Event::Message { kind, payload, compressed })) => {
                    assert!(payload.len() <= rules.max_message);
                    Seen::Message(kind, payload.to_vec(), compressed)
                }
                Ok(Some(Event::Ping(payload))) => Seen::Ping(payload.to_vec()),
                Ok(Some(Event::Pong(payload))) => Seen::Pong(payload.to_vec()),
                Ok(Some(Event::Close { code, reason })) => Seen::Close(code, reason.to_owned()),
                Ok(None) => break,
                Err(error) => Seen::Error(error),
            });
        }
        assert_eq!(input.remaining(), 0);
        let buffer = (2 * fed + 64).min(rules.max_message + 125);
        assert!(decoder.held_bytes() <= FIXED_BYTES + buffer, "{} held of {fed}", decoder.held_bytes());
    }
    seen
}

/// Cuts `bytes` into pieces of the given sizes, over and over.
fn cut<'b>(mut bytes: &'b [u8], sizes: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![Just(1_usize), 1..8_usize, 1..400_usize], 1..8)
}

fn rules() -> impl Strategy<Value = Rules> {
    (any::<[bool; 3]>(), 0..2 * LIMIT, 0..6_u32).prop_map(
        |([check, client, compression], max_message, max_fragments)| {
            let utf8 = if check { Utf8::Check } else { Utf8::Ignore };
            let role = if client { Role::Client } else { Role::Server };
            Rules { role, utf8, compression, max_message, max_fragments }
        },
    )
}

/// Frames that are mostly right, so that random bytes get past the first header.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop_oneof![Just(0x81_u8), Just(0x82), Just(0x01), Just(0x02), Just(0x00), Just(0x80), Just(0x89)],
        2 => prop_oneof![Just(0x8A_u8), Just(0x88), Just(0xC1), Just(0x41)],
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "\\PC{0,100}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..150),
        1 => vec(any::<u8>(), 0..1500),
    ];
    let frame =
        (first, payload, prop::option::weighted(0.9, any::<[u8; 4]>())).prop_map(|(first, payload, key)| {
            let mut frame = Vec::new();
            match key {
                Some(key) => write_masked_frame(&mut frame, Opcode::Binary, &payload, false, key),
                None => write_frame(&mut frame, Opcode::Binary, &payload, false),
            }
            frame[0] = first;
            frame
        });
    (vec(frame, 0..12), vec(any::<u8>(), 0..20)).prop_map(|(frames, tail)| [frames.concat(), tail].concat())
}

proptest! {
    #[test]
    fn a_message_survives_all_fragments_and_chunks(
        text in "\\PC{0,300}",
        kind in prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)],
        fragments in sizes(),
        chunks in sizes(),
        pings in vec(any::<bool>(), 1..5),
        key in any::<[u8; 4]>(),
    ) {
        let pieces = cut(text.as_bytes(), &fragments);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (index, (piece, ping)) in pieces.iter().zip(pings.iter().cycle()).enumerate() {
            if *ping {
                write_masked_frame(&mut bytes, Opcode::Ping, b"?", false, key);
                expected.push(Seen::Ping(b"?".to_vec()));
            }
            let opcode = match (index, kind) {
                (0, MessageKind::Text) => Opcode::Text,
                (0, MessageKind::Binary) => Opcode::Binary,
                _ => Opcode::Continuation,
            };
            let start = bytes.len();
            write_masked_frame(&mut bytes, opcode, piece, false, key);
            if index + 1 < pieces.len() {
                bytes[start] &= 0x7F;
            }
        }
        if !pieces.is_empty() {
            expected.push(Seen::Message(kind, text.clone().into_bytes(), false));
        }
        let rules = Rules { utf8: Utf8::Check, ..Rules::default() };
        prop_assert_eq!(decode(rules, cut(&bytes, &chunks)), expected);
    }

    #[test]
    fn what_a_server_encodes_a_client_decodes_and_back(
        payload in vec(any::<u8>(), 0..70_000),
        expected_len in 0..70_000_usize,
        compressed in any::<bool>(),
        code in prop_oneof![1000..1004_u16, 1007..1015_u16, 3000..5000_u16].prop_map(CloseCode::new),
        reason in "\\PC{0,40}",
        key in any::<[u8; 4]>(),
        chunks in sizes(),
    ) {
        let rules = Rules { role: Role::Client, compression: true, max_message: payload.len(), ..Rules::default() };
        let message = Seen::Message(MessageKind::Binary, payload.clone(), compressed);
        let seen = [message.clone(), message, Seen::Close(Some(code), reason.clone())];

        let mut bytes = Vec::new();
        write_frame(&mut bytes, Opcode::Binary, &payload, compressed);
        let frame = OpenFrame::begin(&mut bytes, expected_len);
        bytes.extend_from_slice(&payload);
        frame.finish(&mut bytes, Opcode::Binary, compressed);
        write_close(&mut bytes, Some(code), &reason);
        prop_assert_eq!(&decode(rules, cut(&bytes, &chunks)), &seen);

        bytes.clear();
        write_masked_frame(&mut bytes, Opcode::Binary, &payload, compressed, key);
        write_masked_frame(&mut bytes, Opcode::Binary, &payload, compressed, key);
        write_masked_close(&mut bytes, Some(code), &reason, key);
        prop_assert_eq!(&decode(Rules { role: Role::Server, ..rules }, [&bytes[..]]), &seen);
    }

    #[test]
    fn chunks_change_neither_events_nor_errors(bytes in nearly_frames(), rules in rules(), chunks in sizes()) {
        prop_assert_eq!(decode(rules, [&bytes[..]]), decode(rules, cut(&bytes, &chunks)));
    }

    #[test]
    fn random_bytes_are_survived(bytes in vec(any::<u8>(), 0..300), rules in rules(), chunks in sizes()) {
        let seen = decode(rules, cut(&bytes, &chunks));
        prop_assert!(seen.iter().filter(|seen| matches!(seen, Seen::Error(_) | Seen::Close(..))).count() <= 1);
    }

    #[test]
    fn utf8_in_pieces_is_judged_as_in_whole(bytes in nearly_text(), pieces in sizes()) {
        let mut validator = Utf8Validator::default();
        let mut before = 0;
        let mut refused = false;
        for piece in cut(&bytes, &pieces) {
            refused = validator.push(piece).is_err();
            before += piece.len();
            let whole = std::str::from_utf8(&bytes[..before]);
            prop_assert_eq!(refused, whole.is_err_and(|error| error.error_len().is_some()));
            if refused {
                break;
            }
            prop_assert_eq!(validator.finish().is_ok(), whole.is_ok());
        }
        prop_assert_eq!(!refused && validator.finish().is_ok(), std::str::from_utf8(&bytes).is_ok());
    }

    #[test]
    fn a_head_that_comes_in_pieces_is_parsed_as_in_whole(head in nearly_head(), pieces in sizes()) {
        let limits = Limits { head_bytes: 400 };
        let whole = Head::new(limits).parse(&head).map(|request| request.map(|request| request.head_len()));
        let mut reader = Head::new(limits);
        let mut end = 0;
        let mut answer = Ok(None);
        for piece in cut(&head, &pieces) {
            end += piece.len();
            answer = reader.parse(&head[..end]).map(|request| request.map(|request| request.head_len()));
            if answer != Ok(None) {
                break;
            }
        }
        match (whole, answer) {
            // Garbage is looked for at doubling lengths only, so it may go unnoticed until more has come.
            (Err(_), Err(_) | Ok(None)) => {}
            (whole, answer) => prop_assert_eq!(whole, answer),
        }
    }
}

fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
    ("\\PC{0,60}", damage).prop_map(|(text, damage)| {
        let mut bytes = text.into_bytes();
        for (index, byte) in damage {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        bytes
    })
}

fn nearly_head() -> impl Strategy<Value = Vec<u8>> {
    let line_end = || prop_oneof![6 => Just("\r\n"), 1 => Just("\n")];
    let header = ("[A-Za-z-]{1,10}", "[ -~]{0,20}", line_end())
        .prop_map(|(name, value, end)| format!("{name}:{value}{end}"));
    let path = "[a-z?=]{0,40}";
    (path, line_end(), vec(header, 0..12), line_end(), vec(any::<u8>(), 0..20)).prop_map(
        |(path, first_end, headers, last_end, tail)| {
            let head = format!("GET /{path} HTTP/1.1{first_end}{}{last_end}", headers.concat());
            [head.into_bytes(), tail].concat()
        },
    )
}

#[test]
fn every_split_of_a_text_with_all_character_lengths_is_judged_alike() {
    let text = "a¢€𤭢\u{10FFFF}\0".as_bytes();
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let mut validator = Utf8Validator::default();
            for piece in [&text[..first], &text[first..second], &text[second..]] {
                assert_eq!(validator.push(piece), Ok(()), "{first} {second}");
            }
            assert_eq!(validator.finish(), Ok(()));
        }
    }
}

#[test]
fn a_header_is_cut_at_every_place() {
    let mut bytes = Vec::new();
    write_masked_frame(&mut bytes, Opcode::Binary, &vec![5; 66_000], false, [1, 2, 3, 4]);
    let rules = Rules { max_message: 66_000, ..Rules::default() };
    let whole = decode(rules, [&bytes[..]]);
    for first in 0..=HEADER_BYTES_MAX + 5 {
        for second in first..=HEADER_BYTES_MAX + 5 {
            assert!(decode(rules, [&bytes[..first], &bytes[first..second], &bytes[second..]]) == whole);
        }
    }
}
