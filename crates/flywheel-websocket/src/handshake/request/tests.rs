use super::*;

fn parse(head: &str) -> Result<Option<Request<'_>>, HandshakeError> {
    Request::parse(head.as_bytes(), Limits::default())
}

fn with_target(target: &str, check: impl Fn(Request<'_>)) {
    check(parse(&format!("GET {target} HTTP/1.1\r\n\r\n")).unwrap().unwrap());
}

#[test]
fn the_target_is_split_at_its_first_question_mark() {
    let check = |target: &str, path: &str, query: Option<&str>| {
        with_target(target, |request| {
            assert_eq!((request.target(), request.path(), request.query()), (target, path, query));
        });
    };
    check("/connection/websocket", "/connection/websocket", None);
    check("/a?b=c?d", "/a", Some("b=c?d"));
    check("/a?", "/a", Some(""));
    check("*", "*", None);
    check("/a?u=http://x/y", "/a", Some("u=http://x/y"));
    check("http://host:8000/a?b", "/a", Some("b"));
    check("http://host?b", "", Some("b"));
    check("http://host", "/", None);
}

#[test]
fn headers_are_found_in_whatever_case_and_kept_in_order() {
    let request = parse("GET / HTTP/1.0\r\nX-A: 1\r\nx-b:2\r\nX-a:  3 \r\n\r\n").unwrap().unwrap();
    assert_eq!(request.minor_version(), 0);
    assert_eq!(request.header("x-A"), Some(&b"1"[..]));
    assert_eq!(request.values("X-A").collect::<Vec<_>>(), [b"1", b"3"]);
    assert_eq!(request.header("x-c"), None);
    assert_eq!(request.headers().map(|(name, _)| name).collect::<Vec<_>>(), ["X-A", "x-b", "X-a"]);
}

#[test]
fn lists_are_joined_over_headers_and_empty_items_left_out() {
    let request = parse("GET / HTTP/1.1\r\nA: x, ,y\r\nA:\r\nA:z\t,\r\n\r\n").unwrap().unwrap();
    assert_eq!(request.items("a").collect::<Vec<_>>(), ["x", "y", "z"]);
    assert!(request.has_token("a", "Y") && !request.has_token("a", "xy"));
}

#[test]
fn a_target_of_64_kib_is_taken() {
    let target = format!("/{}", "a".repeat(65_535));
    with_target(&target, |request| assert_eq!(request.path(), target));
}

#[test]
fn a_head_beyond_the_limit_is_refused_even_if_it_is_complete() {
    let head = "GET / HTTP/1.1\r\nA: 12345\r\n\r\n";
    let parse =
        |head_bytes| Request::parse(head.as_bytes(), Limits { head_bytes }).map(|request| request.is_some());
    assert_eq!(parse(head.len()), Ok(true));
    assert_eq!(parse(head.len() - 1), Err(HandshakeError::TooLarge { limit: head.len() - 1 }));
}

#[test]
fn a_hundred_headers_are_taken_and_one_more_is_not() {
    let parse = |count: usize| {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        parse(&head).map(|request| request.map(|request| request.headers().count()))
    };
    assert_eq!(parse(HEADERS_MAX), Ok(Some(HEADERS_MAX)));
    assert_eq!(parse(HEADERS_MAX + 1), Err(HandshakeError::TooManyHeaders));
    assert_eq!(HandshakeError::TooManyHeaders.status(), 431);
}

#[test]
fn what_is_not_http_1_is_malformed() {
    for head in [
        "\0",
        "GET / HTTP/2.0\r\n\r\n",
        "GET /\r\n\r\n",
        "G T / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA B: c\r\n\r\n",
    ] {
        let error = parse(head).unwrap_err();
        assert!(matches!(error, HandshakeError::Malformed(_)), "{head:?}");
        assert_eq!(error.status(), 400);
    }
    assert!(parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").is_err(), "an HTTP/2 preface");
}

#[test]
fn a_debug_line_shows_neither_query_nor_headers() {
    with_target("/a?token=secret", |request| assert!(!format!("{request:?}").contains("secret")));
}
