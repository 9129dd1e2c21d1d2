use super::*;
use crate::{Role, write_masked_close, write_masked_frame};

const KEY: [u8; 4] = [0xA1, 0x02, 0xB3, 0x04];

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_masked_frame(&mut frame, Opcode::Binary, payload, false, KEY);
    frame[0] = first;
    frame
}

/// The events as text, and the error that ended them.
fn decode(decoder: &mut Decoder, bytes: &[u8]) -> (Vec<String>, Option<ProtocolError>) {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut events = Vec::new();
    loop {
        match decoder.poll_event(&mut input) {
            Ok(Some(event)) => events.push(format!("{event:?}")),
            Ok(None) => break,
            Err(error) => return (events, Some(error)),
        }
    }
    assert_eq!(input.remaining(), 0, "everything is taken");
    (events, None)
}

fn check(rules: Rules, bytes: &[u8], expected: &[Event<'_>], error: Option<ProtocolError>) {
    let expected: Vec<String> = expected.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!(decode(&mut Decoder::new(rules), bytes), (expected.clone(), error), "whole");
    let mut decoder = Decoder::new(rules);
    let (mut events, mut seen) = (Vec::new(), None);
    for byte in bytes {
        let (more, error) = decode(&mut decoder, &[*byte]);
        events.extend(more);
        seen = seen.or(error);
    }
    assert_eq!((events, seen), (expected, error), "byte by byte");
}

fn binary(payload: &[u8]) -> Event<'_> {
    Event::Message { kind: MessageKind::Binary, payload, compressed: false }
}

