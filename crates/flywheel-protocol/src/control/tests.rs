use super::*;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn check(hex: &str, body: Body) {
    let bytes = bytes_of(hex);
    assert_eq!(Command::read(&bytes), Ok(("u".to_owned(), body.clone())), "{hex}");
    assert_eq!(Command::of("u", body).to_bytes(), bytes, "{hex}");
}

/// Written down by hand from the field numbers, so that a wrong number in our definitions does not cancel itself out.
#[test]
fn every_kind_of_message_has_the_reference_s_numbers() {
    let node = Node { uid: "u".into(), name: "n".into(), num_clients: 1, num_subs: 2, ..Node::default() };
    check("0a0175 220a 0a0175 12016e 2001 5002", Body::Node(node));
    let unsubscribe =
        Unsubscribe { channel: "c".into(), user: "7".into(), code: 2000, ..Unsubscribe::default() };
    check("0a0175 2a09 0a0163 120137 28d00f", Body::Unsubscribe(unsubscribe));
    let disconnect = Disconnect {
        user: "7".into(),
        whitelist: vec!["w".into()],
        code: 5,
        session: "s".into(),
        ..Disconnect::default()
    };
    check("0a0175 320b 0a0137 120177 1805 3a0173", Body::Disconnect(disconnect));
    check("0a0175 3a00", Body::Shutdown(Shutdown {}));
    let request = SurveyRequest { id: 3, op: "o".into(), data: "d".into() };
    check("0a0175 4208 0803 12016f 1a0164", Body::SurveyRequest(request));
    let response = SurveyResponse { id: 3, code: 1, data: "d".into() };
    check("0a0175 4a07 0803 1001 1a0164", Body::SurveyResponse(response));
    let subscribe = Subscribe {
        user: "7".into(),
        channel: "c".into(),
        presence: true,
        recover: true,
        recover_since: Some(StreamPosition { offset: 4, epoch: "e".into() }),
        session: "s".into(),
        ..Subscribe::default()
    };
    check("0a0175 5214 0a0137 120163 1801 3801 5a05 0804 120165 620173", Body::Subscribe(subscribe));
    check("0a0175 5a06 0a016f 120164", Body::Notification(Notification { op: "o".into(), data: "d".into() }));
    let refresh = Refresh { user: "7".into(), expire_at: 9, info: "i".into(), ..Refresh::default() };
    check("0a0175 6208 0a0137 2009 2a0169", Body::Refresh(refresh));
}

#[test]
fn what_a_node_sees_stands_behind_a_number_that_others_skip() {
    let view = View { hears: vec!["a".into(), "b".into()], ready: true, sound: true };
    let node = Node { uid: "u".into(), view: Some(view), ..Node::default() };
    check("0a0175 2210 0a0175 a206 0a 0a0161 0a0162 1001 1801", Body::Node(node));
}

#[test]
fn unknown_fields_are_skipped_and_unknown_kinds_are_empty() {
    let body = Ok(("u".to_owned(), Body::Shutdown(Shutdown {})));
    assert_eq!(Command::read(&bytes_of("0a0175 3a02 0801 980601")), body, "more fields, inside and outside");
    assert_eq!(Command::read(&bytes_of("0a0175 6a00")), Err(Undecodable::Empty), "kind 13");
    assert_eq!(Command::read(&bytes_of("3a00")), Err(Undecodable::Empty), "no sender");
    assert_eq!(Command::read(&[]), Err(Undecodable::Empty));
}

#[test]
fn what_chooses_clients_by_something_unknown_is_not_taken_for_one_to_all_anonymous_ones() {
    let kind = |body: &str| Command::read(&bytes_of(body)).map(|(_, body)| body);
    // Code 5, and a field 9 that nobody here knows.
    assert_eq!(kind("0a0175 3204 1805 4801"), Err(Undecodable::Choice), "disconnect");
    assert_eq!(kind("0a0175 2a05 0a0163 4801"), Err(Undecodable::Choice), "unsubscribe");
    assert_eq!(kind("0a0175 5205 120163 7801"), Err(Undecodable::Choice), "subscribe");
    assert_eq!(kind("0a0175 6204 2009 4801"), Err(Undecodable::Choice), "refresh");
    let anonymous = Disconnect { code: 5, ..Disconnect::default() };
    assert_eq!(kind("0a0175 3202 1805"), Ok(Body::Disconnect(anonymous.clone())));
    let named = Disconnect { user: "7".into(), ..anonymous };
    assert_eq!(kind("0a0175 3207 0a0137 1805 4801"), Ok(Body::Disconnect(named)));
}

#[test]
fn garbage_is_an_error() {
    for hex in ["ff", "0a05 75", "0a0175 22ff", "0a0175 2203 0a0575", "0a02c328 3a00"] {
        assert!(matches!(Command::read(&bytes_of(hex)), Err(Undecodable::Malformed(_))), "{hex}");
    }
    assert!(matches!(Command::read(&vec![0; BYTES_MAX + 1]), Err(Undecodable::TooLong(_))));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    /// Bytes after a start that is right get further than bytes alone.
    #[test]
    fn no_bytes_panic_and_what_is_read_is_written_alike(kind in 4u8..14, bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
        let length = u8::try_from(bytes.len()).unwrap();
        let framed = [&[0x0a, 1, b'u', (kind << 3) | 2, length], &bytes[..]].concat();
        for bytes in [&bytes, &framed] {
            if let Ok((uid, body)) = Command::read(bytes) {
                let again = Command::read(&Command::of(&uid, body.clone()).to_bytes());
                // Not a number is not equal to itself.
                assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, Undecodable>((uid, body))));
            }
        }
    }
}