#[test]
fn a_decoder_between_frames_is_small_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 32, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(Rules::default());
    let frame = masked(0x81, b"some text");
    for byte in &frame[..frame.len() - 1] {
        decode(&mut decoder, &[*byte]);
        assert!(decoder.held_bytes() > 0);
    }
    assert_eq!(decode(&mut decoder, &frame[frame.len() - 1..]).0.len(), 1);
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn a_whole_frame_is_lent_from_the_input() {
    let mut bytes = masked(0x82, b"payload");
    let range = bytes.as_ptr_range();
    let mut decoder = Decoder::new(Rules::default());
    let mut input = Input::new(&mut bytes);
    let Ok(Some(Event::Message { payload: lent @ b"payload", .. })) = decoder.poll_event(&mut input) else {
        panic!("no message");
    };
    assert!(range.contains(&lent.as_ptr()));
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn a_ping_between_fragments_is_yielded_first_and_spoils_nothing() {
    let bytes = [
        masked(0x02, b"one "),
        masked(0x89, b"ping"),
        masked(0x00, b"two "),
        masked(0x8A, b""),
        masked(0x80, b"three"),
        masked(0x82, b"next"),
    ]
    .concat();
    let expected = [Event::Ping(b"ping"), Event::Pong(b""), binary(b"one two three"), binary(b"next")];
    check(Rules::default(), &bytes, &expected, None);
}

#[test]
fn a_length_allocates_nothing() {
    let rules = Rules { max_message: usize::MAX, ..Rules::default() };
    let mut header = vec![0x82, 0xFF];
    header.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    header.extend_from_slice(&KEY);
    let mut decoder = Decoder::new(rules);
    assert_eq!(decode(&mut decoder, &header), (vec![], None));
    assert_eq!(decoder.held_bytes(), size_of::<Partial>(), "no payload, no buffer");
    decode(&mut decoder, &[0; 1000]);
    assert!(decoder.held_bytes() <= size_of::<Partial>() + 2000);
}

#[test]
fn a_message_beyond_the_limit_is_refused_by_its_header() {
    let rules = Rules { max_message: 10, ..Rules::default() };
    check(rules, &masked(0x82, &[1; 10]), &[binary(&[1; 10])], None);
    let too_big = Some(ProtocolError::MessageTooBig);
    check(rules, &masked(0x82, &[1; 11])[..6], &[], too_big);
    let fragments = [masked(0x02, &[1; 6]), masked(0x00, &[2; 4]), masked(0x80, &[3; 1])].concat();
    check(rules, &fragments, &[], too_big);
}

#[test]
fn a_control_frame_does_not_count_towards_the_message() {
    let rules = Rules { max_message: 4, ..Rules::default() };
    let bytes = [masked(0x02, b"12"), masked(0x89, &[7; 125]), masked(0x80, b"34")].concat();
    check(rules, &bytes, &[Event::Ping(&[7; 125]), binary(b"1234")], None);
}

#[test]
fn fragments_are_bounded_even_if_they_are_empty() {
    let rules = Rules { max_fragments: 3, ..Rules::default() };
    let empty =
        |count: usize| [masked(0x02, b""), masked(0x00, b"").repeat(count), masked(0x80, b"")].concat();
    check(rules, &empty(1), &[binary(b"")], None);
    check(rules, &empty(2), &[], Some(ProtocolError::TooManyFragments));
}

#[test]
fn where_fragments_are_forbidden_a_frame_that_comes_in_pieces_is_none() {
    let rules = Rules { max_fragments: 0, ..Rules::default() };
    check(rules, &masked(0x82, b"whole"), &[binary(b"whole")], None);
    check(rules, &masked(0x02, b"part"), &[], Some(ProtocolError::TooManyFragments));
}

#[test]
fn compressed_messages_are_reported_and_not_checked_for_utf8() {
    let rules = Rules { compression: true, utf8: Utf8::Check, ..Rules::default() };
    let bytes = [masked(0xC1, b"\xFF"), masked(0x42, b"a"), masked(0x80, b"b"), masked(0x82, b"c")].concat();
    let expected = [
        Event::Message { kind: MessageKind::Text, payload: b"\xFF", compressed: true },
        Event::Message { kind: MessageKind::Binary, payload: b"ab", compressed: true },
        binary(b"c"),
    ];
    check(rules, &bytes, &expected, None);
    let fragmented = [masked(0x41, b"\xFF"), masked(0x80, b"\xFF")].concat();
    let text = Event::Message { kind: MessageKind::Text, payload: b"\xFF\xFF", compressed: true };
    check(rules, &fragmented, &[text], None);
    let late = [masked(0x02, b"a"), masked(0xC0, b"b")].concat();
    check(rules, &late, &[], Some(ProtocolError::ReservedBits));
}

#[test]
fn unchecked_text_passes_as_it_is() {
    let text = Event::Message { kind: MessageKind::Text, payload: b"\xFF", compressed: false };
    check(Rules::default(), &masked(0x81, b"\xFF"), &[text], None);
    let checking = Rules { utf8: Utf8::Check, ..Rules::default() };
    check(checking, &masked(0x81, b"\xFF"), &[], Some(ProtocolError::InvalidUtf8));
}

#[test]
fn nothing_is_heard_after_a_close_frame() {
    let mut bytes = Vec::new();
    write_masked_close(&mut bytes, Some(CloseCode::new(4001)), "bye", KEY);
    bytes.extend(masked(0x82, b"late"));
    bytes.extend([0xFF; 20]);
    let close = Event::Close { code: Some(CloseCode::new(4001)), reason: "bye" };
    check(Rules::default(), &bytes, &[close], None);
}

#[test]
fn nothing_is_heard_after_an_error_and_nothing_is_kept() {
    let mut decoder = Decoder::new(Rules::default());
    let bytes = [masked(0x02, &[1; 500]), masked(0x82, b"new"), masked(0x82, b"late")].concat();
    assert_eq!(decode(&mut decoder, &bytes), (vec![], Some(ProtocolError::ExpectedContinuation)));
    assert!(decoder.is_closed());
    assert_eq!(decoder.held_bytes(), 0);
    assert_eq!(decode(&mut decoder, &masked(0x82, b"late")), (vec![], None));
}

#[test]
fn a_client_decodes_unmasked_frames_only() {
    let rules = Rules { role: Role::Client, ..Rules::default() };
    check(rules, b"\x82\x02ab\x02\x01c\x80\x01d", &[binary(b"ab"), binary(b"cd")], None);
    check(rules, &masked(0x82, b"ab"), &[], Some(ProtocolError::Masked));
    check(Rules::default(), b"\x82\x02ab", &[], Some(ProtocolError::Unmasked));
}

#[test]
fn errors_map_to_the_close_code_that_answers_them() {
    let code = |error: ProtocolError| error.close_code().get();
    assert_eq!(code(ProtocolError::InvalidUtf8), 1007);
    assert_eq!(code(ProtocolError::MessageTooBig), 1009);
    assert_eq!(code(ProtocolError::TooManyFragments), 1009);
    assert_eq!(code(ProtocolError::Unmasked), 1002);
    assert_eq!(code(ProtocolError::BadCloseCode(1005)), 1002);
}
